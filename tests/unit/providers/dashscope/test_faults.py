"""Every code of the vendor's taxonomy, and what becomes of the request."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuku.errors import RowError, StoppedError
from tuku.providers.api.verdicts import Throttled, Unavailable
from tuku.providers.dashscope.faults import classify

Verdict = RowError | StoppedError


def judged(status: int | None, code: str | None, message: str = "What happened.") -> Verdict:
    return classify(status, code, message, retry_after_s=None, request_id="r-1")


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (429, "Throttling", "Requests throttling triggered.", "requests"),
        (429, "Throttling.RateQuota", "Requests rate limit exceeded, please try again later.", "requests"),
        (429, "Throttling.AllocationQuota", "Allocated quota exceeded, please increase your quota limit.", "tokens"),
        (429, "Throttling.BurstRate", "Request rate increased too quickly.", "burst"),
        (429, "Throttling.SomethingNew", "Slower.", "requests"),
        (200, "Throttling.RateQuota", "Requests rate limit exceeded.", "requests"),
        (429, "Unknown", "<html>too many</html>", "requests"),
        (429, None, "", "requests"),
    ],
)
def test_throttling_is_told_apart(status: int, code: str | None, message: str, kind: str) -> None:
    fault = judged(status, code, message)
    assert isinstance(fault, Throttled)
    assert (fault.kind, fault.retryable, fault.request_id, fault.retry_after_s) == (kind, True, "r-1", 0.0)


def test_a_wait_that_was_asked_for_is_kept() -> None:
    fault = classify(429, "Throttling.BurstRate", "", retry_after_s=2.5, request_id=None)
    assert isinstance(fault, Throttled)
    assert fault.retry_after_s == 2.5


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (500, "InternalError"),
        (500, "SystemError"),
        (500, "ModelServiceFailed"),
        (500, "RequestTimeOut"),
        (500, "InternalError.Timeout"),
        (500, "ModelServingError"),
        (503, "ModelServingError"),
        (503, "ModelUnavailable"),
        (200, "InternalError"),
        (500, None),
        (502, "Unknown"),
        (503, ""),
        (504, "SomethingNew"),
    ],
)
def test_the_services_own_failures(status: int, code: str | None) -> None:
    fault = judged(status, code)
    assert isinstance(fault, Unavailable)
    assert (fault.code, fault.retryable, fault.request_id) == ("server_error", True, "r-1")


@pytest.mark.parametrize(
    ("status", "code", "ours", "retryable"),
    [
        (500, "InternalError.Algo", "server_error", True),
        (400, "InvalidURL.Timeout", "download_failed", True),
        (400, "InvalidURL.ConnectionRefused", "download_failed", True),
        (400, "DataInspectionFailed", "content_refused", False),
        (400, "IPInfringementSuspect", "content_refused", False),
        (400, "InvalidParameter", "invalid_parameter", False),
        (400, "InvalidParameter.DataInspection", "invalid_parameter", False),
        (400, "InvalidParameter.Image.Size", "invalid_parameter", False),
        (400, "InternalError.Algo.InvalidParameter", "invalid_parameter", False),
        (500, "InternalError.Algo.InvalidParameter", "invalid_parameter", False),
        (400, "InvalidURL", "invalid_parameter", False),
        (400, "BadRequest.EmptyInput", "invalid_parameter", False),
        (200, "DataInspectionFailed", "content_refused", False),
        (413, "RequestTooLarge", "request_too_large", False),
        (413, None, "request_too_large", False),
        (400, "SomethingNew", "http_400", False),
        (409, None, "http_409", True),
        (200, None, "bad_answer", True),
        (200, "SomethingNew", "bad_answer", True),
        (None, None, "bad_answer", True),
    ],
)
def test_failures_of_the_item_itself(status: int | None, code: str | None, ours: str, retryable: bool) -> None:
    fault = judged(status, code)
    assert type(fault) is RowError
    assert (fault.code, fault.retryable, fault.request_id) == (ours, retryable, "r-1")
    assert "What happened." in fault.message


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (401, "InvalidApiKey", "Invalid API-key provided."),
        (400, "Arrearage", "Access denied, please make sure your account is in good standing."),
        (403, "AccessDenied", "Access denied."),
        (403, "AccessDenied.Unpurchased", "Access to model denied."),
        (403, "Model.AccessDenied", "Model access denied."),
        (403, "AllocationQuota.FreeTierOnly", "The free tier of the model has been exhausted."),
        (404, "ModelNotFound", "Model can not be found."),
        (429, "CommodityNotPurchased", "Commodity has not purchased yet."),
        (429, "PrepaidBillOverdue", "The prepaid bill is overdue."),
        (429, "PostpaidBillOverdue", "The postpaid bill is overdue."),
        (429, "Throttling.AllocationQuota", "Free allocated quota exceeded."),
        (429, "AllocationQuota", "Free allocated quota exceeded."),
        (200, "Arrearage", "Access denied."),
        (401, None, ""),
        (403, "SomethingNew", ""),
        (404, "Unknown", "<html>not found</html>"),
    ],
)
def test_what_stops_the_run(status: int, code: str | None, message: str) -> None:
    fault = judged(status, code, message)
    assert isinstance(fault, StoppedError)
    assert fault.exit_code == 5
    assert fault.message.endswith(".")
    assert "r-1" in fault.message
    assert fault.remedy.endswith(".")
    if code not in {None, "Unknown", "SomethingNew"}:
        assert str(code) in fault.message


@pytest.mark.parametrize("code", ["InvalidApiKey", "InvalidParameter", "Throttling", "InternalError", "New", None])
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 429, 500])
def test_a_key_that_is_repeated_is_shown_nowhere(status: int, code: str | None) -> None:
    fault = judged(status, code, "Incorrect key sk-abcDEF123 in data:image/jpeg;base64,abcDEF123")
    assert "abcDEF123" not in repr(fault)
    assert "abcDEF123" not in str(fault)


@settings(deadline=None)
@given(st.none() | st.integers(100, 599), st.none() | st.text(), st.text())
def test_every_answer_is_judged(status: int | None, code: str | None, message: str) -> None:
    fault = judged(status, code, message)
    if isinstance(fault, RowError):
        assert fault.code.replace("_", "").isalnum()
        assert len(fault.message) < 250
    else:
        assert isinstance(fault, StoppedError)
