"""http(s): one event loop, one session, redirects followed by hand so that each hop is checked."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from tuku.errors import RowError
from tuku.fetching.files import too_large
from tuku.fetching.guard import Guard, literal_address, shown

if TYPE_CHECKING:
    from tuku.config import FetchConfig

_REDIRECTS = {301, 302, 303, 307, 308}
_OK = 200
_RETRYABLE = {408, 425, 429}
_SERVER_ERRORS = range(500, 600)
_CHUNK_BYTES = 64 * 1024
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)
"""`download` has one of its own, around redirects and all."""


@dataclass(frozen=True)
class Fetched:
    """A file's bytes, and what the server says of its version (None for local files)."""

    content: bytes
    etag: str | None = None
    last_modified: str | None = None


class GuardedResolver(AbstractResolver):
    """Gives the connector only addresses that the guard has passed: there is no second look-up to fool."""

    def __init__(self, guard: Guard, resolver: AbstractResolver | None = None) -> None:
        self._guard = guard
        self._resolver = resolver or aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses of a host.

        Raises:
            RowError: ``blocked_address`` as soon as one of them is not allowed.
        """
        results = await self._resolver.resolve(host, port, family)
        for result in results:
            address = literal_address(result["host"])
            if address is not None:
                self._guard.check_address(host, address)
        return results

    async def close(self) -> None:
        """Close the resolver beneath."""
        await self._resolver.close()


def open_session(config: FetchConfig, resolver: AbstractResolver | None = None) -> aiohttp.ClientSession:
    """A session for the running loop: no proxies, no netrc, no cookies, and guarded addresses."""
    connector = aiohttp.TCPConnector(
        limit=config.concurrency, resolver=GuardedResolver(Guard(config), resolver), ttl_dns_cache=60
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        # Compressed answers could be bombs; images gain nothing from compression.
        headers={"Accept-Encoding": "identity", "User-Agent": "tuku"},
        auto_decompress=False,
    )


async def download(session: aiohttp.ClientSession, url: str, config: FetchConfig) -> Fetched:
    """A whole file within the limits of `config`.

    Raises:
        RowError: with a code that says why not; never an exception of aiohttp's.
    """
    try:
        return await asyncio.wait_for(_download(session, url, config), config.timeout_s)
    except (asyncio.TimeoutError, TimeoutError):
        message = f"{shown(url)} took longer than fetch.timeout_s ({config.timeout_s:g} s)."
        raise RowError("timeout", message, retryable=True) from None


async def _download(session: aiohttp.ClientSession, url: str, config: FetchConfig) -> Fetched:
    async with stream(session, url, config) as response:
        content = await _body(response, url, config.max_bytes)
        return Fetched(content, response.headers.get("ETag"), response.headers.get("Last-Modified"))


@contextlib.asynccontextmanager
async def stream(
    session: aiohttp.ClientSession, url: str, config: FetchConfig
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer to a GET after redirects, its body still to be read.

    Raises:
        RowError: as `download`.
    """
    guard = Guard(config)
    asked = url
    for _ in range(config.max_redirects + 1):
        parts = guard.check_url(url)
        with _row_errors(url):
            async with session.get(_as_yarl(url), allow_redirects=False, timeout=_NO_TIMEOUT) as response:
                location = response.headers.get("Location")
                if response.status not in _REDIRECTS or not location:
                    _check_status(response, url)
                    yield response
                    return
        url = urljoin(f"{parts.scheme}://{parts.netloc}{parts.path}", location)
    raise RowError("too_many_redirects", f"{shown(asked)} redirects more than {config.max_redirects} times.")


def _as_yarl(url: str) -> URL:
    try:
        return URL(url)
    except ValueError:
        raise RowError("bad_url", f"{shown(url)} is not a URL.") from None


def _check_status(response: aiohttp.ClientResponse, url: str) -> None:
    status = response.status
    if status != _OK:
        retryable = status in _RETRYABLE or status in _SERVER_ERRORS
        raise RowError(f"http_{status}", f"{shown(url)} answered with {status}.", retryable=retryable)
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding not in {"", "identity"}:
        raise RowError("unsupported_encoding", f"{shown(url)} sends {encoding} although it was asked not to.")


async def _body(response: aiohttp.ClientResponse, url: str, max_bytes: int) -> bytes:
    if (response.content_length or 0) > max_bytes:
        raise too_large(shown(url), max_bytes)
    content = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        content += chunk
        if len(content) > max_bytes:
            raise too_large(shown(url), max_bytes)
    if not content:
        raise RowError("empty", f"{shown(url)} is empty.")
    return bytes(content)


@contextlib.contextmanager
def _row_errors(url: str) -> Iterator[None]:
    """What can go wrong on the wire, by type."""
    where = shown(url)
    try:
        yield
    except aiohttp.ClientConnectorDNSError:
        raise RowError("dns_failed", f"The host of {where} cannot be found.", retryable=True) from None
    except (aiohttp.ClientSSLError, ssl.SSLError):
        raise RowError("tls_failed", f"{where} has no valid certificate.") from None
    except aiohttp.InvalidURL:
        raise RowError("bad_url", f"{where} is not a URL.") from None
    except aiohttp.ClientPayloadError:
        raise RowError("incomplete_download", f"{where} ended early.", retryable=True) from None
    except aiohttp.ClientResponseError:
        raise RowError("bad_response", f"{where} does not answer as HTTP does.", retryable=True) from None
    except (aiohttp.ClientError, ConnectionError) as error:
        message = f"{where} cannot be reached ({type(error).__name__})."
        raise RowError("connection_failed", message, retryable=True) from None
