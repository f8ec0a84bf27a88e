"""`tuku ingest` end to end, as a user types it: real Ray, real models, real Milvus Lite."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fakes.image_server import serve
from tuku.schemas import IMAGES

pytestmark = [pytest.mark.ray, pytest.mark.milvus]

VECTORS = ("image_embedding", "text_embedding")
# What every load must prove, each once.
PROOF = [
    "rows sent",
    "rows",
    "keys",
    "load state",
    "vector space",
    "sampled keys found once",
    "sampled texts and metadata",
    "sampled vectors",
    *(f"index of {field}" for field in VECTORS),
    *(f"self-retrieval in {field}" for field in VECTORS),
    *(f"recall@10, {kind} queries on {field}" for kind in ("image", "text") for field in VECTORS),
]


def _add_up(report) -> bool:
    rows = report["rows"]
    return rows["manifest"] == rows["unchanged"] + rows["duplicates"] + rows["ok"] + rows["failed"]


def _lake_rows(lake: Path) -> pa.Table:
    return pa.concat_tables(pq.read_table(path, partitioning=None) for path in lake.glob("runs/*/parts/*.parquet"))


def test_csv_catalogue_then_nothing_changed_then_one_row_more(tuku, catalogue):
    first = tuku("ingest", catalogue, "--json")
    assert first.code == 0, first.err
    report = first.json
    total = report["rows"]["manifest"]
    assert total >= 20
    assert report["rows"]["ok"] == report["rows"]["new"] == total
    assert report["verify"]["passed"]
    assert sorted(check["name"] for check in report["verify"]["checks"]) == sorted(PROOF)
    assert report["load"]["inserted"] == total
    assert Path(report["paths"]["report"]).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "Traceback" not in first.err
    rows = _lake_rows(tuku.lake)
    assert rows.schema.equals(IMAGES)
    assert sorted(rows.column("image_id").to_pylist()) == sorted(set(rows.column("image_id").to_pylist()))
    assert {len(vector) for vector in rows.column("image_embedding").to_pylist()} == {384}

    second = tuku("ingest", catalogue, "--json").json
    assert second["rows"]["unchanged"] == total
    assert second["rows"]["ok"] == second["load"]["inserted"] == 0
    assert second["verify"]["passed"]
    assert second["stages"] == {}

    longer = catalogue.with_name("longer.csv")
    with catalogue.open(encoding="utf-8", newline="") as file:
        listed = list(csv.DictReader(file))
    with longer.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, listed[0])
        writer.writeheader()
        writer.writerows([*listed, {**listed[0], "id": "one-more"}])
    third = tuku("ingest", longer, "--json").json
    assert third["rows"]["new"] == third["rows"]["ok"] == third["load"]["inserted"] == 1
    assert third["rows"]["unchanged"] == total
    assert third["verify"]["passed"]


# Folders and JSONL are taken in by many other tests, too.
@pytest.mark.parametrize(
    "kind", [pytest.param("folder", marks=pytest.mark.long), pytest.param("jsonl", marks=pytest.mark.long), "parquet"]
)
def test_other_manifests_with_chinese_names_and_captions(tuku, photographs, tmp_path, kind):
    pictures = tmp_path / "图片"
    pictures.mkdir()
    for number, path in enumerate(photographs):
        shutil.copy(path, pictures / f"照片 {number}{path.suffix}")
    names = sorted(path.name for path in pictures.iterdir())
    rows = [{"id": f"编号-{i}", "path": f"图片/{name}", "标题": "一只猫", "price": i} for i, name in enumerate(names)]
    if kind == "folder":
        manifest = pictures
    elif kind == "jsonl":
        manifest = tmp_path / "目录.jsonl"
        manifest.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    else:
        manifest = tmp_path / "目录.parquet"
        pq.write_table(pa.Table.from_pylist(rows), manifest)
    done = tuku("ingest", manifest, "--json")
    assert done.code == 0, done.err
    assert done.json["rows"]["ok"] == len(names)
    stored = _lake_rows(tuku.lake)
    assert all("照片" in uri for uri in stored.column("uri").to_pylist())
    if kind != "folder":
        metadata = json.loads(stored.column("metadata")[0].as_py())
        assert metadata["标题"] == "一只猫"
        assert isinstance(metadata["price"], int)


@pytest.mark.long
def test_http_catalogue(tuku, photographs, tmp_path):
    with serve(photographs[0].parent) as server:
        manifest = tmp_path / "urls.csv"
        lines = [
            "id,url",
            *(f"{path.stem},{server.url}/{path.name}" for path in photographs),
            f"gone,{server.url}/none.jpg",
        ]
        manifest.write_text("\n".join(lines), encoding="utf-8")
        refused = tuku("ingest", manifest, "--json")
        assert refused.code == 3
        assert refused.json["errors"] == {"blocked_address": len(photographs) + 1}
        allowed = ["--set", "fetch.allow_private_networks=true", "--set", "limits.max_failed_fraction=0.2"]
        done = tuku("ingest", manifest, "--json", *allowed)
    assert done.code == 0, done.err
    assert done.json["rows"]["ok"] == len(photographs)
    assert done.json["errors"] == {"http_404": 1}
    assert _add_up(done.json)


def test_four_ways_to_search_and_the_grid(tuku, catalogue, tmp_path):
    assert tuku("ingest", catalogue).code == 0
    picture = catalogue.parent / "photographs" / "猫.png"
    for query in (
        ["a cat"],
        ["a cat", "--in", "text"],
        ["--image", picture],
        ["--image", picture, "--in", "text"],
    ):
        grid = tmp_path / "grid.png"
        answer = tuku("search", *query, "--limit", "3", "--grid", grid, "--json")
        assert answer.code == 0, answer.err
        found = answer.json["results"]
        assert len(found) == 3
        assert "cat" in found[0]["caption"]
        assert [row["score"] for row in found] == sorted((row["score"] for row in found), reverse=True)
        assert set(found[0]) == {"id", "score", "scores", "uri", "caption", "keywords", "metadata", "reason"}
        assert grid.read_bytes().startswith(b"\x89PNG")
        grid.unlink()
    table = tuku("search", "a cat", "--limit", "3")
    assert table.code == 0
    assert "cat" in table.out
    proof = tuku("verify", "--json")
    assert proof.code == 0
    assert proof.json["verify"]["passed"]
    assert tuku("report", "--json").json["status"] == "ok"
