"""How pymilvus is called: which of its errors are tried again, and what the others become."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import tenacity

from tuku.errors import MilvusError, RowError
from tuku.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

COLLECTION_NOT_FOUND = 100
# Milvus' own codes (pkg/util/merr): service unavailable, too many requests, rate limited.
TRANSIENT_MILVUS_CODES = frozenset({2, 4, 8})
TRANSIENT_GRPC_CODES = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED"})
# A server that is busy compacting or moving a shard is back within seconds.
PATIENCE = RetryPolicy(attempts=5, first_wait_s=0.4, max_wait_s=5.0)


class MilvusAwayError(MilvusError):
    """Milvus is starting, busy or out of reach: what was asked may succeed a moment later."""


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


def is_unknown_call(error: BaseException) -> bool:
    """Whether the server does not know the call at all."""
    import grpc

    return bool(getattr(error, "code", None) == grpc.StatusCode.UNIMPLEMENTED)


def retried(request: Callable[[int], T], policy: RetryPolicy, ended: Callable[[], bool] = lambda: False) -> T:
    """Sends a request until it succeeds, fails for good, or has been tried often enough.

    Args:
        request: is given the number of the attempt, 1 for the first.
        policy: how often, and after which waits.
        ended: whether nobody waits for it any more: it is not sent again then.
    """
    import grpc
    from pymilvus.exceptions import MilvusException

    failures: list[Exception] = []

    def attempt() -> T | RowError:
        if failures and ended():
            raise failures[-1]
        try:
            return request(len(failures) + 1)
        except (MilvusException, grpc.RpcError) as error:
            if ended() or not is_transient(error):
                raise
            failures.append(error)
            return RowError("milvus", str(error), retryable=True)  # what the policy tries again

    outcome = policy.call(attempt)
    if isinstance(outcome, RowError):
        raise failures[-1]
    return outcome


def wait_until(ready: Callable[[], str], timeout_s: float, poll_s: float = 0.1) -> None:
    """Asks until nothing is missing, and learns of it at most a fiftieth of the waiting too late.

    Args:
        ready: says what is still missing, or an empty string.
        timeout_s: the deadline.
        poll_s: seconds between the first questions; a fiftieth of the time that has passed, later, and at most twenty
            times as long.

    Raises:
        MilvusError: something was still missing at the deadline, or Milvus was still away; the message says what.
    """

    def asked() -> str:
        try:
            return ready()
        except MilvusAwayError as error:  # it may be back before the deadline
            return error.message

    polls = tenacity.Retrying(
        retry=tenacity.retry_if_result(bool),
        stop=tenacity.stop_after_delay(timeout_s),
        wait=lambda state: min(max(poll_s, (state.seconds_since_start or 0.0) / 50), poll_s * 20),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else "",
    )
    missing = polls(asked)
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
        raise _failed(error, f"Milvus failed while {doing}: {error.message} (code {error.code}).") from error
    except grpc.RpcError as error:
        raise _failed(error, f"Milvus failed while {doing}: {error.details()} ({error.code().name}).") from error


def _failed(error: BaseException, message: str) -> MilvusError:
    if is_transient(error):
        return MilvusAwayError(
            message, "It may be starting or busy; the lake is complete, so `tuku load` can simply be run again."
        )
    return MilvusError(message)
