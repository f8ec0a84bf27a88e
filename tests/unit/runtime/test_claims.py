"""Which block works which content: no two blocks, and no two rows of one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tuku.config import LimitsConfig
from tuku.runtime.claims import BlockClaims
from tuku.runtime.ledger import Ledger

X, Y, Z = (bytes([number]) * 16 for number in range(3))


def test_the_first_row_of_a_block_has_the_content() -> None:
    claims = BlockClaims(partial(Ledger(LimitsConfig()).claim, "block"))
    assert claims.claim([X, Y, X]) == [True, True, False]
    assert claims.claim([Y, Z]) == [False, True]
    assert claims.claim([]) == []


def test_the_first_block_has_the_content_also_when_it_is_worked_again() -> None:
    ledger = Ledger(LimitsConfig())
    assert BlockClaims(partial(ledger.claim, "first")).claim([X, Y]) == [True, True]
    assert BlockClaims(partial(ledger.claim, "second")).claim([Y, Z]) == [False, True]
    assert BlockClaims(partial(ledger.claim, "first")).claim([X, X, Y, Z]) == [True, False, True, False]


def test_the_ledger_is_not_asked_for_what_is_known() -> None:
    asked: list[list[bytes]] = []

    def claim(digests: list[bytes]) -> list[bool]:
        asked.append(digests)
        return [True] * len(digests)

    claims = BlockClaims(claim)
    claims.claim([X, X, Y])
    claims.claim([X])
    assert asked == [[X, Y]]


def test_threads_do_not_share_a_content() -> None:
    claims = BlockClaims(partial(Ledger(LimitsConfig()).claim, "block"))
    digests = [number.to_bytes(16, "big") for number in range(500)]
    with ThreadPoolExecutor(8) as pool:
        granted = [sum(claimed) for claimed in zip(*pool.map(claims.claim, [digests] * 8), strict=True)]
    assert granted == [1] * 500
