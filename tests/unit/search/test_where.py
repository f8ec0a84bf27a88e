"""Filters: what they mean, what is wrong with them, and that nothing breaks out of its quotes."""

from __future__ import annotations

import re
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuku.conditions import Comparison, Condition, Joined, comparisons, holds, negated
from tuku.errors import ConfigError
from tuku.search.where import MAX_DEPTH, lone_name, read_where, something
from tuku.search.where_tokens import MAX_CHARACTERS, WhereError

ROW = {"price": 12.5, "brand": "O'Neil", "tags": ["a", "b"], "new": True, "名": "猫", "code": "100%_x", "n": 0}


def read(where: str) -> Condition:
    """As a boost is read."""
    name = lone_name(where)
    return read_where(where) if name is None else something(name)


@pytest.mark.parametrize(
    "where",
    [
        "price < 100 and brand == 'O''Neil'",
        'brand = "O\'Neil"',
        r"brand == 'O\'Neil'",
        "100 > price",
        "price between 12 and 13",
        "not (price > 100 or brand = 'x')",
        "price >= 12.5 && price <= 1.25e1",
        "brand in ['x', \"O'Neil\"]",
        "brand IN ('x', 'O''Neil') OR false_ == 1",
        "brand not in ['x']",
        "brand like 'O%l'",
        "brand not like 'o%'",
        "code like '100__x'",
        "tags contains 'a'",
        "not tags contains 'c'",
        "tags not contains 'c'",
        "new == true",
        "new != false",
        "new",
        "名 == '猫'",
        "`名` <> '狗'",
        "missing is null",
        "exists price and price is not null",
        "!(missing is not null)",
        "n == 0.0",
        "n > -1",
        "price == 1 or price == 12.5 and new == true",
    ],
)
def test_a_filter_means_what_it_says(where: str):
    assert holds(read(where), ROW)


@pytest.mark.parametrize(
    "where",
    [
        "price < 10",
        "missing == 1",
        "missing != 1",
        "not (missing == 1)",
        "missing not in [1]",
        "missing not like 'x'",
        "not missing contains 'x'",
        "brand < 5",
        "price == '12.5'",
        "new == 1",
        "n == false",
        "brand like 'O'",
        "code like '1_0'",
        "brand contains 'O'",
        "tags == 'a'",
        "n",
        "missing",
        "(price == 12.5 or new == true) and n == 1",
    ],
)
def test_a_filter_leaves_out_what_it_does_not_say(where: str):
    assert not holds(read(where), ROW)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("", "a field's name is wanted, not the end"),
        ("price", "a comparison such as"),
        ("price <", "a number, true, false, or a text in quotes is wanted, not the end"),
        ("price < abc", "not 'abc'. price < ▸abc"),
        ("a == 'x", "a text that does not end. a == ▸'x"),
        ("a == 1; drop table", "no word or sign begins so. a == 1▸; drop table"),
        ("a == 1 b == 2", "and, or, or the end is wanted, not 'b'. a == 1 ▸b == 2"),
        ("a in []", "not ']'"),
        ("a in 5", "a list such as"),
        ("(a == 1", ") is wanted, not the end"),
        ("a == 99999999999999999999", "too large for 64 bits"),
        ("a == 1e999", "too large for 64 bits"),
        ("a == 12abc", "no word or sign begins so"),
        ("a like 5", "a pattern is a text"),
        (r"a like 'x\%'", "no backslash"),
        ("a like '%a%b%c%d%'", "a pattern has at most 4 %"),
        ("a == null", "a number, true, false, or a text in quotes is wanted, not 'null'"),
        ("a == '\ud800'", "no Unicode"),
        ("1 == 1", "a field's name is wanted"),
    ],
)
def test_what_is_wrong_is_shown_at_its_place(where: str, said: str):
    with pytest.raises(WhereError) as error:
        read_where(where)
    assert said in error.value.message
    assert error.value.exit_code == 2


def test_depth_and_length_have_an_end():
    deep = MAX_DEPTH - 1
    assert read_where("(" * deep + "a == 1" + ")" * deep) == Comparison("a", "==", (1,))
    with pytest.raises(WhereError, match="in one another"):
        read_where("(" * 4_000 + "a == 1" + ")" * 4_000)
    with pytest.raises(WhereError, match="in one another"):
        read_where("not " * 2_000 + "a == 1")
    with pytest.raises(ConfigError, match="more than 10,000"):
        read_where("a == 1 or " * MAX_CHARACTERS + "a == 1")


PATTERNS = st.text("ab%_\n", max_size=6)


@given(PATTERNS, st.text("ab\n", max_size=8))
def test_a_pattern_means_what_the_plain_expression_says(pattern: str, text: str):
    plain = re.compile("".join({"%": ".*", "_": "."}.get(each, re.escape(each)) for each in pattern), re.DOTALL)
    assert holds(Comparison("a", "like", (pattern,)), {"a": text}) == bool(plain.fullmatch(text))


@pytest.mark.parametrize("pattern", ["%e" * 12 + "%\x01", "%e_" * 12 + "\x01", "%" * 30 + "\x01", "%e" * 400])
def test_no_pattern_takes_long(pattern: str):
    captions = [{"caption": "a red kettle beside the green one, " * 8} for _ in range(100)]
    before = time.perf_counter()
    assert not any(holds(Comparison("caption", "like", (pattern,)), row) for row in captions)
    assert time.perf_counter() - before < 1


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_in_quotes_is_that_text(text: str):
    single, double = text.replace("\\", "\\\\"), text.replace("\\", "\\\\")
    assert read_where("a == '" + single.replace("'", "''") + "'") == Comparison("a", "==", (text,))
    assert read_where('a == "' + double.replace('"', '\\"') + '"') == Comparison("a", "==", (text,))


@given(st.text(max_size=40))
def test_whatever_is_typed_is_a_filter_or_an_error(text: str):
    with suppress(WhereError):
        list(comparisons(read_where(text)))


TESTS = st.builds(
    Comparison,
    st.sampled_from(["a", "b"]),
    st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
    st.tuples(st.integers(-2, 2) | st.sampled_from(["", "x"]) | st.booleans()),
)
CONDITIONS = st.recursive(
    TESTS, lambda parts: st.builds(Joined, st.sampled_from(["and", "or"]), st.tuples(parts, parts)), max_leaves=8
)


@given(CONDITIONS, st.fixed_dictionaries({"a": st.integers(-2, 2), "b": st.sampled_from(["", "x"])}))
def test_a_condition_and_its_negation_never_hold_both(condition, row):
    assert not (holds(condition, row) and holds(negated(condition), row))
    assert negated(negated(condition)) == condition


def test_a_row_without_the_field_meets_neither_a_condition_nor_its_negation():
    condition = Comparison("a", "==", (1,))
    assert not holds(condition, {})
    assert not holds(negated(condition), {})
