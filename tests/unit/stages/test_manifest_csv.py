"""CSV and TSV manifests: quoting, ragged rows, types, encodings, damage."""

import codecs
import csv
import gzip
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuku.config import ManifestConfig
from tuku.errors import ManifestError
from tuku.stages.manifest import read_manifest


def read(path: Path, content: bytes | str, *, batch_rows: int = 8192, **config) -> list[dict]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    tables = read_manifest(ManifestConfig(**config), str(path), batch_rows=batch_rows)
    return [row for table in tables for row in table.to_pylist()]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return tmp_path / "m.csv"


def metadata(row: dict) -> dict:
    return json.loads(row["metadata"])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_quotes_and_blank_lines(manifest: Path, end: str):
    lines = ["", "id,uri,text", "1,a.jpg,plain", "", '2,b.jpg,"one', 'two, ""three"""', "   ", "3,c.jpg,last"]
    rows = read(manifest, end.join(lines))
    assert [row["image_id"] for row in rows] == ["1", "2", "3"]
    assert metadata(rows[1])["text"] == f'one{end}two, "three"'
    assert [row["row_number"] for row in rows] == [1, 2, 3]


@pytest.mark.parametrize("batch_rows", [1, 2, 8192])
def test_ragged_rows_keep_their_place(manifest: Path, batch_rows: int):
    rows = read(manifest, "id,uri,n\n1,a.jpg,5\n2,b.jpg\n3,c.jpg,7,extra\n,,\n4,d.jpg,8\n", batch_rows=batch_rows)
    assert [row["code"] for row in rows] == [None, "ragged_row", "ragged_row", "missing_uri", None]
    assert [row["row_number"] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[1]["message"] == "The row has 2 cells; the header has 3."
    assert rows[2]["message"] == "The row has 4 cells; the header has 3."
    assert json.loads(rows[2]["manifest_row"]) == {"_raw": "3,c.jpg,7,extra"}
    assert (rows[2]["uri"], rows[2]["metadata"], rows[2]["attempts"]) == ("", "{}", 1)
    assert len({row["image_id"] for row in rows}) == 5
    assert metadata(rows[4]) == {"n": 8}  # the rows that failed have no say in a column's type


def test_raw_text_is_cut(manifest: Path):
    (row,) = read(manifest, "id,uri\n" + "图" * 3000 + "\n")
    assert json.loads(row["manifest_row"]) == {"_raw": "图" * 2000}


def test_a_quote_that_is_never_closed_costs_one_row_and_says_so(manifest: Path):
    rows = read(manifest, 'id,uri,t\n1,a.jpg,x\n2,b.jpg,"open\n3,c.jpg,y\n')
    assert [row["code"] for row in rows] == [None, "invalid_row"]
    assert "unexpected end of data" in rows[1]["message"]


def test_text_after_a_closing_quote_costs_that_row_only(manifest: Path):
    rows = read(manifest, 'id,uri,t\n1,a.jpg,"12" screen"\n2,b.jpg,ok\n3,c.jpg,5" nail\n')
    assert [row["code"] for row in rows] == ["invalid_row", None, None]
    assert json.loads(rows[0]["manifest_row"]) == {"_raw": '1,a.jpg,"12" screen"\n'}
    assert metadata(rows[2]) == {"t": '5" nail'}


def test_a_huge_cell_is_a_dead_letter(manifest: Path):
    huge = "x" * (csv.field_size_limit() + 1)
    rows = read(manifest, f"id,uri,t\n1,a.jpg,x\n2,b.jpg,{huge}\n3,c.jpg,y\n")
    assert [row["code"] for row in rows] == [None, "invalid_row", None]
    assert rows[2]["image_id"] == "3"


def test_nul_characters_are_a_dead_letter_but_their_escape_is_text(manifest: Path):
    rows = read(manifest, "id,uri,t\n1,a.jpg,x\0y\n2,b.jpg,\\u0000\n3,c\0.jpg,z\n")
    assert [row["code"] for row in rows] == ["invalid_row", None, "invalid_row"]
    assert metadata(rows[1]) == {"t": "\\u0000"}


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-20", "0"], [1, -20, 0]),
        ([" 7 ", "", "9"], [7, None, 9]),
        (["00123", "00124"], ["00123", "00124"]),
        (["1", "007"], ["1", "007"]),
        (["9223372036854775807", "-9223372036854775808"], [2**63 - 1, -(2**63)]),
        (["9223372036854775808", "1"], ["9223372036854775808", "1"]),
        (["1.50", "2", "-.5", "1e-05"], [1.5, 2.0, -0.5, 1e-05]),
        (["1.5", "1e999"], ["1.5", "1e999"]),
        (["1.5", "nan"], ["1.5", "nan"]),
        (["inf"], ["inf"]),
        (["+8613800000000"], ["+8613800000000"]),
        (["1_000"], ["1_000"]),
        (["１２"], ["１２"]),
        (["1,5"], ["1,5"]),
        (["true", "False", "TRUE"], [True, False, True]),
        (["true", "1"], ["true", "1"]),
        (["yes", "no"], ["yes", "no"]),
        (["", ""], [None, None]),
        (["0x1F"], ["0x1F"]),
        (["2024-01-02"], ["2024-01-02"]),
        ([" 颜色", "红"], [" 颜色", "红"]),
    ],
)
def test_types_are_detected_from_all_cells(manifest: Path, cells: list[str], values: list):
    lines = "".join(f'{i},{i}.jpg,"{cell}"\n' for i, cell in enumerate(cells))
    found = [metadata(row).get("v") for row in read(manifest, "id,uri,v\n" + lines)]
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


def test_a_later_cell_that_does_not_fit_stays_text(manifest: Path):
    lines = [f"{i},{i}.jpg,{i},{i}.5,true" for i in range(1000)] + ["x,x.jpg,12.5,many,maybe"]
    last = metadata(read(manifest, "id,uri,n,f,b\n" + "\n".join(lines))[-1])
    assert last == {"n": "12.5", "f": "many", "b": "maybe"}


def test_ids_stay_text(manifest: Path):
    assert [row["image_id"] for row in read(manifest, "id,uri\n007,a.jpg\n1.0,b.jpg\n")] == ["007", "1.0"]


@pytest.mark.parametrize(
    ("encoding", "bom", "config"),
    [
        ("utf-8", b"", {}),
        ("utf-8", codecs.BOM_UTF8, {}),
        ("utf-8", codecs.BOM_UTF8, {"encoding": "utf-8-sig"}),
        ("gb18030", b"", {"encoding": "gb18030"}),
        ("gb18030", "\ufeff".encode("gb18030"), {"encoding": "GB18030"}),
        ("utf-16-le", codecs.BOM_UTF16_LE, {"encoding": "utf-16"}),
        ("utf-16-be", codecs.BOM_UTF16_BE, {"encoding": "utf-16"}),
        ("big5", b"", {"encoding": "big5"}),
    ],
)
@pytest.mark.parametrize("name", ["m.csv", "m.csv.gz"])
def test_encodings(tmp_path: Path, encoding: str, bom: bytes, config: dict, name: str):
    content = bom + '"id",uri,名稱\n一,照片.jpg,紅色\n'.encode(encoding)
    rows = read(tmp_path / name, gzip.compress(content) if name.endswith("gz") else content, **config)
    assert [(row["image_id"], row["uri"], metadata(row)) for row in rows] == [
        ("一", f"{tmp_path}/照片.jpg", {"名稱": "紅色"})
    ]


@pytest.mark.parametrize(
    ("content", "config", "where"),
    [
        ("id,uri,名称\n1,a.jpg,b\n".encode("gb18030"), {}, "the header"),
        ("id,uri,t\n1,a.jpg,b\n\n2,b.jpg,红\n".encode("gb18030"), {}, "row 2 "),
        (b"id,uri,t\n" + b"1,a.jpg,b\n" * 4999 + b"1,a.jpg,\xff\n", {}, "row 5000 "),
        ("id,uri,t\n1,a.jpg,红".encode()[:-1], {}, "row 1 "),
        (b"id,uri,t\n1,a.jpg,\x81\x20\n", {"encoding": "gb18030"}, "row 1 "),
        (
            codecs.BOM_UTF16_LE + "id,uri\n1,a\n".encode("utf-16-le") + b"\x00\xd8\x00\x00",
            {"encoding": "utf-16"},
            "row 2 ",
        ),
        (codecs.BOM_UTF16_LE + "id,uri\n".encode("utf-16-le"), {}, "the header"),
    ],
)
def test_bytes_that_cannot_be_decoded_name_their_row(manifest: Path, content: bytes, config: dict, where: str):
    with pytest.raises(ManifestError) as caught:
        read(manifest, content, **config)
    assert f"{manifest} is not {config.get('encoding', 'utf-8')} text: {where}" in caught.value.message
    assert "manifest.encoding=gb18030" in caught.value.remedy


def test_utf16_read_as_another_encoding_is_seen_by_its_nuls(manifest: Path):
    with pytest.raises(ManifestError, match=r"manifest\.encoding=utf-16"):
        read(manifest, "id,uri\n1,a.jpg\n".encode("utf-16-le"))


@pytest.mark.parametrize("content", [b"", b"\n\r\n  \n", codecs.BOM_UTF8])
def test_an_empty_file_is_an_error_and_a_header_alone_is_not(manifest: Path, content: bytes):
    with pytest.raises(ManifestError, match="is empty"):
        read(manifest, content)
    assert read(manifest, b"id,uri\n") == []


@pytest.mark.parametrize("header", ["id,uri,price,price", "id,uri,price, price ", "uri,uri"])
def test_duplicate_names_are_refused(manifest: Path, header: str):
    with pytest.raises(ManifestError, match=r"more than one column named '(price|uri)'"):
        read(manifest, f"{header}\n")


def test_a_column_without_a_name_gets_one(manifest: Path):
    assert metadata(read(manifest, ",uri, shelf \n0,a.jpg,B\n")[0]) == {"column_1": 0, "shelf": "B"}


def test_a_malformed_header_is_refused(manifest: Path):
    with pytest.raises(ManifestError, match="malformed header"):
        read(manifest, '"id"x,uri\n1,a.jpg\n')


def numbered(count: int) -> bytes:
    return b"id,uri\n" + b"".join(b"%d,%d-%s.jpg\n" % (i, i, b"%x" % (i * 2654435761)) for i in range(count))


def test_a_gzip_that_is_cut_off_names_the_row_it_reached(tmp_path: Path):
    whole = gzip.compress(numbered(50_000))
    with pytest.raises(ManifestError, match=r"is cut off: reading ended at row [1-9][0-9]{3,4}\."):
        read(tmp_path / "m.csv.gz", whole[: len(whole) // 2])


def test_a_damaged_gzip_and_one_that_is_none(tmp_path: Path):
    damaged = bytearray(gzip.compress(numbered(50_000)))
    middle = len(damaged) // 2
    damaged[middle : middle + 64] = b"\xff" * 64
    with pytest.raises(ManifestError, match="is not a whole gzip file"):
        read(tmp_path / "m.csv.gz", bytes(damaged))
    with pytest.raises(ManifestError, match="is not a whole gzip file: reading ended at the header"):
        read(tmp_path / "m.csv.gz", b"id,uri\n1,a.jpg\n")


def test_rows_before_the_damage_are_delivered_batch_by_batch(manifest: Path):
    manifest.write_bytes(numbered(3000) + b"x,\xff\n")
    tables = read_manifest(ManifestConfig(), str(manifest), batch_rows=1000)
    assert [next(tables).num_rows for _ in range(3)] == [1000, 1000, 1000]
    with pytest.raises(ManifestError, match="row 3001"):
        next(tables)


cell = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(st.lists(st.tuples(cell, cell), min_size=1, max_size=20), st.sampled_from(["csv", "tsv"]))
def test_any_text_survives_csv(tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]], ending: str):
    path = tmp_path_factory.mktemp("any") / f"m.{ending}"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t" if ending == "tsv" else ",")
        writer.writerow(["uri", "first", "second"])
        writer.writerows((f"{i}.jpg", *pair) for i, pair in enumerate(pairs))
    rows = [row for table in read_manifest(ManifestConfig(), str(path)) for row in table.to_pylist()]
    assert [row["uri"] for row in rows] == [f"{path.parent}/{i}.jpg" for i in range(len(pairs))]
    for row, pair in zip(rows, pairs, strict=True):
        assert row["code"] is None
        assert json.loads(row["manifest_row"]).items() >= metadata(row).items()
        for name, text in zip(("first", "second"), pair, strict=True):
            value = metadata(row).get(name, "")
            if isinstance(value, str):
                assert value == text or not text.strip()
            elif isinstance(value, bool):
                assert text.strip().lower() == json.dumps(value)
            else:
                assert math.isclose(float(text), value)


@given(st.lists(st.one_of(st.integers(-(2**64), 2**64).map(str), st.floats().map(repr), cell), min_size=1, max_size=8))
def test_numbers_keep_their_value(tmp_path_factory: pytest.TempPathFactory, cells: list[str]):
    path = tmp_path_factory.mktemp("numbers") / "m.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("uri", "v"), *(("a.jpg", text) for text in cells)])
    rows = [row for table in read_manifest(ManifestConfig(), str(path)) for row in table.to_pylist()]
    for row, text in zip(rows, cells, strict=True):
        value = metadata(row).get("v", "")
        if isinstance(value, int) and not isinstance(value, bool):
            assert str(value) == text.strip()
        elif isinstance(value, float):
            assert value == float(text)
