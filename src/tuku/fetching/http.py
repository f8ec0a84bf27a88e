"""Downloads: one aiohttp session, redirects followed by hand so that every hop passes the guard."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from tuku import __version__
from tuku.config import FetchConfig
from tuku.errors import RowError
from tuku.fetching.body import read_body
from tuku.fetching.faults import BlockedAddressError, fault_of_request, fault_of_status, timed_out
from tuku.fetching.guard import Guard
from tuku.fetching.protocol import Fetched, NotModified, Validators
from tuku.fetching.urls import next_url, parse_url, redact

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy
    from yarl import URL

    from tuku.retry import RetryPolicy

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The IP addresses of a host name, for a port; `socket.gaierror` if it has none."""

_HEADERS = {"User-Agent": f"tuku/{__version__}", "Accept": "image/*, */*;q=0.5", "Accept-Encoding": "identity"}
_UNKNOWN = Validators()
_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True)
class Download:
    """One file to get: from where, where to, and within which limits (for all hops together)."""

    uri: str
    write: Callable[[bytes], object]
    max_bytes: int
    timeout_s: float
    known: Validators = _UNKNOWN

    def conditions(self) -> dict[str, str]:
        """The header's lines that make the request conditional (RFC 9110, 13.1); only ASCII can be sent back."""
        lines = {"If-None-Match": self.known.etag, "If-Modified-Since": self.known.last_modified}
        return {name: value for name, value in lines.items() if value and value.isascii()}


class HttpClient:
    """Downloads files on the running event loop, `config.concurrency` at a time."""

    def __init__(self, config: FetchConfig, guard: Guard, policy: RetryPolicy, resolve: Resolve | None = None) -> None:
        self._config = config
        self._guard = guard
        self._policy = policy
        # Waiting for a turn happens here and not in the connector, where it would count as the server's time.
        self._turns = asyncio.Semaphore(config.concurrency)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=config.concurrency, resolver=_GuardedResolver(guard, resolve or _look_up)
            ),
            headers=_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def fetch_all(
        self, uris: Sequence[str], known: Mapping[str, Validators]
    ) -> list[Fetched | NotModified | RowError]:
        """One outcome for each URI, in order; transient failures were tried again."""
        tries = (partial(self._fetch, uri, known.get(uri, _UNKNOWN)) for uri in uris)
        return await asyncio.gather(*map(self._policy.call_async, tries))

    async def download(self, job: Download) -> CIMultiDictProxy[str] | RowError | None:
        """Try once: the final answer's header, after its body was handed to `job.write`; None: not modified."""
        async with self._turns:
            try:
                return await self._follow(job)
            except RowError as error:
                return replace(error)  # without its traceback, which would keep the body so far in memory

    async def _fetch(self, uri: str, known: Validators) -> Fetched | NotModified | RowError:
        blocks: list[bytes] = []
        job = Download(uri, blocks.append, self._config.max_bytes, self._config.timeout_s, known)
        header = await self.download(job)
        if isinstance(header, RowError):
            return header
        if header is None:
            return NotModified()
        if not any(blocks):
            return RowError("empty", f"{redact(uri)} has no content.")
        return Fetched(b"".join(blocks), header.get("ETag"), header.get("Last-Modified"))

    async def _follow(self, job: Download) -> CIMultiDictProxy[str] | None:
        deadline = asyncio.get_running_loop().time() + job.timeout_s
        url = parse_url(job.uri)
        for _ in range(self._config.max_redirects + 1):
            self._guard.check_url(url)
            answer = await self._hop(url, job, deadline)
            if not isinstance(answer, str):
                return answer
            url = next_url(url, answer)
            # Dates compare versions of one address: another one may lead to a file that is older and not the same.
            job = replace(job, known=Validators(job.known.etag))
        raise RowError("too_many_redirects", f"{redact(job.uri)}: more than {self._config.max_redirects} redirects.")

    async def _hop(self, url: URL, job: Download, deadline: float) -> CIMultiDictProxy[str] | str | None:
        """Ask one server: the answer's header, its body being written, or where else to ask; None: not modified."""
        remaining_s = deadline - asyncio.get_running_loop().time()
        if remaining_s <= 0:
            raise timed_out(redact(str(url)))
        timeout = aiohttp.ClientTimeout(total=remaining_s)
        answered = False
        try:
            conditions = job.conditions()
            async with self._session.get(url, headers=conditions, allow_redirects=False, timeout=timeout) as response:
                answered = True
                if response.status == HTTPStatus.NOT_MODIFIED and conditions:
                    return None
                if response.status in _REDIRECTS and "Location" in response.headers:
                    return response.headers["Location"]
                if response.status != HTTPStatus.OK:
                    raise fault_of_status(response)
                await read_body(response, job.max_bytes, job.write)
                return response.headers
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise fault_of_request(error, redact(str(url)), answered=answered) from error


class _GuardedResolver(AbstractResolver):
    """Resolves names and drops what may not be connected to.

    aiohttp connects to exactly the addresses returned here and looks nothing up again, so a name server that first
    gives a harmless answer and then another (DNS rebinding) gains nothing.
    """

    def __init__(self, guard: Guard, resolve: Resolve) -> None:
        self._guard = guard
        self._resolve = resolve

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002  # as in aiohttp
    ) -> list[ResolveResult]:
        addresses = await self._resolve(host, port)
        allowed = [address for address in addresses if self._guard.may_connect(address)]
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        if not allowed:
            raise BlockedAddressError(f"{host} has no public address")
        return [_result(host, port, address) for address in allowed]

    async def close(self) -> None:
        """Nothing to close."""


def _result(host: str, port: int, address: str) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )


async def _look_up(host: str, port: int) -> list[str]:
    """Ask the system's resolver."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
    except UnicodeError:  # a label that is too long for DNS
        raise socket.gaierror(socket.EAI_NONAME, "no such name") from None
    return [str(address[0]) for *_, address in found]
