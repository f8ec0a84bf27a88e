"""The fetcher that a worker holds: any URI in, bytes or a reason out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tuku.config import FetchConfig
from tuku.errors import RowError
from tuku.fetching.files import read_file
from tuku.fetching.http import Fetched, download, open_session
from tuku.retry import RetryPolicy

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import AbstractResolver

__all__ = ["Fetched", "GuardedFetcher"]

_HTTP = ("http://", "https://")


class GuardedFetcher:
    """Local files are read where they are asked for; http(s) goes through one session on one event loop.

    The loop runs in a thread that starts with the first URL. Safe to call from several threads at once.

    Args:
        config: limits and guards.
        retry: for failures that may pass; `fetch.timeout_s` is for each attempt.
        resolver: looks hosts up; the system's if None.
    """

    def __init__(
        self, config: FetchConfig, retry: RetryPolicy | None = None, resolver: AbstractResolver | None = None
    ) -> None:
        self._config = config
        self._retry = retry or RetryPolicy()
        self._resolver = resolver
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: aiohttp.ClientSession | None = None

    def fetch(self, uris: Sequence[str]) -> list[Fetched | RowError]:
        """The files' bytes, or why they could not be had, in order. Remote files are fetched at the same time."""
        coming = {
            position: self._submit(self._remote(uri)) for position, uri in enumerate(uris) if _is_http(uri)
        }
        return [
            coming[position].result() if position in coming else self._local(uri) for position, uri in enumerate(uris)
        ]

    def close(self) -> None:
        """End the session and its thread."""
        with self._lock:
            loop, session, self._loop, self._session = self._loop, self._session, None, None
        if loop is not None and session is not None:
            asyncio.run_coroutine_threadsafe(session.close(), loop).result()
            loop.call_soon_threadsafe(loop.stop)

    def __enter__(self) -> GuardedFetcher:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _local(self, uri: str) -> Fetched | RowError:
        scheme, separator, rest = uri.partition("://")
        try:
            if separator and scheme.lower() != "file":
                raise RowError("unsupported_scheme", f"{scheme}:// cannot be fetched.")
            if "file" not in self._config.schemes:
                raise RowError("blocked_scheme", "file is not among fetch.schemes.")
            path = unquote(urlsplit(uri).path) if separator and rest else uri
            return Fetched(read_file(path, self._config.max_bytes))
        except RowError as error:
            return error

    async def _remote(self, uri: str) -> Fetched | RowError:
        if self._session is None:
            self._session = open_session(self._config, self._resolver)
        session = self._session
        try:
            return await self._retry.run(lambda: download(session, uri, self._config))
        except RowError as error:
            return error

    def _submit(self, work: Coroutine[Any, Any, Fetched | RowError]) -> Future[Fetched | RowError]:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="fetch", daemon=True).start()
            return asyncio.run_coroutine_threadsafe(work, self._loop)


def _is_http(uri: str) -> bool:
    return uri[:8].lower().startswith(_HTTP)
