"""`tuku errors` over some nights of one catalogue: what fails, what is mended, and what leaves the catalogue."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from support import Tuku

pytestmark = [pytest.mark.ray, pytest.mark.milvus]

NIGHT = ["--set", "limits.max_failed_fraction=1", "--json"]


@pytest.fixture
def pictures(photographs: list[Path], tmp_path: Path) -> Path:
    """Three good pictures, and one whose file ends too early."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, path in enumerate(photographs[:3]):
        shutil.copy(path, folder / f"good-{number}{path.suffix}")
    whole = photographs[3].read_bytes()
    (folder / "short.png").write_bytes(whole[: len(whole) // 2])
    return folder


def write_manifest(folder: Path, *others: list[object]) -> Path:
    good = [[path.stem, path.name, "good"] for path in sorted(folder.glob("good-*"))]
    with (folder / "catalogue.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "path", "title"], *good, *others])
    return folder / "catalogue.csv"


def standing(tuku: Tuku, *options: str) -> dict[str, int]:
    listed = tuku("errors", *options, "--json")
    assert listed.code == 0, listed.err
    return {f"{kind['stage']}/{kind['code']}": kind["rows"] for kind in listed.json["errors"]}


@pytest.mark.long
def test_a_row_stays_on_the_list_until_it_is_well_or_gone(tuku: Tuku, pictures: Path) -> None:
    assert standing(tuku) == {}
    short, missing = ["short", "short.png", "too short"], ["late", "late.png", "晚"]
    manifest = write_manifest(pictures, short, missing, ["ragged"])
    first = tuku("ingest", manifest, *NIGHT)
    assert first.code == 0, first.err
    failed = {"decode/truncated": 1, "fetch/not_found": 1, "manifest/ragged_row": 1}
    assert standing(tuku) == failed
    assert standing(tuku, "--stage", "fetch") == {"fetch/not_found": 1}
    listed = tuku("errors", "--rows", "--reason", "truncated").out.splitlines()
    assert [line.split("\t")[5] for line in listed] == ["image_id", "short"]

    nothing = tuku("retry", "--reason", "timeuot", *NIGHT).json
    assert nothing["rows"]["manifest"] == 0
    assert "no row has failed with the code timeuot" in nothing["warnings"][0].lower()
    shutil.copy(next(pictures.glob("good-*")), pictures / "late.png")
    again = tuku("retry", *NIGHT).json
    assert (again["rows"]["ok"], again["rows"]["failed"], again["errors"]) == (1, 1, {"truncated": 1})
    assert "(ragged_row 1): mend the manifest" in again["warnings"][0]
    del failed["fetch/not_found"]
    assert standing(tuku) == failed
    found = tuku("search", "anything", "--json").json["results"]
    assert {"title": "晚"} in [result["metadata"] for result in found]

    write_manifest(pictures, missing)
    part = tuku("ingest", manifest, *NIGHT, "--limit", "2")
    assert part.code == 0, part.err
    assert standing(tuku) == failed  # a part of the manifest says nothing of the rest
    whole = tuku("ingest", manifest, *NIGHT)
    assert whole.code == 0, whole.err
    assert standing(tuku) == {}
