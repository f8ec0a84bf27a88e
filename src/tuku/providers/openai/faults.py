"""What went wrong at an endpoint that speaks OpenAI's protocol, by the SDK's exception types and the error's code.

DashScope's compatible mode writes its own codes in lower case; a few of OpenAI's mean something else there.
"""

from __future__ import annotations

from http import HTTPStatus

import openai

from tuku.errors import RowError, StoppedError
from tuku.providers.api.http_faults import fault_of_status, retry_after_s
from tuku.providers.api.shown import shown
from tuku.providers.api.transport_faults import exception_fault
from tuku.providers.api.verdicts import Throttled, Unavailable
from tuku.terms import ThrottleKind

_KEY = "Check OPENAI_API_KEY, and that it is a key of the endpoint that {section}.base_url names."
_ACCESS = "Give the key's account access to the model, or take another model."
_BILLS = "Settle the account's bills, then run the same command again."

# Cause and remedy, with the section of the configuration that the remedy is about.
_FATAL: dict[str, tuple[str, str]] = {
    "invalid_api_key": ("The endpoint does not accept the key", _KEY),
    "account_deactivated": ("The account is closed", _ACCESS),
    "access_denied": ("The account may not do this", _ACCESS),
    "model_access_denied": ("The account may not use this model", _ACCESS),
    "model_not_found": ("The endpoint has no such model", "Check {section}.model and {section}.base_url."),
    "billing_hard_limit_reached": ("The account's spending limit is reached", "Raise it, or wait for the next month."),
    "arrearage": ("The account has overdue payments", _BILLS),
    "commoditynotpurchased": ("The account has not activated the service", "Activate it in the vendor's console."),
    "prepaidbilloverdue": ("A prepaid bill is overdue", _BILLS),
    "postpaidbilloverdue": ("A postpaid bill is overdue", _BILLS),
    "allocationquota.freetieronly": ("The model's free quota is used up", _BILLS),
}

# `insufficient_quota` is DashScope's for tokens a minute, and passes. At OpenAI itself it means an empty account and
# does not: there the run ends when the patience with throttling does, and this message names the code.
_THROTTLED: dict[str, ThrottleKind] = {
    "limit_requests": "requests",
    "rate_limit_exceeded": "requests",
    "insufficient_quota": "tokens",
    "limit_burst_rate": "burst",
}

_REFUSED = {"data_inspection_failed", "datainspectionfailed", "content_policy_violation", "content_filter"}


def classify_error(error: BaseException, section: str) -> RowError | StoppedError:
    """What becomes of a request that raised.

    Args:
        error: what the SDK raised, or what came through it. Messages are passed on without keys.
        section: of the configuration that names the endpoint, for remedies.

    Returns:
        As `tuku.providers.dashscope.faults.classify` does.
    """
    if isinstance(error, openai.APITimeoutError):
        return exception_fault(TimeoutError())
    if isinstance(error, openai.APIConnectionError):
        return Unavailable("connection_failed", f"no answer from the endpoint ({_cause(error)})")
    if not isinstance(error, openai.APIStatusError):
        wrapped = isinstance(error, openai.APIResponseValidationError)
        return exception_fault(ValueError() if wrapped else error)
    return _refusal(error, section)


def _refusal(error: openai.APIStatusError, section: str) -> RowError | StoppedError:
    request_id, code = error.request_id, (error.code or "").lower()
    if code in _FATAL:
        cause, remedy = _FATAL[code]
        request = f", request {request_id}" if request_id else ""
        return StoppedError(f"{cause} ({error.code}{request}).", remedy.format(section=section))
    said = shown(f"{error.code or error.type or ''}: {error.message}")
    wait_s = retry_after_s(error.response.headers)
    if code in _THROTTLED and error.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        kind = _THROTTLED[code]
        return Throttled("throttled", said, request_id=request_id, retry_after_s=wait_s or 0.0, kind=kind)
    if code in _REFUSED:
        return RowError("content_refused", said, request_id=request_id)
    if error.status_code in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
        return RowError("invalid_parameter", said, request_id=request_id)
    return fault_of_status(error.status_code, said, retry_after_s=wait_s, request_id=request_id)


def _cause(error: BaseException) -> str:
    """The type of what the SDK wrapped; its text may hold the address."""
    return type(error.__cause__ or error).__name__
