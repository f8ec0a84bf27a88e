from __future__ import annotations

import io

import pytest
from rich.console import Console

from tuku.search.query import Query
from tuku.search.results import Result, SearchAnswer
from tuku.terminal import answer_summary, make_console, printable, results_table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("棕色的狗 – café 🐕\u200d🦺", "棕色的狗 – café 🐕\u200d🦺"),
        ("\x1b[2J\x1b]0;title\x07", "\\e[2J\\e]0;title\\x07"),
        ("one\ntwo\r\tthree", "one\\ntwo\\r\\tthree"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\u2066x\u2069\u200b\ufeff", "\\u2066x\\u2069\\u200b\\ufeff"),
        ("\x9b31m\x7f", "\\x9b31m\\x7f"),
        ("\u2028line", "\\u2028line"),
        ("name-\udcff.jpg", "name-\\udcff.jpg"),
        ("\U000e0041", "\\ue0041"),
        ("全角　空格", "全角　空格"),
    ],
)
def test_printable(text, shown):
    assert printable(text) == shown
    shown.encode("utf-8")


def draw(results, width):
    stream = io.StringIO()
    Console(file=stream, width=width, markup=False).print(results_table(results))
    return stream.getvalue()


def test_results_are_listed_in_order():
    text = draw([Result("a1", 0.91234, uri="/p/1.jpg", caption="a dog"), Result("b2", 0.5)], 100)
    lines = text.splitlines()
    assert lines[0].split() == ["#", "score", "id", "caption", "uri"]
    assert lines[1].split() == ["1", "0.912", "a1", "a", "dog", "/p/1.jpg"]
    assert lines[2].split() == ["2", "0.500", "b2", "–"]


def test_chinese_fits_the_width_and_nothing_of_it_is_lost():
    from rich.cells import cell_len

    caption = "一只棕色的狗坐在红色的沙发上旁边有一杯咖啡和一本打开的书" * 2
    text = draw([Result("a", 1.0, caption=caption, uri="/图片/目录/狗.jpg")], 60)
    assert all(cell_len(line) <= 60 for line in text.splitlines())
    assert "".join(character for character in text if character in caption).count("狗") >= 2
    for character in set(caption):
        assert text.count(character) >= caption.count(character)


def test_a_hostile_caption_is_shown_and_does_nothing():
    text = draw([Result("a", 1.0, caption="\x1b[31m[red]x[/red] :smile:", uri="\x1b]8;;http://evil\x07")], 120)
    assert "\x1b" not in text
    assert "\\e[31m[red]x[/red] :smile:" in text


def test_no_results_is_said():
    assert draw([], 80).strip() == "nothing found"


def test_a_pipe_gets_long_lines_and_no_colour(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    stream = io.StringIO()
    make_console(stream).print("x" * 150 + "[bold]", style="red")
    assert stream.getvalue() == "x" * 150 + "[bold]\n"


def test_no_credentials_are_listed():
    text = draw([Result("a", 1.0, uri="https://user:hunter2@a.b/1.jpg?token=hunter2")], 120)
    assert "https://a.b/1.jpg" in text
    assert "hunter2" not in text


@pytest.mark.parametrize("image", ["https://user:hunter2@a.b/1.jpg?token=hunter2", b"hunter2"])
def test_the_query_above_its_results_shows_no_credentials(image: str | bytes):
    console = Console(file=io.StringIO(), width=120)
    console.print(answer_summary(SearchAnswer(Query(text="a cat", image=image)), titled=True))
    text = console.file.getvalue()
    assert "a cat + " in text
    assert "hunter2" not in text
