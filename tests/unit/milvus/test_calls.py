"""What is tried again and what is not: by type and code."""

from __future__ import annotations

import grpc
import pytest
from pymilvus.exceptions import MilvusException

from tuku.errors import MilvusError
from tuku.milvus.calls import PATIENCE, is_transient, milvus_errors, retried, wait_until
from tuku.retry import WITHOUT_WAITING, RetryPolicy

NO_WAIT = RetryPolicy(attempts=3, first_wait_s=0.0, max_wait_s=0.0)


class RpcError(grpc.RpcError):
    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "the details"


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (RpcError(grpc.StatusCode.UNAVAILABLE), True),
        (RpcError(grpc.StatusCode.DEADLINE_EXCEEDED), True),
        (RpcError(grpc.StatusCode.UNAUTHENTICATED), False),
        (RpcError(grpc.StatusCode.INVALID_ARGUMENT), False),
        (MilvusException(grpc.StatusCode.UNAVAILABLE, "given up"), True),
        (MilvusException(8, "rate limit"), True),
        (MilvusException(1, "any", retriable=True), True),
        (MilvusException(1, "unavailable, please retry"), False),  # the text decides nothing
        (MilvusException(100, "no such collection"), False),
        (ValueError("unavailable"), False),
    ],
)
def test_errors_are_classified_by_code(error: Exception, transient: bool) -> None:
    assert is_transient(error) is transient


def test_nothing_is_sent_again_that_nobody_waits_for() -> None:
    seen: list[int] = []

    def request(attempt: int) -> None:
        seen.append(attempt)
        raise RpcError(grpc.StatusCode.UNAVAILABLE)

    with pytest.raises(RpcError):
        retried(request, NO_WAIT, lambda: len(seen) == 2)
    assert seen == [1, 2]


def test_a_transient_error_is_tried_again_and_a_lasting_one_is_not() -> None:
    seen: list[int] = []

    def request(attempt: int) -> str:
        seen.append(attempt)
        if attempt < 3:
            raise RpcError(grpc.StatusCode.UNAVAILABLE)
        return "done"

    assert retried(request, NO_WAIT) == "done"
    assert seen == [1, 2, 3]
    refused: list[int] = []

    def wrong(attempt: int) -> None:
        refused.append(attempt)
        raise MilvusException(6, "bad value")

    with pytest.raises(MilvusException):
        retried(wrong, NO_WAIT)
    assert refused == [1]


def test_attempts_are_bounded() -> None:
    seen: list[int] = []

    def request(attempt: int) -> None:
        seen.append(attempt)
        raise RpcError(grpc.StatusCode.UNAVAILABLE)

    with pytest.raises(RpcError):
        retried(request, NO_WAIT)
    assert seen == [1, 2, 3]


def test_the_switch_for_tests_spares_every_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WITHOUT_WAITING, "1")
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)

    def request(attempt: int) -> None:
        raise RpcError(grpc.StatusCode.UNAVAILABLE)

    with pytest.raises(RpcError):
        retried(request, PATIENCE)
    assert waits == [0.0] * (PATIENCE.attempts - 1)


@pytest.mark.parametrize("error", [MilvusException(6, "the details"), RpcError(grpc.StatusCode.INTERNAL)])
def test_errors_become_tukus_and_say_what_was_done(error: Exception) -> None:
    with pytest.raises(MilvusError, match=r"while loading x.*the details"), milvus_errors("loading x"):
        raise error


def test_waiting_ends_when_nothing_is_missing_or_at_the_deadline() -> None:
    answers = iter(["2 rows pending", "1 row pending", ""])
    wait_until(lambda: next(answers), timeout_s=5, poll_s=0.001)
    assert next(answers, None) is None
    with pytest.raises(MilvusError, match=r"after 0\.05 s: 7 rows pending"):
        wait_until(lambda: "7 rows pending", timeout_s=0.05, poll_s=0.001)


def test_a_server_that_is_away_is_waited_for_until_the_deadline() -> None:
    answers = iter([RpcError(grpc.StatusCode.UNAVAILABLE), MilvusException(8, "rate limit"), None])

    def ready() -> str:
        with milvus_errors("asking"):
            if (error := next(answers)) is not None:
                raise error
        return ""

    wait_until(ready, timeout_s=5, poll_s=0.001)

    def away() -> str:
        with milvus_errors("asking"):
            raise RpcError(grpc.StatusCode.UNAVAILABLE)

    with pytest.raises(MilvusError, match=r"not ready after 0.05 s: Milvus failed while asking: the details"):
        wait_until(away, timeout_s=0.05, poll_s=0.001)
