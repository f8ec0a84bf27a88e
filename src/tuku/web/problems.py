"""What went wrong, for programs and people: problem JSON (RFC 9457) with a message and what to do about it.

What a client did wrong is said in full. What is wrong with this machine, its services or its collection is said in
general, and in full on stderr: an address, a path or a model's name is nobody's business who may only search.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from tuku.errors import ConfigError, RowError, StoppedError, TukuError
from tuku.runtime.serving import OutOfServiceError
from tuku.search.encode import Part, RefusedQueryError
from tuku.search.where_tokens import WhereError
from tuku.terminal import printable

_log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_BY_OPERATOR = "Try again in a minute. Whoever runs this server finds the reason in its log."
_REFUSED: Mapping[Part, tuple[str, str]] = {
    "text": ("This text", "Say it in other words."),
    "picture": ("This picture", "Give another one."),
    "text and picture": ("This text with this picture", "Say it in other words, or give another picture."),
}
_MODEL_WAIT_S, _COLLECTION_WAIT_S = 20, 5


class RefusedError(Exception):
    """A request that is not answered.

    Args:
        status: of HTTP.
        message: what is wrong, for people.
        remedy: what they can do.
        code: for programs, snake_case.
        retry_after_s: when to come again, seconds.
        more: further members of the problem.
    """

    def __init__(
        self,
        status: int,
        message: str,
        remedy: str = "",
        *,
        code: str,
        retry_after_s: int | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.remedy, self.code = status, message, remedy, code
        self.retry_after_s, self.more = retry_after_s, dict(more or {})

    def response(self) -> JSONResponse:
        """For the client."""
        problem = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.message,
            "remedy": self.remedy,
            **self.more,
        }
        headers = {"Cache-Control": "no-store"}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        if self.status == HTTPStatus.REQUEST_TIMEOUT:
            headers["Connection"] = "close"  # the rest of the body is not waited for
        return JSONResponse(problem, self.status, headers, MEDIA_TYPE)


def refusal_of(error: Exception) -> RefusedError:
    """What a client is told of an error."""
    if isinstance(error, HTTPException) and isinstance(error.__cause__, RefusedError):
        error = error.__cause__  # FastAPI wraps what reading a body raises
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, RequestValidationError | ValidationError):
        return _invalid(error.errors())
    if isinstance(error, HTTPException):
        return RefusedError(error.status_code, f"{error.detail}.", "The API is described at /api.", code="http")
    if isinstance(error, RowError):
        return _unusable_picture(error)
    if isinstance(error, TukuError):
        return _of_tuku(error)
    _log.error("Unexpected %s", type(error).__name__, exc_info=error)
    return RefusedError(500, "Something went wrong here.", _BY_OPERATOR, code="unexpected")


async def answer_problem(_request: Request, error: Exception) -> JSONResponse:
    """An exception handler for Starlette."""
    return refusal_of(error).response()


def _of_tuku(error: TukuError) -> RefusedError:
    cause = error.__cause__
    if isinstance(error, WhereError):
        said = f"The filter{error.message.removeprefix('--where')}"
        return RefusedError(400, said, error.remedy, code="bad_filter", more={"place": error.place})
    if isinstance(error, OutOfServiceError):
        _log.warning("%s", printable(str(error)))
        return RefusedError(
            503, "The collection cannot be searched just now.", _BY_OPERATOR, code="out_of_service", retry_after_s=5
        )
    if isinstance(error, RefusedQueryError):
        return _refused_query(error)
    if isinstance(error, ConfigError):
        return RefusedError(400, error.message, error.remedy, code="bad_query")
    _log.warning("%s", printable(str(error)))
    if isinstance(error, StoppedError):
        throttled = isinstance(cause, RowError) and cause.code == "throttled"
        status, what = (429, "lets no more requests through") if throttled else (503, "does not answer")
        message = f"The service of the model {what} just now."
        return RefusedError(status, message, _BY_OPERATOR, code="model_away", retry_after_s=_MODEL_WAIT_S)
    return RefusedError(
        503,
        "The collection does not answer just now.",
        _BY_OPERATOR,
        code="collection_away",
        retry_after_s=_COLLECTION_WAIT_S,
    )


def _refused_query(error: RefusedQueryError) -> RefusedError:
    (subject, remedy), fault = _REFUSED[error.part], error.fault
    return RefusedError(422, f"{subject} cannot be searched with: {fault.sentence}", remedy, code=fault.code)


def _unusable_picture(fault: RowError) -> RefusedError:
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if fault.code == "too_large" else HTTPStatus.UNPROCESSABLE_ENTITY
    message = f"This picture cannot be searched with: {fault.sentence}"
    return RefusedError(status, message, "Give a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF file.", code=fault.code)


def _invalid(errors: Sequence[Any]) -> RefusedError:
    """Without the values that were sent: they may be anything, of any size."""
    found = [
        {"field": ".".join(str(part) for part in each["loc"] if part not in {"body", "query"}), "message": each["msg"]}
        for each in errors
    ]
    said = "; ".join(f"{each['field']}: {each['message']}" if each["field"] else each["message"] for each in found[:5])
    return RefusedError(
        422, f"The request is not valid: {said}.", "See /api.", code="invalid", more={"errors": found[:20]}
    )
