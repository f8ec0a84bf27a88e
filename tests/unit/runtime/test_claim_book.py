"""A content is worked by one block, also when that is worked again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tuku.runtime.claim_book import ClaimBook

A, B, C = (bytes([number]) * 16 for number in range(3))


def test_whoever_asks_first_has_it() -> None:
    book = ClaimBook()
    assert book.claim("one", [A, B]) == [True, True]
    assert book.claim("two", [B, C]) == [False, True]
    assert book.claim("three", []) == []


def test_a_block_that_is_worked_again_keeps_what_it_had() -> None:
    book = ClaimBook()
    book.claim("one", [A])
    book.claim("two", [B])
    assert book.claim("one", [B, A, C]) == [False, True, True]


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.lists(st.binary(min_size=16, max_size=16), max_size=5))))
def test_it_is_a_dictionary(claims: list[tuple[str, list[bytes]]]) -> None:
    book, owners = ClaimBook(), dict[bytes, str]()
    for block, digests in claims:
        assert book.claim(block, digests) == [owners.setdefault(digest, block) == block for digest in digests]
