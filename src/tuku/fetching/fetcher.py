"""The fetcher that the job uses: local files directly, the others over HTTP or from object stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tuku.config import FetchConfig
from tuku.errors import ConfigError, RowError
from tuku.fetching.clients import Clients, Outcomes
from tuku.fetching.files import read_file
from tuku.fetching.guard import Guard, blocked_scheme
from tuku.fetching.protocol import Fetched, NotModified, Validators
from tuku.fetching.urls import redact, scheme_of
from tuku.uris import STORES

if TYPE_CHECKING:
    from concurrent.futures import Future

    from typing_extensions import Self

    from tuku.fetching.http import Resolve
    from tuku.retry import RetryPolicy

_HTTP = {"http", "https"}


class GuardedFetcher:
    """Fetches files within the limits of the configuration and past no guard (see `guard.Guard`).

    One event loop in a background thread, one HTTP session and one client for object stores serve all callers; each
    starts with the first URI that needs it. Transient failures are tried again, each time with `config.timeout_s` for
    the whole file, redirects included.

    Args:
        config: limits and guards.
        policy: how often and when to try again; three times by default.
        resolve: looks host names up, in place of the system's resolver.
        guard: by default the configured one.

    Raises:
        ConfigError: an entry of `fetch.allowed_hosts` is no host.
    """

    def __init__(
        self,
        config: FetchConfig,
        *,
        policy: RetryPolicy | None = None,
        resolve: Resolve | None = None,
        guard: Guard | None = None,
    ) -> None:
        self._config = config
        self._guard = guard or Guard.of(config)
        self._clients = Clients(config, self._guard, policy, resolve)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections and end the thread; fetching again would start anew."""
        self._clients.close()

    def fetch(self, uris: Sequence[str]) -> list[Fetched | RowError]:
        """One outcome for each URI (or local path), in order; local files are read while the others download."""
        return [file for file in self.fetch_changed(uris, {}) if not isinstance(file, NotModified)]

    def fetch_changed(
        self, uris: Sequence[str], known: Mapping[str, Validators]
    ) -> list[Fetched | NotModified | RowError]:
        """As `fetch`, but `NotModified` for a served file that is still the one that is known."""
        found: dict[str, Fetched | NotModified | RowError] = {}
        here: list[tuple[str, str]] = []
        web: list[str] = []
        objects: list[str] = []
        for uri in dict.fromkeys(uris):
            scheme = scheme_of(uri)
            if scheme in _HTTP:
                web.append(uri)
            elif scheme in STORES and scheme in self._guard.schemes:
                objects.append(uri)
            else:
                here.append((uri, scheme))
        downloads = self._downloads(web, objects, known, found)
        for uri, scheme in here:
            found[uri] = self._local(uri, scheme)
        _collect(downloads, found)
        return [found[uri] for uri in uris]

    def _downloads(
        self,
        web: Sequence[str],
        objects: Sequence[str],
        known: Mapping[str, Validators],
        found: dict[str, Fetched | NotModified | RowError],
    ) -> list[tuple[Sequence[str], Future[Outcomes]]]:
        """What was begun; where nothing can be, `found` says so."""
        downloads = [(web, self._clients.fetch_web(web, known))] if web else []
        if objects:
            try:
                downloads.append((objects, self._clients.fetch_objects(objects, known)))
            except ConfigError as error:
                found.update((uri, RowError("store_not_configured", str(error))) for uri in objects)
        return downloads

    def _local(self, uri: str, scheme: str) -> Fetched | RowError:
        if scheme != "file" and scheme not in STORES:
            return RowError("unsupported_scheme", f"{redact(uri)}: '{scheme[:20]}:' is not supported.")
        if scheme not in self._guard.schemes:
            return blocked_scheme(scheme)
        return read_file(uri, self._config.max_bytes)


def _collect(
    downloads: Sequence[tuple[Sequence[str], Future[Outcomes]]], found: dict[str, Fetched | NotModified | RowError]
) -> None:
    """Wait for what was begun; all of it is cancelled if the waiting is interrupted."""
    try:
        for uris, future in downloads:
            found.update(zip(uris, future.result(), strict=True))
    except BaseException:
        for _, future in downloads:
            future.cancel()
        raise
