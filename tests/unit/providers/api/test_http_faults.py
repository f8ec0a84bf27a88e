from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from tuku.errors import RowError, StoppedError
from tuku.providers.api.http_faults import fault_of_status, retry_after_s
from tuku.providers.api.verdicts import Throttled, Unavailable


@pytest.mark.parametrize(
    ("status", "kind", "code", "retryable"),
    [
        (None, RowError, "bad_answer", True),
        (200, RowError, "bad_answer", True),
        (400, RowError, "http_400", False),
        (408, RowError, "http_408", True),
        (413, RowError, "request_too_large", False),
        (418, RowError, "http_418", False),
        (429, Throttled, "throttled", True),
        (500, Unavailable, "server_error", True),
        (502, Unavailable, "server_error", True),
        (503, Unavailable, "server_error", True),
        (599, Unavailable, "server_error", True),
    ],
)
def test_the_status_decides(status: int | None, kind: type[RowError], code: str, retryable: bool) -> None:
    fault = fault_of_status(status, "<html>\nsorry", retry_after_s=None, request_id="r-1")
    assert type(fault) is kind
    assert isinstance(fault, RowError)
    assert (fault.code, fault.retryable, fault.request_id) == (code, retryable, "r-1")
    assert "<html> sorry" in fault.message


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_what_every_request_would_meet_stops_the_run(status: int) -> None:
    fault = fault_of_status(status, "key abcDEF123 is wrong", retry_after_s=None, request_id="r-1")
    assert isinstance(fault, StoppedError)
    assert fault.exit_code == 5
    assert f"HTTP {status}, request r-1" in fault.message
    assert fault.remedy
    assert "abcDEF123" not in str(fault)


def test_how_long_to_wait_is_passed_on() -> None:
    fault = fault_of_status(429, "", retry_after_s=7.0, request_id=None)
    assert isinstance(fault, Throttled)
    assert fault.retry_after_s == 7.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"RETRY-AFTER": " 10 "}, 10.0),
        ({"Retry-After": "-1"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "Wed, 01 Jan 2020 00:00:00 GMT"}, 0.0),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


def test_retry_after_a_date() -> None:
    seconds = retry_after_s({"Retry-After": formatdate(time.time() + 60, usegmt=True)})
    assert seconds is not None
    assert 50 < seconds <= 60
