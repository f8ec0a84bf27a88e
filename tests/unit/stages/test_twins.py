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
from tuku.stages.twins import Contents, NoClaims, content_keys, set_twins_aside


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


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
    found = set_twins_aside(fetched_rows(row("x"), row("y")), Contents.of([digest("x")]), claims)
    assert codes(found) == ["same_content", None]
    assert claims.asked == [bytes.fromhex(digest("y"))[:16]]


def test_an_image_of_the_lake_that_is_what_it_was_goes_on_and_one_that_is_not_does_not() -> None:
    contents = Contents.of([digest("x"), digest("y")])
    batch = fetched_rows(row("x", known_content=digest("x")), row("y", known_content=digest("x")))
    assert codes(set_twins_aside(batch, contents, FirstComes())) == [None, "same_content"]


def test_two_images_of_the_lake_with_one_content_are_worked_once() -> None:
    own = row("x", known_content=digest("x"))
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
    assert set_twins_aside(FETCHED.empty_table(), Contents.of([digest("x")]), NoClaims()).num_rows == 0


def test_contents_are_told_by_64_bits() -> None:
    assert content_keys(["00000000000000ff" + "0" * 48]).tolist() == [255]
    assert Contents.of(["f" * 64]).holds(["f" * 16 + "0" * 48]) == [True]


@given(held=st.sets(st.integers(0, 30)), asked=st.lists(st.integers(0, 30)))
def test_contents_hold_what_was_put_in(held: set[int], asked: list[int]) -> None:
    contents = Contents.of([digest(str(number)) for number in held])
    assert contents.holds([digest(str(number)) for number in asked]) == [number in held for number in asked]
    assert contents.keys.dtype == np.uint64


@pytest.mark.parametrize("asked", [[], ["x"]])
def test_an_empty_lake_holds_nothing(asked: list[str]) -> None:
    assert Contents().holds([digest(text) for text in asked]) == [False] * len(asked)
