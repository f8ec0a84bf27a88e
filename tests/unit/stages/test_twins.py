"""Twins: of rows with the same bytes one is worked, and none whose content the lake has answers for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.tables import failure, fetched_rows
from tuku.errors import RowError
from tuku.schemas import FETCHED
from tuku.stages.twins import CAPTION, VECTORS, Contents, NoClaims, content_keys, set_twins_aside


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def contents_of(*texts: str, answers: int = CAPTION | VECTORS) -> Contents:
    """A lake that has these answers for files with these bytes."""
    return Contents(np.unique(content_keys([digest(text) for text in texts], np.uint64(answers))))


@dataclass
class FirstComes:
    """Claims that the first has, and that remember what was asked."""

    taken: set[bytes] = field(default_factory=set)
    asked: list[bytes] = field(default_factory=list)

    def claim(self, digests: Sequence[bytes]) -> list[bool]:
        self.asked += digests
        granted = []
        for each in digests:
            granted.append(each not in self.taken)
            self.taken.add(each)
        return granted


def row(content: str, **special: Any) -> dict[str, Any]:
    return {"content_sha256": digest(content), **special}


def codes(batch: Any) -> list[str | None]:
    return batch.column("code").to_pylist()


def test_the_first_of_equal_rows_goes_on() -> None:
    claims = FirstComes()
    batch = fetched_rows(row("x"), row("y"), row("x"))
    found = set_twins_aside(batch, Contents(), claims)
    assert found.schema == FETCHED
    assert codes(found) == [None, None, "same_content"]
    assert found["stage"].to_pylist() == [None, None, "twins"]
    assert codes(set_twins_aside(fetched_rows(row("y"), row("z")), Contents(), claims)) == ["same_content", None]
    assert claims.asked[0] == bytes.fromhex(digest("x"))[:16]


def test_what_the_lake_has_answers_for_is_set_aside_and_not_claimed() -> None:
    claims = FirstComes()
    found = set_twins_aside(fetched_rows(row("x"), row("y")), contents_of("x"), claims)
    assert codes(found) == ["same_content", None]
    assert claims.asked == [bytes.fromhex(digest("y"))[:16]]


def test_an_image_of_the_lake_that_is_what_it_was_goes_on_and_one_that_is_not_does_not() -> None:
    contents = contents_of("x", "y")
    known = {"known_content": digest("x"), "known_answers": CAPTION | VECTORS}
    batch = fetched_rows(row("x", **known), row("y", **known))
    assert codes(set_twins_aside(batch, contents, FirstComes())) == [None, "same_content"]


@pytest.mark.parametrize("there", [CAPTION, VECTORS, CAPTION | VECTORS])
@pytest.mark.parametrize("own", [0, CAPTION, VECTORS, CAPTION | VECTORS])
def test_an_image_that_lacks_answers_is_set_aside_if_another_has_one_of_them(own: int, there: int) -> None:
    lacking = row("x", known_content=digest("x"), known_answers=own)
    contents = contents_of("x", answers=there)
    expected = "same_content" if there & ~own else None
    assert codes(set_twins_aside(fetched_rows(lacking), contents, FirstComes())) == [expected]
    assert codes(set_twins_aside(fetched_rows(row("x")), contents, FirstComes())) == ["same_content"]


def test_two_images_of_the_lake_with_one_content_are_worked_once() -> None:
    own = row("x", known_content=digest("x"), known_answers=0)
    assert codes(set_twins_aside(fetched_rows(own, own), Contents(), FirstComes())) == [None, "same_content"]


def test_rows_that_ended_already_stay_what_they_are_and_claim_nothing() -> None:
    claims = FirstComes()
    missing = failure("fetch", RowError("not_found", "No such file."))
    same = row("x", **failure("fetch", RowError("same_content", "Only touched.")))
    found = set_twins_aside(fetched_rows(missing, same, row("x")), Contents(), claims)
    assert codes(found) == ["not_found", "same_content", None]
    assert found["message"].to_pylist() == ["No such file.", "Only touched.", None]
    assert len(claims.asked) == 1


def test_without_anybody_else_everything_is_worked() -> None:
    assert codes(set_twins_aside(fetched_rows(row("x"), row("x")), Contents(), NoClaims())) == [None, None]
    assert set_twins_aside(FETCHED.empty_table(), contents_of("x"), NoClaims()).num_rows == 0


def test_contents_are_told_by_62_bits_and_two_say_what_there_is() -> None:
    digests = ["00000000000000ff" + "0" * 48, "00000000000000fe" + "f" * 48, "f" * 64, "0" * 64]
    keys = content_keys(digests, np.array([1, 2, 3, 1]))
    assert keys.tolist() == [253, 254, 2**64 - 1, 1]


ANSWERS = st.integers(1, 3)


@given(
    held=st.lists(st.tuples(st.integers(0, 30), ANSWERS)),
    asked=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3))),
)
def test_contents_have_what_was_put_in(held: list[tuple[int, int]], asked: list[tuple[int, int]]) -> None:
    keys = content_keys([digest(str(number)) for number, _ in held], np.array([answers for _, answers in held], int))
    contents = Contents(np.unique(keys))
    assert contents.keys.dtype == np.uint64
    found = contents.have([digest(str(number)) for number, _ in asked], [answers for _, answers in asked])
    assert found == [any(number == n and answers & a for n, a in held) for number, answers in asked]


@pytest.mark.parametrize("asked", [[], ["x"]])
def test_an_empty_lake_holds_nothing(asked: list[str]) -> None:
    assert Contents().have([digest(text) for text in asked], [CAPTION] * len(asked)) == [False] * len(asked)
