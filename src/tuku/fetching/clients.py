"""The event loop of a fetcher and the clients on it; each starts with the first URI that needs it."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from tuku.config import FetchConfig
from tuku.errors import RowError
from tuku.fetching.guard import Guard
from tuku.fetching.protocol import Fetched, NotModified, Validators
from tuku.storage.opening import package_needed

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tuku.fetching.buckets import BucketClient
    from tuku.fetching.http import HttpClient, Resolve
    from tuku.loop import LoopThread
    from tuku.retry import RetryPolicy

Outcomes = list[Fetched | NotModified | RowError]
_Client = TypeVar("_Client")


class Clients:
    """What downloads, for all callers of a fetcher.

    Args:
        config: limits and guards.
        guard: what may be talked to.
        policy: how often and when to try again; None: three times.
        resolve: looks host names up, in place of the system's resolver.
    """

    def __init__(
        self, config: FetchConfig, guard: Guard, policy: RetryPolicy | None, resolve: Resolve | None = None
    ) -> None:
        self._config, self._guard, self._policy, self._resolve = config, guard, policy, resolve
        self._starting = threading.Lock()
        self._loop: LoopThread | None = None
        self._http: HttpClient | None = None
        self._buckets: BucketClient | None = None

    @property
    def policy(self) -> RetryPolicy:
        """How often and when to try again."""
        from tuku.retry import RetryPolicy

        return self._policy or RetryPolicy()

    def close(self) -> None:
        """Close all connections and end the thread; asking again would start anew."""
        with self._starting:
            loop, http = self._loop, self._http
            self._loop = self._http = self._buckets = None
        if loop is not None:
            atexit.unregister(self.close)
            if http is not None:
                loop.run(http.close())
            loop.close()

    def fetch_web(self, uris: Sequence[str], known: Mapping[str, Validators]) -> Future[Outcomes]:
        """Begin to download from http and https."""
        loop, client = self.http()
        return loop.submit(client.fetch_all(uris, known))

    def fetch_objects(self, uris: Sequence[str], known: Mapping[str, Validators]) -> Future[Outcomes]:
        """Begin to download from object stores.

        Raises:
            ConfigError: the package for that is missing.
        """
        with package_needed("An object store"):
            from tuku.fetching.buckets import BucketClient

        with self._starting:
            if self._buckets is None:
                self._buckets = self._made(lambda: BucketClient(self._config, self._guard, self.policy))
            return self._running().submit(self._buckets.fetch_all(uris, known))

    def http(self) -> tuple[LoopThread, HttpClient]:
        """The client for http and https, and the loop that it is used on."""
        # aiohttp is not imported before the first URL: local catalogues do without it.
        from tuku.fetching.http import HttpClient

        with self._starting:
            if self._http is None:
                self._http = self._made(lambda: HttpClient(self._config, self._guard, self.policy, self._resolve))
            return self._running(), self._http

    def _made(self, make: Callable[[], _Client]) -> _Client:
        async def made() -> _Client:
            return make()

        return self._running().run(made())

    def _running(self) -> LoopThread:
        from tuku.loop import LoopThread

        if self._loop is None:
            self._loop = LoopThread("fetch")
            # Not every owner closes (an actor is just dropped), and aiohttp complains of open sessions.
            atexit.register(self.close)
        return self._loop
