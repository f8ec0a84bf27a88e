from __future__ import annotations

import asyncio
import json
import socket
import ssl
from unittest.mock import Mock

import aiohttp
import httpx
import pytest
import requests
from aiohttp.client_reqrep import ConnectionKey

from tuku.errors import RowError
from tuku.providers.api.transport_faults import exception_fault
from tuku.providers.api.verdicts import Unavailable

KEY = ConnectionKey("secret-host", 443, True, True, None, None, None)


def json_error() -> json.JSONDecodeError:
    return json.JSONDecodeError("Expecting value: secret", '{"output": {"cho', 12)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (asyncio.TimeoutError(), "timeout"),
        (TimeoutError("secret"), "timeout"),
        (aiohttp.ServerTimeoutError("secret"), "timeout"),
        (aiohttp.ConnectionTimeoutError("secret"), "timeout"),
        (requests.ReadTimeout("secret"), "timeout"),
        (httpx.ReadTimeout("secret"), "timeout"),
        (aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(-2, "secret")), "dns_failed"),
        (aiohttp.ClientConnectorError(KEY, ConnectionRefusedError(111, "secret")), "connection_failed"),
        (aiohttp.ClientProxyConnectionError(KEY, ConnectionRefusedError(111, "secret")), "connection_failed"),
        (aiohttp.ClientConnectorError(KEY, TimeoutError(110, "secret")), "timeout"),
        (aiohttp.ClientConnectorSSLError(KEY, OSError(1, "secret")), "tls_failed"),
        (aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError("secret")), "tls_failed"),
        (aiohttp.ServerDisconnectedError("secret"), "connection_reset"),
        (aiohttp.ClientOSError(104, "secret"), "connection_reset"),
        (aiohttp.ClientPayloadError("secret"), "connection_reset"),
        (ConnectionResetError(104, "secret"), "connection_reset"),
        (BrokenPipeError(32, "secret"), "connection_reset"),
        (requests.ConnectionError("secret"), "connection_reset"),
    ],
)
def test_a_service_that_does_not_answer(error: BaseException, code: str) -> None:
    fault = exception_fault(error)
    assert isinstance(fault, Unavailable)
    assert (fault.code, fault.retryable) == (code, True)
    assert type(error).__name__ in fault.message
    assert "secret" not in fault.message


@pytest.mark.parametrize(
    "error",
    [
        json_error(),
        requests.JSONDecodeError("secret", "{", 1),
        aiohttp.ContentTypeError(Mock(), (), message="secret"),
        TypeError("argument of type 'NoneType' is not iterable: secret"),
        KeyError("secret"),
        AttributeError("secret"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "secret"),
    ],
)
def test_an_answer_that_cannot_be_read(error: BaseException) -> None:
    fault = exception_fault(error)
    assert type(fault) is RowError
    assert (fault.code, fault.retryable) == ("bad_answer", True)
    assert "secret" not in fault.message


def test_a_proxy_that_refuses_is_named() -> None:
    fault = exception_fault(aiohttp.ClientHttpProxyError(Mock(), (), status=407, message="secret"))
    assert isinstance(fault, Unavailable)
    assert (fault.code, "HTTPS_PROXY" in fault.message, "407" in fault.message) == ("connection_failed", True, True)
    assert "secret" not in fault.message


def test_what_asking_again_cannot_mend() -> None:
    wrong = exception_fault(aiohttp.InvalidURL("http://secret"))
    assert (wrong.code, wrong.retryable, "secret" in wrong.message) == ("bad_url", False, False)
    unknown = exception_fault(RuntimeError("secret"))
    assert (unknown.code, unknown.retryable) == ("unexpected_error", False)
    assert "RuntimeError" in unknown.message
    assert "secret" not in unknown.message
