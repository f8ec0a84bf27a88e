"""What holds for a manifest in any format, and for where it lies."""

import csv
import gzip
import hashlib
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tuku.config import ManifestConfig
from tuku.errors import ManifestError
from tuku.schemas import ROWS
from tuku.stages.manifest import read_manifest

ITEMS = [
    {"id": "甲-1", "uri": "照片/红 裙子.jpg", "title": "红色连衣裙", "price": 12.5, "stock": 3, "new": True},
    {"id": "乙-2", "uri": "https://img.example.com/b.png", "title": 'say "hi"', "price": 7.0, "stock": 0, "new": False},
    {"id": "丙-3", "uri": "/data/c.webp", "title": "two\nlines, one comma", "price": 0.25, "stock": -4, "new": True},
]
FORMATS = ["csv", "tsv", "jsonl", "ndjson", "parquet", "csv.gz", "tsv.gz", "jsonl.gz"]


def write(path: Path, items: list[dict], encoding: str = "utf-8") -> Path:
    """The items as a manifest in the format of the path's ending."""
    kind = path.name.split(".")[1]
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(items), path)
        return path
    text = io.StringIO()
    if kind in {"csv", "tsv"}:
        writer = csv.DictWriter(text, list(items[0]), delimiter="\t" if kind == "tsv" else ",")
        writer.writeheader()
        writer.writerows(items)
    else:
        text.writelines(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
    content = text.getvalue().encode(encoding)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def read(uri: str | Path, *, batch_rows: int = 8192, opener=None, **config) -> list[dict]:
    tables = list(read_manifest(ManifestConfig(**config), str(uri), batch_rows=batch_rows, opener=opener))
    assert all(table.schema.equals(ROWS) for table in tables)
    return [row for table in tables for row in table.to_pylist()]


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_gives_the_same_rows(tmp_path: Path, ending: str):
    manifest = write(tmp_path / f"目录.{ending}", ITEMS)
    rows = read(manifest)
    assert [row["image_id"] for row in rows] == ["甲-1", "乙-2", "丙-3"]
    assert [row["uri"] for row in rows] == [
        f"{tmp_path}/照片/红 裙子.jpg",
        "https://img.example.com/b.png",
        "/data/c.webp",
    ]
    others = [{key: item[key] for key in ("title", "price", "stock", "new")} for item in ITEMS]
    assert [json.loads(row["metadata"]) for row in rows] == others
    assert [type(value) for value in json.loads(rows[0]["metadata"]).values()] == [str, float, int, bool]
    assert [json.loads(row["manifest_row"]) for row in rows] == ITEMS
    assert [row["row_number"] for row in rows] == [1, 2, 3]
    assert {row["manifest_uri"] for row in rows} == {str(manifest)}
    assert {row["code"] for row in rows} == {row["source_fingerprint"] for row in rows} == {None}


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(("total", "batch_rows"), [(2500, 700), (2500, 3000), (1000, 1000), (7, 1)])
def test_batches_are_full_and_rows_numbered_through(tmp_path: Path, ending: str, total: int, batch_rows: int):
    items = [{"id": f"n{i}", "uri": f"{i}.jpg"} for i in range(total)]
    manifest = write(tmp_path / f"m.{ending}", items)
    tables = list(read_manifest(ManifestConfig(), str(manifest), batch_rows=batch_rows))
    sizes = [table.num_rows for table in tables]
    assert sum(sizes) == total
    assert set(sizes[:-1]) <= {batch_rows}
    joined = pa.concat_tables(tables)
    assert joined.column("row_number").to_pylist() == list(range(1, total + 1))
    assert joined.column("image_id").to_pylist() == [item["id"] for item in items]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("limit", [1, 3, 5, 99])
def test_limit_counts_rows_and_does_not_change_their_types(tmp_path: Path, ending: str, limit: int):
    items = [{"id": str(i), "uri": f"{i}.jpg", "size": "M" if i == 4 else "38"} for i in range(5)]
    manifest = write(tmp_path / f"m.{ending}", items)
    rows = read(manifest, limit=limit, batch_rows=2)
    assert len(rows) == min(limit, 5)
    # One cell in the sample is no number: the column is text, also where the limit stops before it.
    assert json.loads(rows[0]["metadata"]) == {"size": "38"}


def test_parts_are_all_of_the_manifest_once_wherever_a_row_stands(tmp_path: Path):
    items = [{"id": f"图{i}", "uri": f"{i}.jpg"} for i in range(1_000)]
    forth, back = write(tmp_path / "a.csv", items), write(tmp_path / "b.jsonl", items[::-1])
    parts = [{row["image_id"] for row in read(forth, shard=f"{i}/7", batch_rows=64)} for i in range(1, 8)]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 1_000
    assert all(100 < len(part) < 190 for part in parts)
    assert {row["image_id"] for row in read(back, shard="3/7")} == parts[2]


def test_rows_that_are_wrong_are_in_one_part(tmp_path: Path):
    manifest = tmp_path / "m.csv"
    manifest.write_text("id,uri\na\nb\nc,c.jpg\n")
    found = [row["code"] for i in range(1, 4) for row in read(manifest, shard=f"{i}/3")]
    assert sorted(map(str, found)) == ["None", "ragged_row", "ragged_row"]


def test_dead_letters_count_towards_the_limit(tmp_path: Path):
    manifest = tmp_path / "m.csv"
    manifest.write_text("id,uri\na\nb,b.jpg\nc,c.jpg\n")
    assert [row["code"] for row in read(manifest, limit=2)] == ["ragged_row", None]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_id_is_a_hash_of_the_uri_where_there_is_no_id_column(tmp_path: Path, ending: str):
    manifest = write(tmp_path / f"m.{ending}", [{"uri": "./a/../b.jpg"}, {"uri": "HTTP://Example.com:80/x"}])
    rows = read(manifest)
    assert [row["uri"] for row in rows] == [f"{tmp_path}/b.jpg", "http://example.com/x"]
    assert [row["image_id"] for row in rows] == [hashlib.sha256(row["uri"].encode()).hexdigest()[:32] for row in rows]


@pytest.mark.parametrize(
    ("names", "uri", "id_"),
    [
        (["uri", "path", "id"], "uri", "id"),
        (["origin", "filepath", "url"], "url", None),
        ([" Image ", "ID"], " Image ", "ID"),
        (["Path", "path"], "path", None),
        (["filepath", "origin"], "filepath", None),
    ],
)
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_columns_are_found_by_name(tmp_path: Path, ending: str, names: list[str], uri: str, id_: str | None):
    row = read(write(tmp_path / f"m.{ending}", [{name: f"/{name.strip()}" for name in names}]))[0]
    assert row["uri"] == f"/{uri.strip()}"
    assert (row["image_id"] == f"/{id_}") is (id_ is not None)
    assert set(json.loads(row["metadata"])) == set(names) - {uri, id_}


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_configured_columns_win(tmp_path: Path, ending: str):
    manifest = write(tmp_path / f"m.{ending}", [{"id": "x1", "sku": "s9", "uri": "/u", "photo": "/p"}])
    row = read(manifest, uri_column="photo", id_column="SKU")[0]
    assert (row["uri"], row["image_id"]) == ("/p", "s9")
    assert json.loads(row["metadata"]) == {"id": "x1", "uri": "/u"}


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({}, "uri_column"),
        ({"uri_column": "foto"}, "uri_column"),
        ({"uri_column": "bild", "id_column": "nr"}, "id_column"),
    ],
)
def test_an_absent_column_is_named_with_those_there_are(tmp_path: Path, ending: str, config: dict, key: str):
    manifest = write(tmp_path / f"m.{ending}", [{"bild": "a.jpg", "titel": "A"}])
    with pytest.raises(ManifestError, match=r"'bild', 'titel'") as caught:
        read(manifest, **config)
    assert f"--set manifest.{key}=" in caught.value.remedy
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_rows_without_a_usable_id_or_uri_are_dead_letters(tmp_path: Path, ending: str):
    items = [
        {"id": "a", "uri": " "},
        {"id": "  ", "uri": "b.jpg"},
        {"id": "", "uri": ""},
        {"id": "图" * 171, "uri": "c.jpg"},  # 513 bytes
        {"id": "图" * 170 + "ab", "uri": "d.jpg"},  # 512 bytes
        {"id": "e", "uri": "/" + "e" * 4096},
        {"id": "f", "uri": "/" + "f" * 4095},
        {"id": "g", "uri": "javascript:alert(1)"},
    ]
    manifest = write(tmp_path / f"m.{ending}", items)
    rows = read(manifest)
    codes = [
        "missing_uri",
        "missing_id",
        "missing_uri",
        "id_too_long",
        None,
        "uri_too_long",
        None,
        "unsupported_scheme",
    ]
    assert [row["code"] for row in rows] == codes
    assert [row["stage"] for row in rows] == [code and "manifest" for code in codes]
    failed = [row for row in rows if row["code"]]
    assert {(row["retryable"], row["attempts"]) for row in failed} == {(False, 1)}
    assert all(row["message"] for row in failed)
    assert [json.loads(row["manifest_row"]).get("uri", "") for row in rows] == [item["uri"] for item in items]
    # Who has an id keeps it; who has none is named after the place.
    assert [rows[i]["image_id"] for i in (0, 5, 7)] == ["a", "e", "g"]
    assert rows[1]["image_id"] == hashlib.sha256(f"{manifest}#2".encode()).hexdigest()[:32]
    assert [rows[i]["uri"] for i in (0, 1, 5, 7)] == ["", f"{tmp_path}/b.jpg", "", "javascript:alert(1)"]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_null_is_like_an_absent_value(tmp_path: Path, ending: str):
    items = [{"id": "1", "uri": "a.jpg", "n": 5, "t": "x"}, {"id": None, "uri": None, "n": None, "t": None}]
    rows = read(write(tmp_path / f"m.{ending}", items))
    assert rows[1]["code"] == "missing_uri"
    assert rows[1]["metadata"] == rows[1]["manifest_row"] == "{}"


def test_a_missing_manifest_names_its_look_alikes(tmp_path: Path):
    write(tmp_path / "products.csv", ITEMS)
    with pytest.raises(ManifestError, match=r"no manifest .*/product\.csv") as caught:
        read(tmp_path / "product.csv")
    assert "products.csv" in caught.value.remedy
    with pytest.raises(ManifestError, match="folder does not exist"):
        read(tmp_path / "no" / "product.csv")


@pytest.mark.parametrize("name", ["m.xlsx", "m", "m.parquet.gz", "m.json"])
def test_an_unknown_ending_is_refused_with_what_is_known(tmp_path: Path, name: str):
    (tmp_path / name).write_text("id,uri\n1,a.jpg\n")
    with pytest.raises(ManifestError) as caught:
        read(tmp_path / name)
    assert ".csv, .tsv, .jsonl, .ndjson" in caught.value.remedy
    if not name.endswith(".gz"):
        assert [row["image_id"] for row in read(tmp_path / name, format="csv")] == ["1"]


def test_a_format_that_contradicts_the_path_is_refused(tmp_path: Path):
    with pytest.raises(ManifestError, match="is a folder, but"):
        read(tmp_path, format="csv")
    with pytest.raises(ManifestError, match="is not a folder, but"):
        read(write(tmp_path / "m.csv", ITEMS), format="folder")


def test_file_uris_and_relative_paths_of_manifests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    manifest = write(tmp_path / "目 录.csv", ITEMS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    uris = ["目 录.csv", "./目 录.csv", "~/目 录.csv", f"file://{manifest}", manifest.as_uri(), f"file:{manifest}"]
    for uri in uris:
        rows = read(uri)
        assert [row["manifest_uri"] for row in rows] == [str(manifest)] * 3
        assert rows[0]["uri"] == f"{tmp_path}/照片/红 裙子.jpg"


def test_no_permission_is_said_to_be_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    manifest = write(tmp_path / "m.csv", ITEMS)

    def refuse(self: Path, *args: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)  # the tests may run as root, whom no mode stops
    with pytest.raises(ManifestError, match="No permission to read"):
        read(manifest)


class OneWayStream(io.BytesIO):
    """A download: it cannot be rewound, and knows whether it was closed."""

    def seekable(self) -> bool:
        return False

    def seek(self, *args: object) -> int:
        raise io.UnsupportedOperation("seek")


@pytest.mark.parametrize("ending", FORMATS)
def test_a_remote_manifest_is_streamed_from_its_opener(tmp_path: Path, ending: str):
    content = write(tmp_path / f"m.{ending}", ITEMS).read_bytes()
    uri = f"https://me:secret@host.example/a/m.{ending}?sig=hush"
    opened: list[str] = []
    stream = OneWayStream(content)

    def opener(address: str) -> OneWayStream:
        opened.append(address)
        return stream

    rows = read(uri, opener=opener)
    assert opened == [uri]
    assert stream.closed
    assert rows[0]["uri"] == "https://host.example/a/%E7%85%A7%E7%89%87/%E7%BA%A2%20%E8%A3%99%E5%AD%90.jpg"
    assert [row["code"] for row in rows] == [None, None, "blocked_local_file"]
    assert {row["manifest_uri"] for row in rows} == {f"https://host.example/a/m.{ending}"}
    assert "secret" not in str(rows)
    assert "hush" not in str(rows)


def test_a_remote_manifest_needs_an_opener_and_tells_no_secrets():
    with pytest.raises(ManifestError) as caught:
        read("s3://key:secret@bucket/m.csv")
    assert "s3://bucket/m.csv" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_opener_that_fails_or_a_stream_that_breaks_is_a_manifest_error():
    def refuse(_: str) -> io.BytesIO:
        raise ConnectionResetError(104, "Connection reset by peer")

    with pytest.raises(ManifestError, match="Connection reset"):
        read("https://host.example/m.csv", opener=refuse)

    class Breaking(io.RawIOBase):
        sent = False

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:
            if self.sent:
                raise TimeoutError("timed out")
            self.sent = True
            content = b"id,uri\n1,a.jpg\n2,b.jpg\n"
            buffer[: len(content)] = content
            return len(content)

    for ending, where in (("csv", "row 3"), ("parquet", "its start")):
        with pytest.raises(ManifestError, match=where):
            read(f"https://host.example/m.{ending}", opener=lambda _: io.BufferedReader(Breaking()))


def test_a_remote_folder_is_refused():
    with pytest.raises(ManifestError, match="cannot be listed"):
        read("s3://bucket/photos", format="folder", opener=lambda _: io.BytesIO())
