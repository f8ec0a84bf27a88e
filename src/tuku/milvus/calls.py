"""How pymilvus is called: which of its errors are tried again, and what the others become."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import tenacity

from tuku.errors import MilvusError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

COLLECTION_NOT_FOUND = 100
ALIAS_NOT_FOUND = 1600
# Milvus' own codes (pkg/util/merr): service unavailable, too many requests, rate limited.
TRANSIENT_MILVUS_CODES = frozenset({2, 4, 8})
TRANSIENT_GRPC_CODES = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED"})


@dataclass(frozen=True)
class RetryPolicy:
    """How often one request is sent, and how long is waited in between.

    Attributes:
        attempts: the first one included.
        initial_wait_s: before the second attempt; doubled each time, with jitter.
        max_wait_s: never longer than this.
    """

    attempts: int = 5
    initial_wait_s: float = 0.2
    max_wait_s: float = 5.0


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed a moment later, by type and code."""
    import grpc
    from pymilvus.exceptions import MilvusException

    if isinstance(error, MilvusException):
        if isinstance(error.code, grpc.StatusCode):
            return error.code.name in TRANSIENT_GRPC_CODES
        return bool(error.retriable) or error.code in TRANSIENT_MILVUS_CODES
    if isinstance(error, grpc.RpcError):
        return error.code().name in TRANSIENT_GRPC_CODES
    return False


def retried(request: Callable[[int], T], policy: RetryPolicy) -> T:
    """Sends a request until it succeeds, fails for good, or has been tried often enough.

    Args:
        request: is given the number of the attempt, 1 for the first.
        policy: see `RetryPolicy`.
    """
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_transient),
        stop=tenacity.stop_after_attempt(policy.attempts),
        wait=tenacity.wait_exponential_jitter(initial=policy.initial_wait_s, max=policy.max_wait_s),
        reraise=True,
    )
    for attempt in attempts:
        with attempt:
            return request(attempt.retry_state.attempt_number)
    raise AssertionError("tenacity returns or raises")  # pragma: no cover


def wait_until(ready: Callable[[], str], timeout_s: float, poll_s: float = 0.2) -> None:
    """Asks until nothing is missing.

    Args:
        ready: says what is still missing, or an empty string.
        timeout_s: the deadline.
        poll_s: seconds between the first two questions; up to ten times as long later.

    Raises:
        MilvusError: something was still missing at the deadline; the message says what.
    """
    polls = tenacity.Retrying(
        retry=tenacity.retry_if_result(bool),
        stop=tenacity.stop_after_delay(timeout_s),
        wait=tenacity.wait_exponential(multiplier=poll_s, max=poll_s * 10),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else "",
    )
    missing = polls(ready)
    if missing:
        raise MilvusError(
            f"Milvus was not ready after {timeout_s:g} s: {missing}.",
            "Look at the server's load and log; milvus.timeout_s sets how long tuku waits.",
        )


@contextmanager
def milvus_errors(doing: str) -> Iterator[None]:
    """What pymilvus and gRPC raise inside becomes a `MilvusError` that says what was being done."""
    import grpc
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except MilvusException as error:
        raise MilvusError(
            f"Milvus failed while {doing}: {error.message} (code {error.code}).", _remedy(error)
        ) from error
    except grpc.RpcError as error:
        raise MilvusError(
            f"Milvus failed while {doing}: {error.details()} ({error.code().name}).", _remedy(error)
        ) from error


def _remedy(error: BaseException) -> str:
    if is_transient(error):
        return "It may be starting or busy; the lake is complete, so `tuku load` can simply be run again."
    return ""
