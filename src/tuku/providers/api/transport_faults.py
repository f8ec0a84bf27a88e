"""Requests that ended without an answer, by the type of what was raised."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl

import aiohttp

from tuku.errors import RowError
from tuku.providers.api.verdicts import Unavailable

# A base of the timeouts of `requests` and httpx: named, because neither library is one of ours.
_TIMEOUT_NAMES = {"Timeout", "TimeoutException"}

# The network's or the server's, in the order in which they are looked for: each later kind holds some earlier ones.
_UNAVAILABLE: tuple[tuple[tuple[type[BaseException], ...], str, str], ...] = (
    ((TimeoutError, asyncio.TimeoutError), "timeout", "no whole answer within retry.request_timeout_s"),
    ((ssl.SSLError, aiohttp.ClientSSLError), "tls_failed", "no trusted TLS connection to the service"),
    ((socket.gaierror,), "dns_failed", "the service's name has no address"),
    (
        (aiohttp.ClientProxyConnectionError,),
        "connection_failed",
        "no connection to the proxy (HTTPS_PROXY, HTTP_PROXY)",
    ),
    ((ConnectionRefusedError, aiohttp.ClientConnectorError), "connection_failed", "no connection to the service"),
    ((OSError, EOFError, aiohttp.ClientError), "connection_reset", "the connection broke off"),
)
# What the SDKs raise over an answer that is cut, is no JSON, or is JSON of another shape.
_BAD_ANSWERS = (ValueError, TypeError, LookupError, AttributeError, aiohttp.ClientResponseError)


def exception_fault(error: BaseException) -> RowError:
    """The outcome of a request that broke off.

    Args:
        error: what aiohttp, requests, httpx, json or an SDK raised. Its text is not passed on: it may hold addresses
            with credentials, or the request.

    Returns:
        `Unavailable` where the network or the server did not answer, a retryable ``bad_answer`` where it answered
        nonsense, and for what never reached the network, or is unknown, an error that is not retryable.
    """
    kind = type(error).__name__
    if isinstance(error, aiohttp.InvalidURL):
        return RowError("bad_url", "neither base_url nor the variable in its place is an address")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return Unavailable("connection_failed", f"the proxy (HTTPS_PROXY, HTTP_PROXY) refused: HTTP {error.status}")
    if isinstance(error, json.JSONDecodeError) or (isinstance(error, _BAD_ANSWERS) and not isinstance(error, OSError)):
        return RowError("bad_answer", f"the answer cannot be read ({kind})", retryable=True)
    seen = [error, error.os_error] if isinstance(error, aiohttp.ClientConnectorError) else [error]
    if _TIMEOUT_NAMES & {base.__name__ for base in type(error).__mro__}:
        seen.append(TimeoutError())
    for kinds, code, message in _UNAVAILABLE:
        if any(isinstance(one, kinds) for one in seen):
            return Unavailable(code, f"{message} ({kind})")
    return RowError("unexpected_error", f"the request could not be sent ({kind})")
