"""Manifests in a bucket of a real S3 server: read in parts, and listed in parts."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fakes.counting_proxy import CountingProxy, counting_proxy
from s3_server import BUCKET, S3Server, s3_server
from tuku.config import FetchConfig, ManifestConfig
from tuku.errors import ManifestError
from tuku.fetching import lister, open_stream
from tuku.stages import manifest_text
from tuku.stages.manifest import read_manifest
from tuku.storage.bucket_stores import open_bucket

ITEMS = [
    {"id": "甲-1", "uri": "照片/红 裙子.jpg", "price": 12.5},
    {"id": "乙-2", "uri": "s3://pictures/50%?.png", "price": 7.0},
    {"id": "丙-3", "uri": "/data/c.webp", "price": 0.25},
]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3") / "server") as server, server.used():
        yield server


@pytest.fixture
def proxy(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingProxy]:
    with counting_proxy(s3.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


def put(s3: S3Server, key: str, content: bytes) -> str:
    with s3.files().open_output_stream(f"{BUCKET}/{key}", compression=None) as stream:
        stream.write(content)
    return s3.uri(key)


def content_of(items: list[dict[str, Any]], ending: str) -> bytes:
    kind, *packed = ending.split(".")
    if kind == "parquet":
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(items), sink)
        return sink.getvalue()
    text = io.StringIO()
    if kind == "jsonl":
        text.writelines(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
    else:
        writer = csv.DictWriter(text, list(items[0]), delimiter="\t" if kind == "tsv" else ",")
        writer.writeheader()
        writer.writerows(items)
    content = text.getvalue().encode()
    return gzip.compress(content) if packed else content


def tables(uri: str, **options: Any) -> Iterator[pa.Table]:
    config = FetchConfig()
    return read_manifest(ManifestConfig(), uri, opener=open_stream(config), lister=lister(config), **options)


def rows(uri: str) -> list[dict[str, Any]]:
    return [row for table in tables(uri) for row in table.to_pylist()]


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet", "csv.gz", "jsonl.gz"])
def test_every_format_gives_the_same_rows(s3: S3Server, tmp_path: Path, ending: str) -> None:
    uri = put(s3, f"{tmp_path.name}/目录 50%.{ending}", content_of(ITEMS, ending))
    read = rows(uri)
    assert [row["image_id"] for row in read] == ["甲-1", "乙-2", "丙-3"]
    assert [row["uri"] for row in read] == [
        f"s3://{BUCKET}/{tmp_path.name}/照片/红 裙子.jpg",
        "s3://pictures/50%?.png",
        "/data/c.webp",
    ]
    assert [row["code"] for row in read] == [None, None, "blocked_local_file"]
    assert json.loads(read[0]["metadata"]) == {"price": 12.5}
    assert {row["manifest_uri"] for row in read} == {uri}
    assert {row["source_fingerprint"] for row in read} == {None}


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_text_is_read_in_few_large_parts(
    s3: S3Server, tmp_path: Path, proxy: CountingProxy, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest_text, "READ_AHEAD_BYTES", 100_000)
    items = [{"uri": f"{number}-{number**7}.jpg"} for number in range(20_000)]
    content = content_of(items, ending)
    uri = put(s3, f"{tmp_path.name}/m.{ending}", content)
    assert [Path(row["uri"]).name for row in rows(uri)] == [item["uri"] for item in items]
    sizes = [each.size for each in proxy.seen("GET", f"m.{ending}")]
    assert sum(sizes) == len(content)
    assert sizes[:-1] == [100_000] * (len(content) // 100_000)
    assert len(sizes) > 1


def test_of_parquet_only_what_is_needed_is_read(s3: S3Server, tmp_path: Path, proxy: CountingProxy) -> None:
    thumbnails = pa.array([bytes([number]) * 200_000 for number in range(20)], pa.binary())
    table = pa.table({"uri": [f"{number}.jpg" for number in range(20)], "thumbnail": thumbnails})
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="none", use_dictionary=False)
    uri = put(s3, f"{tmp_path.name}/m.parquet", sink.getvalue())
    assert len(rows(uri)) == 20
    asked = proxy.seen("GET", "m.parquet")
    assert sum(each.size for each in asked) < len(sink.getvalue()) / 10
    assert {each.status for each in asked} == {206}


def test_a_manifest_that_is_replaced_while_it_is_read_stops_the_run(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest_text, "READ_AHEAD_BYTES", 100_000)
    items = [{"uri": f"{number}.jpg"} for number in range(50_000)]
    uri = put(s3, f"{tmp_path.name}/m.csv", content_of(items, "csv"))
    reading = tables(uri, batch_rows=100)
    next(reading)
    put(s3, f"{tmp_path.name}/m.csv", content_of(items[::-1], "csv"))
    with pytest.raises(ManifestError, match="was replaced while it was read"):
        list(reading)


@pytest.mark.long
def test_pictures_below_a_prefix_are_listed_in_parts(s3: S3Server, tmp_path: Path, proxy: CountingProxy) -> None:
    names = sorted(f"{number:04d}.jpg" for number in range(2_500))
    store = open_bucket("s3", BUCKET)

    async def fill() -> None:
        for start in range(0, len(names), 100):
            some = names[start : start + 100]
            await asyncio.gather(*(obstore.put_async(store, f"{tmp_path.name}/{name}", b"x") for name in some))

    asyncio.run(fill())
    reading = tables(s3.uri(f"{tmp_path.name}/"), batch_rows=100)
    assert next(reading).num_rows == 100
    assert proxy.listings() < 3  # of three answers with 1,000 each
    found = [row["uri"] for table in reading for row in table.to_pylist()]
    assert found == [s3.uri(f"{tmp_path.name}/{name}") for name in names[100:]]
    assert proxy.got() == []


def test_a_glob_finds_what_it_means(s3: S3Server, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.png", "deep/c.jpg", ".hidden/d.jpg", "deep/.e.jpg", "list.csv"):
        put(s3, f"{tmp_path.name}/{name}", b"x")
    found = rows(s3.uri(f"{tmp_path.name}/**/*.jpg"))
    assert [row["uri"] for row in found] == [s3.uri(f"{tmp_path.name}/{name}") for name in ("a.jpg", "deep/c.jpg")]
    assert all(row["source_fingerprint"].startswith('{"etag"') for row in found)


@pytest.mark.parametrize(
    ("uri", "said", "remedy"),
    [
        ("s3://bucket/none.csv", "not_found", "Check the bucket and the key"),
        ("s3://no-such-bucket/m.csv", "not_found", "Check the bucket"),
        ("s3://no-such-bucket/a/", "404 Not Found", "that the bucket exists"),
        ("s3://bucket/no-such-folder/", "no pictures", "must end in"),
        ("s3://bucket/a/../m.csv", "bad_url", ""),
        ("s3://key:a-secret@bucket/m.csv", "bad_url", ""),
    ],
)
@pytest.mark.usefixtures("s3")
def test_a_manifest_that_cannot_be_had(uri: str, said: str, remedy: str) -> None:
    with pytest.raises(ManifestError, match=said) as refused:
        rows(uri)
    assert remedy in refused.value.remedy
    assert "a-secret" not in str(refused.value)


@pytest.mark.parametrize(("key", "said"), [("m.csv", "permission_denied"), ("a/", "403 Forbidden")])
def test_a_wrong_key_says_which_variables(s3: S3Server, key: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    with pytest.raises(ManifestError, match=said) as refused:
        rows(s3.uri(key))
    assert "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY" in refused.value.remedy
    assert "another-secret" not in str(refused.value)
