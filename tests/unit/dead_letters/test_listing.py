"""What `tuku errors` says, as a value, as one JSON object and as lines."""

from __future__ import annotations

import io
import json
from datetime import datetime, timezone

from fakes.lakes import run_id
from tuku.dead_letters import DeadLetterList, DeadLetters, Selection, json_pieces, text_lines
from tuku.schemas import DEAD_LETTERS
from tuku.terminal import make_console

AT = datetime(2026, 11, 21, 2, 15, tzinfo=timezone.utc)
LATER = AT.replace(hour=3)
TIMEOUT = {"code": "timeout", "retryable": True}


def listed(lake, *, selection: Selection | None = None, examples: int = 2) -> DeadLetterList:
    return DeadLetterList.of(DeadLetters.of(lake), "/lake", selection or Selection(), examples)


def shown(listing: DeadLetterList, width: int = 200) -> str:
    stream = io.StringIO()
    console = make_console(stream)
    console.width = width
    console.print(listing.summary())
    return stream.getvalue()


def test_kinds_are_counted_and_the_most_frequent_comes_first(lake, add):
    add(failed=[{"image_id": each, "failed_at": AT, **TIMEOUT} for each in "abc"])
    add(failed=[{"image_id": "d", "failed_at": LATER, **TIMEOUT}, {"image_id": "e", "failed_at": LATER, "uri": "/e"}])
    found = listed(lake).to_dict()
    assert {key: found[key] for key in ("rows", "retryable", "runs")} == {"rows": 5, "retryable": 4, "runs": 2}
    late, missing = found["errors"]
    assert [example["image_id"] for example in late.pop("examples")] == ["d", "a"]
    newest = "2026-11-21T03:15:00+00:00"
    assert late == {"stage": "fetch", "code": "timeout", "rows": 4, "retryable": 4, "newest": newest}
    assert missing == {
        "stage": "fetch",
        "code": "not_found",
        "rows": 1,
        "retryable": 0,
        "newest": newest,
        "examples": [
            {"image_id": "e", "uri": "/e", "message": "No such file.", "run_id": run_id(1), "failed_at": newest}
        ],
    }
    json.dumps(found)


def test_the_same_code_at_two_stages_is_two_kinds(lake, add):
    add(failed=[{"code": "timeout"}, {"code": "timeout", "stage": "caption"}])
    assert [(kind.stage, kind.code) for kind in listed(lake).kinds] == [("caption", "timeout"), ("fetch", "timeout")]


def test_no_more_examples_than_asked_for(lake, add):
    add(failed="abcde")
    add(failed="fg")
    for examples, wanted in ((0, ""), (1, "f"), (3, "fga"), (99, "fgabcde")):
        [kind] = listed(lake, examples=examples).kinds
        assert "".join(example["image_id"] for example in kind.examples) == wanted
        assert kind.rows == 7


def test_the_json_of_every_row_is_one_object(lake, add):
    texts = {"metadata": '{"price": 4.0, "标题": "猫 \\n"}', "manifest_row": '{"id": "a"}'}
    add(failed=[{"image_id": "a", "failed_at": AT, **texts}, {"image_id": "b", "code": "timeout"}])
    add(failed="c")
    text = "".join(json_pieces(listed(lake), DeadLetters.of(lake)))
    found = json.loads(text)
    letters = found.pop("letters")
    assert found == listed(lake).to_dict()
    assert [letter["image_id"] for letter in letters] == ["c", "a", "b"]
    assert all(list(letter) == DEAD_LETTERS.names for letter in letters)
    assert letters[1]["metadata"] == {"price": 4.0, "标题": "猫 \n"}
    assert letters[1]["manifest_row"] == {"id": "a"}
    assert letters[1]["failed_at"] == "2026-11-21T02:15:00+00:00"
    assert letters[2]["metadata"] is None
    lines = text.splitlines()[1:-1]
    assert [json.loads(line.rstrip(",")) for line in lines] == letters


def test_the_json_of_no_row_is_one_object_too(lake):
    assert json.loads("".join(json_pieces(listed(lake), DeadLetters.of(lake)))) == {
        "rows": 0,
        "retryable": 0,
        "runs": 0,
        "errors": [],
        "letters": [],
    }


def test_rows_as_lines(lake, add):
    add(failed=[{"image_id": "a", "message": "two\nlines\tand \x1b[2J", "failed_at": AT, **TIMEOUT}, {"code": "empty"}])
    header, *lines = "".join(text_lines(DeadLetters.of(lake), Selection(reason="timeout"))).splitlines()
    assert header.split("\t") == ["stage", "code", "retryable", "attempts", "failed_at", "image_id", "uri", "message"]
    [line] = lines
    cells = line.split("\t")
    assert cells[:3] == ["fetch", "timeout", "True"]
    assert cells[-1] == "two\\nlines\\tand \\e[2J"
    assert len(cells) == len(header.split("\t"))


def test_the_table_says_what_failed_where_and_since_when(lake, add):
    add(failed=[{"image_id": "图-1", "uri": "/图.png", "failed_at": AT, **TIMEOUT}, {"image_id": "b", "failed_at": AT}])
    text = shown(listed(lake))
    assert "2 rows failed · 1 of them may succeed as they are (tuku retry)" in text
    [row] = [line.split() for line in text.splitlines() if "timeout" in line and "2026" in line]
    assert row == ["fetch", "timeout", "1", "yes", "2026-11-21", "02:15", "UTC"]
    for part in ("图-1", "/图.png", "No such file.", "docs/errors.md"):
        assert part in text


def test_a_kind_of_which_some_may_succeed(lake, add):
    add(failed=[{"image_id": each, "retryable": each == "a"} for each in "abc"])
    assert "1 of them" in shown(listed(lake))


def test_nothing_in_a_letter_can_act_on_the_terminal(lake, add):
    add(failed=[{"image_id": "[bold]a[/bold]", "uri": "\x1b[2J", "message": "x\ny"}])
    text = shown(listed(lake))
    assert "\x1b" not in text
    for part in ("[bold]a[/bold]", "\\e[2J", "x\\ny"):
        assert part in text


def test_a_lake_without_failures_says_so(lake, add):
    assert "no run has ended yet in the lake /lake" in shown(listed(lake))
    add(ok="a", failed="b")
    assert "no row has failed with the code empty at the stage decode" in shown(
        listed(lake, selection=Selection("empty", "decode"))
    )
    add(ok="b")
    text = shown(listed(lake))
    assert "no row has failed" in text
    assert "Failed rows" not in text


def test_credentials_are_for_programs_only(lake, add):
    add(failed=[{"image_id": "a", "uri": "https://user:hunter2@a.b/1.jpg?token=hunter2"}])
    lines = "".join(text_lines(DeadLetters.of(lake), Selection()))
    table = shown(listed(lake))
    assert lines.count("https://a.b/1.jpg") == table.count("https://a.b/1.jpg") == 1
    assert "hunter2" not in lines + table
    [kind] = listed(lake).to_dict()["errors"]
    assert kind["examples"][0]["uri"].endswith("token=hunter2")  # without it nobody could fetch it again
