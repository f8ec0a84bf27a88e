"""Parquet manifests: Arrow types as metadata, and broken files."""

import datetime as dt
import decimal
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tuku.config import ManifestConfig
from tuku.errors import ManifestError
from tuku.stages.manifest import read_manifest


def read(path: Path, table: pa.Table | None = None, **config) -> list[dict]:
    if table is not None:
        pq.write_table(table, path, row_group_size=500)
    tables = read_manifest(ManifestConfig(**config), str(path), batch_rows=300)
    return [row for part in tables for row in part.to_pylist()]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return tmp_path / "m.parquet"


MOMENT = dt.datetime(2024, 1, 2, 3, 4, 5)  # noqa: DTZ001  # a column without a time zone


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (5, pa.int8(), 5),
        (2**64 - 1, pa.uint64(), "18446744073709551615"),
        (0.1, pa.float32(), 0.1),
        (3.0, pa.float32(), 3.0),
        (float("nan"), pa.float64(), None),
        (float("inf"), pa.float32(), None),
        (True, pa.bool_(), True),
        ("红", pa.large_string(), "红"),
        ("红", pa.dictionary(pa.int32(), pa.string()), "红"),
        (decimal.Decimal("12.50"), pa.decimal128(10, 2), 12.5),
        (dt.date(2024, 1, 2), pa.date32(), "2024-01-02"),
        (MOMENT, pa.timestamp("us"), "2024-01-02T03:04:05"),
        (MOMENT, pa.timestamp("ns", tz="UTC"), "2024-01-02T03:04:05Z"),
        (MOMENT.replace(tzinfo=dt.timezone.utc), pa.timestamp("ms", tz="Asia/Shanghai"), "2024-01-02T03:04:05Z"),
        (MOMENT.replace(microsecond=250_000), pa.timestamp("ms"), "2024-01-02T03:04:05.250"),
        (dt.time(1, 2, 3), pa.time64("us"), "01:02:03"),
        (dt.timedelta(minutes=1), pa.duration("us"), 60.0),
        (5_000_000, pa.date32(), "15659-07-15"),
        (b"\xff\x00", pa.binary(), None),
        (["a", None], pa.list_(pa.string()), ["a", None]),
        ({"x": 1, "y": [0.5]}, pa.struct([("x", pa.int64()), ("y", pa.list_(pa.float64()))]), {"x": 1, "y": [0.5]}),
        ({"when": MOMENT, "raw": b"x"}, pa.struct([("when", pa.timestamp("us")), ("raw", pa.binary())]),
         {"when": "2024-01-02T03:04:05", "raw": None}),
        (None, pa.null(), None),
        (None, pa.float64(), None),
    ],
)  # fmt: skip
def test_arrow_types(manifest: Path, value: object, kind: pa.DataType, expected: object):
    table = pa.table({"uri": ["a.jpg"], "v": pa.array([value], kind)})
    found = json.loads(read(manifest, table)[0]["metadata"]).get("v")
    assert found == expected
    assert type(found) is type(expected)


def test_integer_ids_and_dictionary_uris(manifest: Path):
    uris = pa.array(["/a.jpg", "/b.jpg", "/a.jpg"]).dictionary_encode()
    rows = read(manifest, pa.table({"id": pa.array([1, 2, None], pa.uint32()), "uri": uris}))
    assert [(row["image_id"], row["uri"]) for row in rows[:2]] == [("1", "/a.jpg"), ("2", "/b.jpg")]
    assert rows[2]["code"] == "missing_id"


@pytest.mark.parametrize(
    ("table", "key"),
    [
        (pa.table({"uri": [1, 2]}), "manifest.uri_column"),
        (pa.table({"image": [{"path": "a", "bytes": b"x"}]}), "manifest.uri_column"),
        (pa.table({"uri": ["a"], "id": [0.5]}), "manifest.id_column"),
    ],
)
def test_a_column_of_the_wrong_type_is_refused(manifest: Path, table: pa.Table, key: str):
    with pytest.raises(ManifestError, match="not text") as caught:
        read(manifest, table)
    assert key in caught.value.remedy


def test_text_that_is_not_utf8_costs_its_row_only(manifest: Path):
    text = pa.array([b"ok", b"\xff\xfe", None], pa.binary()).view(pa.string())
    rows = read(manifest, pa.table({"uri": ["a.jpg", "b.jpg", "c.jpg"], "t": text}))
    assert [row["code"] for row in rows] == [None, "invalid_row", None]


def test_duplicate_columns_are_refused(manifest: Path):
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["uri", "uri"])
    with pytest.raises(ManifestError, match="more than one column named 'uri'"):
        read(manifest, table)


def test_no_rows_and_no_columns(manifest: Path):
    assert read(manifest, pa.table({"uri": pa.array([], pa.string())})) == []
    with pytest.raises(ManifestError, match="no column"):
        read(manifest, pa.table({}))


@pytest.mark.parametrize("damage", ["empty", "cut", "other"])
def test_a_broken_file_is_an_error(manifest: Path, damage: str):
    pq.write_table(pa.table({"uri": [f"{i}.jpg" for i in range(5000)]}), manifest)
    whole = manifest.read_bytes()
    manifest.write_bytes({"empty": b"", "cut": whole[:-100], "other": b"id,uri\n1,a.jpg\n"}[damage])
    with pytest.raises(ManifestError, match="not a whole Parquet file: reading ended at its start"):
        read(manifest)


def test_damage_in_the_middle_names_the_row_reached(manifest: Path):
    pq.write_table(pa.table({"uri": [f"{i}.jpg" for i in range(5000)]}), manifest, row_group_size=1000)
    page = pq.read_metadata(manifest).row_group(3).column(0).data_page_offset
    content = bytearray(manifest.read_bytes())
    content[page : page + 40] = b"\xff" * 40
    manifest.write_bytes(content)
    with pytest.raises(ManifestError, match=r"reading ended after row (2[0-9]{3}|3000)\."):
        read(manifest)
