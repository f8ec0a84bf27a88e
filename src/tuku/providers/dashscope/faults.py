"""What DashScope's refusals mean, by its codes. The codes are those of its page "error codes"."""

from __future__ import annotations

from collections.abc import Mapping

from tuku.errors import RowError, StoppedError
from tuku.providers.api.http_faults import fault_of_status
from tuku.providers.api.shown import shown
from tuku.providers.api.transport_faults import exception_fault
from tuku.providers.api.verdicts import Throttled, Unavailable
from tuku.terms import ThrottleKind

__all__ = ["classify", "exception_fault"]

_NO_CODES = {"", "Unknown"}  # the latter is what the SDK writes over an answer that is no JSON

_KEY = "Check DASHSCOPE_API_KEY, and that it is a key of the region of base_url or DASHSCOPE_HTTP_BASE_URL."
_ACCESS = "Give the key's account and workspace access to the model, in the console of Model Studio (百炼)."
_BILLS = "Settle the account's bills in Alibaba Cloud's console, then run the same command again."
_FREE = "Switch off 'stop when the free quota is used up' in the console of Model Studio (百炼), or take another model."

# In these tables an entry that ends with "." stands for every code that begins so and has no entry of its own.

# No request will be answered before a person has done something: cause and remedy.
_FATAL: dict[str, tuple[str, str]] = {
    "InvalidApiKey": ("DashScope does not accept the key", _KEY),
    "Arrearage": ("The account has overdue payments", _BILLS),
    "AccessDenied": ("The account may not do this", _ACCESS),
    "AccessDenied.": ("The account may not do this", _ACCESS),
    "Model.AccessDenied": ("The account may not use this model", _ACCESS),
    "AllocationQuota.FreeTierOnly": ("The model's free quota is used up", _FREE),
    "ModelNotFound": (
        "DashScope has no such model in this region",
        "Check the model's name and base_url (or DASHSCOPE_HTTP_BASE_URL).",
    ),
    "CommodityNotPurchased": ("The account has not activated Model Studio", "Activate it in its console (百炼)."),
    "PrepaidBillOverdue": ("A prepaid bill is overdue", _BILLS),
    "PostpaidBillOverdue": ("A postpaid bill is overdue", _BILLS),
}

_THROTTLED: dict[str, ThrottleKind] = {
    "Throttling": "requests",
    "Throttling.": "requests",
    "Throttling.RateQuota": "requests",
    "Throttling.AllocationQuota": "tokens",
    "AllocationQuota": "tokens",
    "Throttling.BurstRate": "burst",
}

# Told apart by their text, against the rule, for the code is the same: one passes within a minute, the other never.
_ALLOCATION_CODES = {"Throttling.AllocationQuota", "AllocationQuota"}
_FREE_QUOTA_USED_UP = "free allocated quota exceeded"

# The service's own failures.
_UNAVAILABLE = {
    *("InternalError", "SystemError", "ModelServiceFailed", "RequestTimeOut", "ModelServingError", "ModelUnavailable"),
    "InternalError.Timeout",
}

# DashScope's code → ours, and whether asking again may help.
_OF_THE_ITEM: dict[str, tuple[str, bool]] = {
    "InternalError.Algo": ("server_error", True),  # often the picture's fault, so no sign that the service is down
    "InternalError.Algo.InvalidParameter": ("invalid_parameter", False),
    "InvalidParameter": ("invalid_parameter", False),
    "InvalidParameter.": ("invalid_parameter", False),
    "BadRequest.": ("invalid_parameter", False),
    "InvalidURL": ("invalid_parameter", False),
    "InvalidURL.": ("download_failed", True),
    "DataInspectionFailed": ("content_refused", False),
    "IPInfringementSuspect": ("content_refused", False),
}


def classify(
    status: int | None, code: str | None, message: str, *, retry_after_s: float | None, request_id: str | None
) -> RowError | StoppedError:
    """What becomes of a request that was answered, but not with what was asked for.

    Args:
        status: of the HTTP answer.
        code: DashScope's; it counts for more than the status, which is 200 now and then.
        message: DashScope's; passed on for people, without keys.
        retry_after_s: as it asked to wait.
        request_id: DashScope's name for the request.

    Returns:
        `StoppedError` where every further request would fare alike; `Throttled`; `Unavailable`; else a `RowError` of
        the item itself. A code that is not known is judged by the status.
    """
    code = (code or "").strip()
    if code in _ALLOCATION_CODES and _FREE_QUOTA_USED_UP in message.lower():
        return _stopped("AllocationQuota.FreeTierOnly", code, request_id)
    if (entry := _entry(code, _FATAL)) is not None:
        return _stopped(entry, code, request_id)
    said = shown(message if code in _NO_CODES else f"{code}: {message}")
    if (entry := _entry(code, _THROTTLED)) is not None:
        kind, wait_s = _THROTTLED[entry], retry_after_s or 0.0
        return Throttled("throttled", said, request_id=request_id, retry_after_s=wait_s, kind=kind)
    if code in _UNAVAILABLE:
        return Unavailable("server_error", said, request_id=request_id)
    if (entry := _entry(code, _OF_THE_ITEM)) is not None:
        ours, retryable = _OF_THE_ITEM[entry]
        return RowError(ours, said, retryable=retryable, request_id=request_id)
    return fault_of_status(status, said, retry_after_s=retry_after_s, request_id=request_id)


def _stopped(entry: str, code: str, request_id: str | None) -> StoppedError:
    # Without DashScope's message: it may hold the key, and these causes need no more words.
    cause, remedy = _FATAL[entry]
    request = f", request {request_id}" if request_id else ""
    return StoppedError(f"{cause} ({shown(code)}{request}).", remedy)


def _entry(code: str, table: Mapping[str, object]) -> str | None:
    """The table's entry for a code: itself, or else the longest family (``A.B.`` before ``A.``) that it is of."""
    if code in table:
        return code
    parts = code.split(".")
    families = (".".join(parts[:length]) + "." for length in range(len(parts) - 1, 0, -1))
    return next((family for family in families if family in table), None)
