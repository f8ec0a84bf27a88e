"""Queries from a file: what they may say, and where they are wrong."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from tuku.errors import ConfigError
from tuku.search.query import Query
from tuku.search.query_file import Labelled, open_lines, read_queries


def read(*lines: str, labelled: bool = True) -> list[Labelled]:
    return list(read_queries(lines, "/data/queries.jsonl", Query(limit=3), labelled=labelled))


def test_lines_are_queries_with_the_defaults_of_the_command():
    first, second = read(
        '{"text": "一只猫", "relevant": ["a", 7, "a"], "where": "price < 3"}\n',
        "\n",
        '{"image": "pictures/x.jpg", "text": "red", "relevant": ["b"]}\n',
    )
    assert first == Labelled(Query(text="一只猫", where="price < 3", limit=3), ("a", "7"))
    assert second.query == Query(text="red", image="/data/pictures/x.jpg", limit=3)
    assert read('{"text": "a"}', labelled=False)[0].relevant == ()


@pytest.mark.parametrize("image", ["/abs/x.jpg", "https://host/x.jpg", "~/x.jpg"])
def test_only_relative_paths_are_the_files(image: str):
    assert read(f'{{"image": "{image}", "relevant": ["a"]}}')[0].query.image == image


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("not json", "this is no JSON ("),
        ("[" * 100_000, "this is no JSON ("),
        ('{"text": ' + "1" * 5_000 + "}", "this is no JSON ("),
        ("[1]", "this is no JSON object"),
        ('{"txt": "a", "relevant": ["a"]}', "unknown key 'txt'"),
        ('{"relevant": ["a"]}', "neither text nor image"),
        ('{"text": "", "relevant": ["a"]}', "neither text nor image"),
        ('{"text": 5, "relevant": ["a"]}', "text is 5, which is no text"),
        ('{"text": "a"}', "relevant names no image"),
        ('{"text": "a", "relevant": []}', "relevant names no image"),
        ('{"text": "a", "relevant": "a"}', "relevant is no list of ids"),
        ('{"text": "a", "relevant": [true]}', "relevant is no list of ids"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(line: str, said: str):
    with pytest.raises(ConfigError) as error:
        read('{"text": "fine", "relevant": ["a"]}', line)
    assert error.value.message.startswith(f"/data/queries.jsonl, line 2: {said}")


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path):
    with pytest.raises(ConfigError, match="No such file"), open_lines(tmp_path / "none.jsonl"):
        pass
    (tmp_path / "latin.jsonl").write_bytes(b'{"text": "caf\xe9"}')
    with pytest.raises(ConfigError, match="it is no UTF-8"), open_lines(tmp_path / "latin.jsonl") as lines:
        list(lines)
    (tmp_path / "bom.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "a"}')
    with open_lines(tmp_path / "bom.jsonl") as lines:
        assert list(lines) == ['{"text": "a"}']


def test_stdin_is_read_as_a_file_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'\xef\xbb\xbf{"text": "\xc3\xa9"}'), "latin-1"))
    with open_lines(Path("-")) as lines:
        assert list(lines) == ['{"text": "\u00e9"}']
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "caf\xe9"}'), "utf-8"))
    with pytest.raises(ConfigError, match="it is no UTF-8"), open_lines(Path("-")) as lines:
        list(lines)
