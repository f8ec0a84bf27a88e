"""A catalogue in which everything that can be wrong is wrong: every row is accounted for, and no stack trace shown."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes.bad_images import bad_images, odd_images

pytestmark = [pytest.mark.ray, pytest.mark.milvus]


def test_every_row_is_accounted_for(tuku, photographs, tmp_path):
    expected: dict[str, str] = {}
    lines = ["id,uri,title,price"]
    for name, (content, code) in bad_images().items():
        (tmp_path / f"bad-{name}").write_bytes(content)
        lines.append(f"bad-{name},bad-{name},broken,1")
        expected[f"bad-{name}"] = code
    odd = odd_images()
    for name, content in odd.items():
        (tmp_path / f"odd-{name}").write_bytes(content)
        lines.append(f"odd-{name},odd-{name},odd,2")
    (tmp_path / "a-folder.jpg").mkdir()
    rows = {
        "missing-file": ("no-such-file.jpg", "not_found"),
        "folder": ("a-folder.jpg", "not_a_file"),
        "no-uri": ("", "missing_uri"),
        "ftp": ("ftp://example.com/a.jpg", "unsupported_scheme"),
        "private": ("http://127.0.0.1:9/a.jpg", "blocked_address"),
        "metadata-service": ("http://169.254.169.254/latest/meta-data", "blocked_address"),
    }
    for image_id, (uri, code) in rows.items():
        lines.append(f"{image_id},{uri},x,3")
        expected[image_id] = code
    lines += ["ragged,too,many,cells,here", "short"]
    good = [f"good-{i}" for i in range(len(photographs))]
    lines += [f"{image_id},{path},good,4" for image_id, path in zip(good, photographs, strict=True)]
    lines += [f"{good[0]},{photographs[0]},good,4", f"{good[1]},{photographs[0]},good,4"]
    manifest = tmp_path / "bad.csv"
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")

    done = tuku("ingest", manifest, "--json")

    assert done.code == 3
    assert "Traceback" not in done.err
    report = done.json
    counts = report["rows"]
    assert counts["manifest"] == len(lines) - 1
    assert counts["ok"] == len(good) + len(odd)
    assert counts["duplicates"] == 1
    assert counts["manifest"] == counts["unchanged"] + counts["duplicates"] + counts["ok"] + counts["failed"]
    assert report["verify"]["passed"]
    letters = _dead_letters(tuku.lake)
    assert len(expected) >= 18
    assert {image_id: letters[image_id]["code"] for image_id in expected} == expected
    codes = [letter["code"] for letter in letters.values()]
    assert codes.count("ragged_row") == 2
    assert letters[good[1]]["code"] == "duplicate_id"
    assert all(letter["row_number"] and json.loads(letter["manifest_row"]) for letter in letters.values())


def _dead_letters(lake: Path) -> dict[str, dict]:
    tables = [pq.read_table(path, partitioning=None) for path in lake.glob("runs/*/errors/*.parquet")]
    return {row["image_id"]: row for row in pa.concat_tables(tables).to_pylist()}
