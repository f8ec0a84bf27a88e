"""JSON Lines manifests: values as JSON has them, and lines that are none."""

import codecs
import gzip
import json
from pathlib import Path

import pytest

from tuku.config import ManifestConfig
from tuku.errors import ManifestError
from tuku.stages.manifest import read_manifest


def read(path: Path, content: bytes | str, **config) -> list[dict]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [row for table in read_manifest(ManifestConfig(**config), str(path)) for row in table.to_pylist()]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return tmp_path / "m.jsonl"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("1.0", 1.0),
        ("-0", 0),
        ("true", True),
        ('"00123"', "00123"),
        ('"红\\u8272 \\"x\\""', '红色 "x"'),
        ('{"b": [1, {"c": null}], "a": "甲"}', {"b": [1, {"c": None}], "a": "甲"}),
        ("[NaN, -Infinity, 1e999, 2]", [None, None, None, 2]),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", "9223372036854775808"),
        ('{"n": -99999999999999999999}', {"n": "-99999999999999999999"}),
        ("1" * 5000, "1" * 5000),  # more digits than int() reads
        ("[]", []),
        ('""', ""),
    ],
)
def test_values_keep_their_json_type(manifest: Path, text: str, value: object):
    (row,) = read(manifest, f'{{"uri": "a.jpg", "v": {text}}}\n')
    found = json.loads(row["metadata"])["v"]
    assert found == value
    assert type(found) is type(value)
    assert json.loads(row["manifest_row"]) == {"uri": "a.jpg", "v": value}


@pytest.mark.parametrize("text", ["null", "NaN", "Infinity", "1e999"])
def test_what_json_cannot_say_is_absent(manifest: Path, text: str):
    assert read(manifest, f'{{"uri": "a.jpg", "v": {text}}}\n')[0]["metadata"] == "{}"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("{uri: 1}", "invalid_json"),
        ('{"uri": "a.jpg"', "invalid_json"),
        ('["a.jpg"]', "invalid_json"),
        ('"a.jpg"', "invalid_json"),
        ("[" * 100_000, "invalid_json"),
        ('{"id": "1", "uri": "a\\u0000.jpg"}', "invalid_row"),
        ('{"id": "1", "uri": "a.jpg", "t": "\\ud83d"}', "invalid_row"),
        ('{"id": "1", "uri": 5}', "invalid_row"),
        ('{"id": "1", "uri": {"path": "a.jpg"}}', "invalid_row"),
        ('{"id": true, "uri": "a.jpg"}', "invalid_row"),
        ('{"id": 1.5, "uri": "a.jpg"}', "invalid_row"),
        ('{"id": "1"}', "missing_uri"),
        ('{"uri": "a.jpg"}', "missing_id"),
        ('{"id": "", "uri": "a.jpg"}', "missing_id"),
    ],
)
def test_a_bad_line_is_a_dead_letter_in_its_place(manifest: Path, line: str, code: str):
    good = '{"id": 7, "uri": "b.jpg"}'
    rows = read(manifest, f"{good}\n\n{line}\n{good}\n")
    assert [row["code"] for row in rows] == [None, code, None]
    assert [row["row_number"] for row in rows] == [1, 2, 3]
    assert rows[0]["image_id"] == "7"
    assert rows[1]["image_id"]
    assert isinstance(json.loads(rows[1]["manifest_row"]), dict)


def test_what_could_be_read_of_a_bad_line_is_kept(manifest: Path):
    rows = read(manifest, '{"uri": "a.jpg"}\n{"uri": 红\n')
    assert json.loads(rows[1]["manifest_row"]) == {"_raw": '{"uri": 红\n'}
    assert "character 9" in rows[1]["message"]


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "is empty"), ("\n \n", "is empty"), ('[\n"a.jpg",\n"b.jpg"\n]\n', "no JSON object among its first 4 lines")],
)
def test_a_file_without_objects_is_an_error(manifest: Path, content: str, message: str):
    with pytest.raises(ManifestError, match=message):
        read(manifest, content)


def test_columns_are_those_of_the_first_rows_together(manifest: Path):
    rows = read(manifest, '{"t": 1}\n{"Path": "a.jpg", "t": 2}\n{"Path": "b.jpg", "new": "x"}\n')
    assert [row["code"] for row in rows] == ["missing_uri", None, None]
    assert json.loads(rows[2]["metadata"]) == {"new": "x"}


@pytest.mark.parametrize(("encoding", "bom"), [("utf-8", codecs.BOM_UTF8), ("gb18030", b""), ("utf-16", b"")])
def test_encodings(manifest: Path, encoding: str, bom: bytes):
    rows = read(manifest, bom + '{"id": "甲", "uri": "照片.jpg"}\n'.encode(encoding), encoding=encoding)
    assert [(row["image_id"], row["uri"]) for row in rows] == [("甲", f"{manifest.parent}/照片.jpg")]


def test_damage_names_its_row(tmp_path: Path):
    line = b'{"uri": "a.jpg"}\n'
    with pytest.raises(ManifestError, match="not utf-8 text: row 3 "):
        read(tmp_path / "m.jsonl", line * 2 + b'{"uri": "\xba\xec.jpg"}\n')
    with pytest.raises(ManifestError, match=r"cut off: reading ended at row [0-9]+"):
        read(tmp_path / "m.jsonl.gz", gzip.compress(line * 1000)[:-10])
