from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuku.errors import RowError
from tuku.protocols_ranking import Ranked
from tuku.providers.api.captioner import Said
from tuku.providers.api.ranking_text import ranking_in, read_ranking

WANTED = [Ranked(2, "striped"), Ranked(1, "plain")]
GOOD = '{"ranking": [{"number": 2, "reason": "striped"}, {"number": 1, "reason": "plain"}]}'


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"Of [2] candidates {{number 2}} is best [1]:\n{GOOD}\nHope [this] {{helps}}!",
        f"<think>First [1, 2, 3, 4], then {{…}}.</think>{GOOD}",
        GOOD[len('{"ranking": ') : -1],
        GOOD.replace("ranking", "Order").replace("number", "candidate").replace("reason", "why"),
        GOOD.replace('"number": 2', '"number": "#2"').replace('"number": 1', '"number": 1.0'),
        GOOD.replace("plain", "plain")[:-2] + ",]}",
        GOOD[:-2],
        "{'ranking': [{'number': 2, 'reason': 'striped'}, {'number': 1, 'reason': 'plain'}]}",
    ],
)
def test_a_ranking_is_found_whatever_stands_around_it(text: str) -> None:
    assert ranking_in(text) == WANTED


@pytest.mark.parametrize(
    "text",
    ["", "The second one.", "{}", "[]", '{"ranking": "2, 1"}', '{"a": "b"}', "{" * 5_000, "[" * 90_000, '"2"', "2"],
)
def test_no_ranking_is_none(text: str) -> None:
    assert ranking_in(text) == []


def test_numbers_alone_are_a_ranking() -> None:
    assert ranking_in("[3, 1, 2]") == [Ranked(3), Ranked(1), Ranked(2)]
    assert ranking_in('{"ranking": ["3", "No. 1", "candidate 2"]}') == [Ranked(3), Ranked(1), Ranked(2)]


@pytest.mark.parametrize(
    "entry",
    [
        *('"red.png"', "null", "true", "[1]", '"1; 2"', "-1", "1.5", "NaN", "1e999", '{"number": {"number": 1}}', "{}"),
        *(str(10**30), f'"{10**30}"', '"١"x'),
    ],
)
def test_what_is_no_number_of_a_candidate_is_zero(entry: str) -> None:
    assert {place.number for place in ranking_in(f'{{"ranking": [{entry}]}}')} <= {0}


@given(
    st.lists(st.tuples(st.integers(1, 999), st.text(max_size=30)), min_size=1),
    st.text(alphabet="a{}[]\n`:, ", max_size=20),
)
def test_every_ranking_comes_back_from_json(entries: list[tuple[int, str]], before: str) -> None:
    wanted = [Ranked(number, reason) for number, reason in entries]
    written = json.dumps({"ranking": [{"number": number, "reason": reason} for number, reason in entries]})
    assert ranking_in(written) == wanted
    assert all(isinstance(place.number, int) for place in ranking_in(before + written))


@given(st.text(max_size=200))
def test_no_text_is_too_strange_to_be_read(text: str) -> None:
    assert isinstance(ranking_in(text), list)


@pytest.mark.parametrize(("finish", "code"), [("length", "cut_ranking"), ("content_filter", "refused_ranking")])
def test_what_would_be_the_same_again_is_a_fault(finish: str, code: str) -> None:
    fault = read_ranking(Said(GOOD, finish))
    assert isinstance(fault, RowError)
    assert (fault.code, fault.retryable) == (code, False)
    assert read_ranking(Said(GOOD, "stop")) == WANTED
