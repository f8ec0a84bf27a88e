"""Refusals and failures, as both kinds of endpoint put them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fakes.dashscope.settings import FatalCode


@dataclass(eq=False)
class ApiError(Exception):
    """An answer that is an error: HTTP status, DashScope's code, a sentence.

    Attributes:
        retry_after_s: for the header of this name.
    """

    status: int
    code: str
    message: str
    retry_after_s: float | None = None


def invalid(message: str, code: str = "InvalidParameter") -> ApiError:
    """A request that will never be answered."""
    return ApiError(400, code, message)


def inspection_failed() -> ApiError:
    """A picture or a text that the service will not look at."""
    return ApiError(400, "DataInspectionFailed", "Input data may contain inappropriate content.")


INVALID_KEY = (401, "Invalid API-key provided.")
FATAL: dict[FatalCode, tuple[int, str]] = {
    "AccessDenied": (403, "Access denied."),
    "AllocationQuota.FreeTierOnly": (403, "The free tier of the model has been exhausted."),
    "Arrearage": (400, "Access denied, please make sure your account is in good standing."),
    "CommodityNotPurchased": (429, "Commodity has not purchased yet."),
    "InvalidApiKey": INVALID_KEY,
    "Model.AccessDenied": (403, "Model access denied."),
    "ModelNotFound": (404, "Model not exist."),
    "PostpaidBillOverdue": (429, "The postpaid bill is overdue."),
    "PrepaidBillOverdue": (429, "The prepaid bill is overdue."),
}


def fatal(code: FatalCode) -> ApiError:
    """An error that every further request would meet."""
    status, message = FATAL[code]
    return ApiError(status, code, message)


_COMPATIBLE = {
    "AccessDenied": "access_denied",
    "DataInspectionFailed": "data_inspection_failed",
    "InternalError": "internal_error",
    "InternalError.Algo": "internal_error",
    "InvalidApiKey": "invalid_api_key",
    "InvalidParameter": "invalid_parameter_error",
    "Model.AccessDenied": "model_access_denied",
    "ModelNotFound": "model_not_found",
    "Throttling.AllocationQuota": "insufficient_quota",
    "Throttling.BurstRate": "limit_burst_rate",
    "Throttling.RateQuota": "limit_requests",
}


def native_body(error: ApiError, request_id: str) -> dict[str, Any]:
    """DashScope's own shape."""
    return {"code": error.code, "message": error.message, "request_id": request_id}


def compatible_body(error: ApiError, request_id: str) -> dict[str, Any]:
    """OpenAI's shape; codes that the vendor does not translate stay as they are."""
    code = _COMPATIBLE.get(error.code, error.code)
    kind = "invalid_request_error" if error.status < 500 and error.status != 429 else code
    return {"error": {"message": error.message, "type": kind, "param": None, "code": code}, "request_id": request_id}


_VLLM_TYPES = {400: "BadRequestError", 404: "NotFoundError", 429: "RateLimitError", 503: "ServiceUnavailableError"}


def vllm_body(error: ApiError, _request_id: str) -> dict[str, Any]:
    """vLLM's shape: its code is the status, as a number; a wrong key gets no more than a word."""
    if error.status == 401:
        return {"error": "Unauthorized"}
    kind = _VLLM_TYPES.get(error.status, "InternalServerError")
    return {"error": {"message": error.message, "type": kind, "param": None, "code": error.status}}
