"""What the SDK raises, made by the SDK itself from the answers of servers."""

from __future__ import annotations

import asyncio
import json

import httpx2
import openai
import pytest

from tuku.errors import RowError, StoppedError
from tuku.providers.api.verdicts import Throttled, Unavailable
from tuku.providers.openai.faults import classify_error

REQUEST = httpx2.Request("POST", "http://user:abcDEF123@host/v1/chat/completions")


def raised(status: int, body: object, headers: dict[str, str] | None = None) -> openai.APIStatusError:
    """The SDK's exception for this answer."""
    content = body if isinstance(body, str) else json.dumps(body)

    async def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, text=content, headers={"x-request-id": "r-1", **(headers or {})})

    async def ask() -> openai.APIStatusError:
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
        async with openai.AsyncOpenAI(api_key="k", base_url="http://x/v1", max_retries=0, http_client=http) as client:
            try:
                await client.chat.completions.create(model="m", messages=[])
            except openai.APIStatusError as error:
                return error
        raise AssertionError("an error was expected")

    return asyncio.run(ask())


def refusal(status: int, code: str | None, message: str = "What happened.") -> openai.APIStatusError:
    return raised(status, {"error": {"message": message, "type": "some_error", "param": None, "code": code}})


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("limit_requests", "requests"),
        ("rate_limit_exceeded", "requests"),
        ("insufficient_quota", "tokens"),
        ("limit_burst_rate", "burst"),
        (None, "requests"),
        ("something_new", "requests"),
    ],
)
def test_throttling_is_told_apart(code: str | None, kind: str) -> None:
    fault = classify_error(refusal(429, code), "caption")
    assert isinstance(fault, Throttled)
    assert (fault.kind, fault.retryable, fault.request_id) == (kind, True, "r-1")


def test_a_wait_that_is_asked_for_is_kept() -> None:
    fault = classify_error(raised(429, {"error": {"code": "limit_requests"}}, {"Retry-After": "2.5"}), "caption")
    assert isinstance(fault, Throttled)
    assert fault.retry_after_s == 2.5


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "invalid_api_key"),
        (401, None),
        (403, "access_denied"),
        (403, "model_access_denied"),
        (403, None),
        (404, "model_not_found"),
        (404, None),
        (400, "Arrearage"),
        (429, "PostpaidBillOverdue"),
        (403, "AllocationQuota.FreeTierOnly"),
        (402, None),
    ],
)
def test_what_stops_the_run(status: int, code: str | None) -> None:
    fault = classify_error(refusal(status, code, "Incorrect API key provided: sk-abcDEF123."), "caption")
    assert isinstance(fault, StoppedError)
    assert "r-1" in fault.message
    assert fault.remedy
    assert "abcDEF123" not in str(fault)


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (refusal(400, "data_inspection_failed"), "content_refused", False),
        (refusal(400, "content_policy_violation"), "content_refused", False),
        (refusal(400, "invalid_parameter_error"), "invalid_parameter", False),
        (refusal(400, None), "invalid_parameter", False),
        (refusal(422, None), "invalid_parameter", False),
        (refusal(413, None), "request_too_large", False),
        (refusal(409, None), "http_409", True),
        (json.JSONDecodeError("cut", "{", 1), "bad_answer", True),
        (openai.APIResponseValidationError(httpx2.Response(200, request=REQUEST), None), "bad_answer", True),
        (RuntimeError("abcDEF123"), "unexpected_error", False),
    ],
)
def test_failures_of_the_item_itself(error: BaseException, code: str, retryable: bool) -> None:
    fault = classify_error(error, "caption")
    assert type(fault) is RowError
    assert (fault.code, fault.retryable) == (code, retryable)
    assert "abcDEF123" not in fault.message


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (refusal(500, "internal_error"), "server_error"),
        (raised(503, "<html>busy</html>"), "server_error"),
        (openai.APITimeoutError(REQUEST), "timeout"),
        (openai.APIConnectionError(message="abcDEF123", request=REQUEST), "connection_failed"),
        (ConnectionResetError(), "connection_reset"),
    ],
)
def test_a_service_that_does_not_answer(error: BaseException, code: str) -> None:
    fault = classify_error(error, "caption")
    assert isinstance(fault, Unavailable)
    assert (fault.code, fault.retryable) == (code, True)
    assert "abcDEF123" not in fault.message


@pytest.mark.parametrize("code", ["invalid_api_key", "model_not_found"])
@pytest.mark.parametrize("section", ["caption", "embed", "rerank"])
def test_a_remedy_names_the_keys_of_the_endpoint_that_was_asked(code: str, section: str) -> None:
    fault = classify_error(refusal(404, code), section)
    assert isinstance(fault, StoppedError)
    assert f"{section}.base_url" in fault.remedy
    assert "{" not in fault.remedy


@pytest.mark.parametrize(("status", "kind"), [(400, RowError), (404, StoppedError), (500, Unavailable)])
def test_the_numbers_that_vllm_has_for_codes_are_read(status: int, kind: type) -> None:
    error = raised(
        status, {"error": {"message": "Too long.", "type": "BadRequestError", "param": None, "code": status}}
    )
    assert type(classify_error(error, "embed")) is kind


def test_a_refusal_in_a_word_is_that_of_the_key() -> None:
    fault = classify_error(raised(401, {"error": "Unauthorized"}), "embed")
    assert isinstance(fault, StoppedError)
    assert "does not accept the key" in fault.message
