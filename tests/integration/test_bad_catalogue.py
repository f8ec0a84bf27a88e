"""A catalogue in which everything that can be wrong is wrong: every row is accounted for, and no stack trace shown."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fakes.bad_images import bad_images, odd_images
from support import Ran

pytestmark = [pytest.mark.ray, pytest.mark.milvus]

# id → uri, code: what a row may name instead of a picture.
BAD_URIS = {
    "missing-file": ("no-such-file.jpg", "not_found"),
    "folder": ("a-folder.jpg", "not_a_file"),
    "no-uri": ("", "missing_uri"),
    "long-uri": (f"{'a' * 5_000}.jpg", "uri_too_long"),
    "half-a-url": ("http://", "invalid_uri"),
    "ftp": ("ftp://example.com/a.jpg", "unsupported_scheme"),
    "private-address": ("http://127.0.0.1:9/a.jpg", "blocked_address"),
    "metadata-service": ("http://169.254.169.254/latest/meta-data", "blocked_address"),
}
# Kind → cells, code: rows that are wrong themselves; `good-0` is a row of the catalogue, and so is its picture.
BAD_ROWS = {
    "too-many-cells": (["ragged", "too", "many", "cells", "here"], "ragged_row"),
    "too-few-cells": (["short"], "ragged_row"),
    "no-id": (["", "somewhere.jpg", "x", "3"], "missing_id"),
    "long-id": (["i" * 600, "somewhere.jpg", "x", "3"], "id_too_long"),
    "nul": (["nul", "some\0where.jpg", "x", "3"], "invalid_row"),
    "same-id-other-picture": (["good-0", "odd-picture.jpg", "x", "3"], "duplicate_id"),
}


@dataclass
class Catalogue:
    """A manifest, and what must become of its rows.

    Attributes:
        bad: row number (the first is 1) → kind of mishap, code of its dead letter.
        good: how many rows are well.
        repeated: how many rows say again what another one has said.
    """

    manifest: Path
    rows: list[list[str]] = field(default_factory=list)
    bad: dict[int, tuple[str, str]] = field(default_factory=dict)
    good: int = 0
    repeated: int = 0

    def add_good(self, image_id: str, uri: object) -> None:
        self.rows.append([image_id, str(uri), "a title", "4"])
        self.good += 1

    def add_bad(self, kind: str, cells: list[str], code: str) -> None:
        self.rows.append(cells)
        self.bad[len(self.rows)] = (kind, code)

    def add_again(self, cells: list[str]) -> None:
        self.rows.append(cells)
        self.repeated += 1

    def write(self) -> None:
        with self.manifest.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["id", "uri", "title", "price"], *self.rows])


@pytest.fixture(scope="module")
def bad_catalogue(photographs, tmp_path_factory) -> Catalogue:
    folder = tmp_path_factory.mktemp("bad")
    made = Catalogue(folder / "bad.csv")
    for number, path in enumerate(photographs):
        made.add_good(f"good-{number}", path)
    for name, content in odd_images().items():
        (folder / f"odd-{name}").write_bytes(content)
        made.add_good(f"odd-{name}", f"odd-{name}")
    for name, (content, code) in bad_images().items():
        (folder / f"bad-{name}").write_bytes(content)
        made.add_bad(re.sub(r"-at-\d+$", "", name), [f"bad-{name}", f"bad-{name}", "broken", "1"], code)
    (folder / "a-folder.jpg").mkdir()
    for image_id, (uri, code) in BAD_URIS.items():
        made.add_bad(image_id, [image_id, uri, "x", "3"], code)
    for kind, (cells, code) in BAD_ROWS.items():
        made.add_bad(kind, cells, code)
    made.add_again(made.rows[0])
    made.write()
    return made


def test_every_row_is_accounted_for(tuku, bad_catalogue):
    done = tuku("ingest", bad_catalogue.manifest, "--json")
    assert done.code == 3, done.err
    assert "Traceback" not in done.err
    _check_counts(done, bad_catalogue)
    _check_dead_letters(_dead_letters(tuku.lake), bad_catalogue)


def test_twenty_kinds_of_mishaps(bad_catalogue):
    kinds = {kind for kind, _ in bad_catalogue.bad.values()}
    assert kinds >= {*BAD_URIS, *BAD_ROWS}
    assert len(kinds) >= 20
    assert len({code for _, code in bad_catalogue.bad.values()}) >= 18


def _check_counts(done: Ran, catalogue: Catalogue) -> None:
    report = done.json
    counts = report["rows"]
    assert counts["manifest"] == len(catalogue.rows)
    assert counts["ok"] == catalogue.good
    assert counts["failed"] == len(catalogue.bad) == sum(report["errors"].values())
    assert counts["duplicates"] == catalogue.repeated
    assert counts["manifest"] == counts["unchanged"] + counts["duplicates"] + counts["ok"] + counts["failed"]
    assert report["verify"]["passed"]


def _check_dead_letters(letters: list[dict], catalogue: Catalogue) -> None:
    assert len(letters) == len(catalogue.bad)
    assert {letter["row_number"]: letter["code"] for letter in letters} == {
        number: code for number, (_, code) in catalogue.bad.items()
    }
    assert all(json.loads(letter["manifest_row"]) for letter in letters)
    assert all(letter["message"] and "\n" not in letter["message"] for letter in letters)


def _dead_letters(lake: Path) -> list[dict]:
    tables = [pq.read_table(path, partitioning=None) for path in lake.glob("runs/*/errors/*.parquet")]
    return pa.concat_tables(tables).to_pylist()
