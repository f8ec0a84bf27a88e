"""What an HTTP status means where the service says nothing more exact, and when it wants to be asked again."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from tuku.errors import RowError, StoppedError
from tuku.providers.api.shown import shown
from tuku.providers.api.verdicts import Throttled, Unavailable

# RFC 9110 and 6585: refused for the moment, not for what was asked.
_TRANSIENT = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY}
_FATAL = {
    HTTPStatus.UNAUTHORIZED: (
        "The service does not accept the key",
        "Check that the key is right, not expired, and of the region of base_url (or of the variable in its place).",
    ),
    HTTPStatus.PAYMENT_REQUIRED: ("The service wants to be paid first", "Settle the account's bills."),
    HTTPStatus.FORBIDDEN: (
        "The account may not use this model",
        "Give the account, or the key's workspace, access to the model.",
    ),
    HTTPStatus.NOT_FOUND: (
        "The service has no such model or no such address",
        "Check the model's name and base_url (or the variable in its place).",
    ),
}


def fault_of_status(
    status: int | None, said: str, *, retry_after_s: float | None, request_id: str | None
) -> RowError | StoppedError:
    """The verdict by status alone.

    Args:
        status: of the answer; a success is here because it held no answer. None: there was none.
        said: the service's code and message.
        retry_after_s: as it asked to wait.
        request_id: its name for the request.
    """
    if status is None or status < HTTPStatus.BAD_REQUEST:
        return RowError("bad_answer", f"not an answer: {shown(said)}", retryable=True, request_id=request_id)
    message = f"HTTP {status}: {shown(said)}"
    if status in _FATAL:
        cause, remedy = _FATAL[HTTPStatus(status)]
        return StoppedError(f"{cause} ({_code_only(status, request_id)}).", remedy)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled("throttled", message, request_id=request_id, retry_after_s=retry_after_s or 0.0)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unavailable("server_error", message, request_id=request_id)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return RowError("request_too_large", message, request_id=request_id)
    return RowError(f"http_{status}", message, retryable=status in _TRANSIENT, request_id=request_id)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long the service asks to wait, in seconds, by its ``Retry-After`` (RFC 9110, 10.2.3: seconds or a date).

    Args:
        headers: of the answer, in whatever case.

    Returns:
        None if it does not say, or not so that it can be read.
    """
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), None)
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _code_only(status: int, request_id: str | None) -> str:
    """No text of the service: at these statuses it may repeat the key."""
    return f"HTTP {status}, request {request_id}" if request_id else f"HTTP {status}"
