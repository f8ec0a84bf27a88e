from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from tuku.errors import RowError
from tuku.providers.api.verdicts import Throttled, Unavailable
from tuku.retry import ThrottledError


def test_verdicts_are_retryable_row_errors() -> None:
    throttled, unavailable = Throttled("throttled", "slower"), Unavailable("server_error", "HTTP 500")
    assert isinstance(throttled, ThrottledError)
    assert isinstance(unavailable, RowError)
    assert throttled.retryable
    assert unavailable.retryable
    assert throttled.kind == "requests"


@pytest.mark.parametrize(
    "verdict",
    [
        Throttled("throttled", "slower", request_id="r", retry_after_s=2.5, kind="burst"),
        Unavailable("timeout", "nothing came", attempts=3),
    ],
)
def test_verdicts_travel_between_processes(verdict: RowError) -> None:
    travelled = pickle.loads(pickle.dumps(verdict))
    assert (type(travelled), travelled) == (type(verdict), verdict)
    assert replace(verdict, attempts=7).attempts == 7
