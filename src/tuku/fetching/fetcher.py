"""The fetcher that the job uses: local files directly, the others over HTTP."""

from __future__ import annotations

import atexit
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from tuku.config import FetchConfig
from tuku.errors import ManifestError, RowError
from tuku.fetching.files import read_file
from tuku.fetching.guard import Guard, blocked_scheme
from tuku.fetching.protocol import Fetched, NotModified, Validators
from tuku.fetching.urls import redact, scheme_of

if TYPE_CHECKING:
    from typing_extensions import Self

    from tuku.fetching.http import HttpClient, Resolve
    from tuku.loop import LoopThread
    from tuku.retry import RetryPolicy

_HTTP = {"http", "https"}
MANIFEST_MAX_BYTES = 20_000_000_000
MANIFEST_TIMEOUT_S = 3_600.0


class GuardedFetcher:
    """Fetches files within the limits of the configuration and past no guard (see `guard.Guard`).

    One event loop in a background thread and one HTTP session serve all callers; both start with the first URL.
    Transient failures are tried again, each time with `config.timeout_s` for the whole file, redirects included.

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
        self._policy = policy
        self._resolve = resolve
        self._starting = threading.Lock()
        self._running: tuple[LoopThread, HttpClient] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections and end the thread; fetching again would start anew."""
        with self._starting:
            running, self._running = self._running, None
        if running is not None:
            atexit.unregister(self.close)
            loop, client = running
            loop.run(client.close())
            loop.close()

    def fetch(self, uris: Sequence[str]) -> list[Fetched | RowError]:
        """One outcome for each URI (or local path), in order; local files are read while the others download."""
        return [file for file in self.fetch_changed(uris, {}) if not isinstance(file, NotModified)]

    def fetch_changed(
        self, uris: Sequence[str], known: Mapping[str, Validators]
    ) -> list[Fetched | NotModified | RowError]:
        """As `fetch`, but `NotModified` for a served file that is still the one that is known."""
        schemes = {uri: scheme_of(uri) for uri in uris}
        remote = [uri for uri, scheme in schemes.items() if scheme in _HTTP]
        found: dict[str, Fetched | NotModified | RowError] = {}
        if remote:
            from tuku.loop import wait

            loop, client = self._started()
            downloads = loop.submit(client.fetch_all(remote, known))
        for uri, scheme in schemes.items():
            if scheme not in _HTTP:
                found[uri] = self._local(uri, scheme)
        if remote:
            files = wait(downloads)
            found.update(zip(remote, files, strict=True))
        return [found[uri] for uri in uris]

    def open_stream(
        self, uri: str, *, max_bytes: int = MANIFEST_MAX_BYTES, timeout_s: float = MANIFEST_TIMEOUT_S
    ) -> BinaryIO:
        """Download a whole remote manifest into a temporary file, past the same guards, and open that.

        Args:
            uri: http or https.
            max_bytes: the limit that stands in the place of `config.max_bytes`.
            timeout_s: likewise for `config.timeout_s`, for each attempt.

        Returns:
            A seekable file at its start; it is gone once it is closed.

        Raises:
            ManifestError: it could not be downloaded.
        """
        if scheme_of(uri) not in _HTTP:
            raise ManifestError(f"Cannot download {redact(uri)}.", "Only http:// and https:// can be downloaded.")
        file = tempfile.TemporaryFile()  # noqa: SIM115  # it is the caller who closes it
        try:
            self._download(uri, file, max_bytes, timeout_s)
        except BaseException:
            file.close()
            raise
        return cast("BinaryIO", file)

    def _download(self, uri: str, file: IO[bytes], max_bytes: int, timeout_s: float) -> None:
        from tuku.fetching.http import Download

        loop, client = self._started()

        async def attempt() -> object:
            file.seek(0)
            file.truncate()
            return await client.download(Download(uri, partial(_keep, file), max_bytes, timeout_s))

        outcome = loop.run(self._retry_policy().call_async(attempt))
        if isinstance(outcome, RowError):
            raise ManifestError(f"Cannot download the manifest ({outcome.code}): {outcome.message}")
        file.seek(0)

    def _local(self, uri: str, scheme: str) -> Fetched | RowError:
        if scheme != "file":
            return RowError("unsupported_scheme", f"{redact(uri)}: '{scheme[:20]}:' is not supported.")
        if scheme not in self._guard.schemes:
            return blocked_scheme(scheme)
        return read_file(uri, self._config.max_bytes)

    def _retry_policy(self) -> RetryPolicy:
        from tuku.retry import RetryPolicy

        return self._policy or RetryPolicy()

    def _started(self) -> tuple[LoopThread, HttpClient]:
        # aiohttp is not imported before the first URL: local catalogues do without it.
        from tuku.fetching.http import HttpClient
        from tuku.loop import LoopThread

        async def client() -> HttpClient:
            return HttpClient(self._config, self._guard, self._retry_policy(), self._resolve)

        with self._starting:
            if self._running is None:
                loop = LoopThread("fetch")
                self._running = loop, loop.run(client())
                # Not every owner closes (an actor is just dropped), and aiohttp complains of open sessions.
                atexit.register(self.close)
            return self._running


def _keep(file: IO[bytes], block: bytes) -> None:
    try:
        file.write(block)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ManifestError(
            f"The manifest cannot be kept in {tempfile.gettempdir()} while it is read: {reason}.",
            "Make room there, or set TMPDIR to a folder with more.",
        ) from error


def open_stream(
    config: FetchConfig, *, max_bytes: int = MANIFEST_MAX_BYTES, timeout_s: float = MANIFEST_TIMEOUT_S
) -> Callable[[str], BinaryIO]:
    """An opener of remote manifests (see `GuardedFetcher.open_stream`) that leaves nothing running behind."""

    def opener(uri: str) -> BinaryIO:
        with GuardedFetcher(config) as fetcher:
            return fetcher.open_stream(uri, max_bytes=max_bytes, timeout_s=timeout_s)

    return opener
