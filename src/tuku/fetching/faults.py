"""What went wrong with a request, told by the exception's type or the answer's status, never by a message's text."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp

from tuku.errors import RowError
from tuku.fetching.guard import blocked_address
from tuku.fetching.urls import redact
from tuku.retry import ThrottledError

# Faults that the next attempt would meet again.
_LASTING: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
    ((aiohttp.ClientSSLError, ssl.SSLError), "tls_failed", "no trusted TLS connection"),
    ((aiohttp.InvalidURL,), "bad_url", "not a URL that can be fetched"),
    ((aiohttp.ClientResponseError,), "bad_response", "the answer is not HTTP as it should be"),
)


class BlockedAddressError(OSError):
    """A host has addresses, and none of them may be connected to. It is an OSError so that aiohttp wraps it."""


def fault_of_request(error: Exception, shown: str, *, answered: bool) -> RowError:
    """The outcome of a request that broke off.

    Args:
        error: what aiohttp raised. Its text is not passed on: it may hold credentials and query strings.
        shown: the redacted URL.
        answered: whether the answer's header had come.
    """
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, BlockedAddressError):
        return blocked_address(shown)
    if isinstance(error, asyncio.TimeoutError):
        return timed_out(shown)
    for kinds, code, message in _LASTING:
        if isinstance(error, kinds) or isinstance(cause, kinds):
            return RowError(code, f"{shown}: {message} ({type(cause).__name__}).")
    code, message = "connection_failed", "no connection"
    if isinstance(cause, socket.gaierror):
        code, message = "dns_failed", "the host's name has no address"
    elif answered:
        code, message = "incomplete_download", "the connection broke off half-way"
    return RowError(code, f"{shown}: {message} ({type(cause).__name__}).", retryable=True)


def fault_of_status(response: aiohttp.ClientResponse) -> RowError:
    """The outcome of an answer that is not 200."""
    status = response.status
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "unknown"
    code, message = f"http_{status}", f"{redact(str(response.url))}: the server says {status} {phrase}."
    retry_after_s = _seconds(response.headers.get("Retry-After", ""))
    retryable = status in {408, 425, 429} or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if retryable and retry_after_s > 0:
        return ThrottledError(code, message, retryable=True, retry_after_s=retry_after_s)
    return RowError(code, message, retryable=retryable)


def timed_out(shown: str) -> RowError:
    """For a file that was not there in time."""
    return RowError("timeout", f"{shown} did not arrive in time (fetch.timeout_s).", retryable=True)


def _seconds(retry_after: str) -> float:
    """RFC 9110, 10.2.3: a number of seconds, or a date."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0
