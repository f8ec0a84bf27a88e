"""Remote manifests, opened past the same guards as pictures: an object as it is read, one on the web as a copy."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, BinaryIO, cast

from tuku.config import FetchConfig
from tuku.errors import ManifestError, RowError
from tuku.fetching.clients import Clients
from tuku.fetching.guard import Guard
from tuku.fetching.protocol import Listed
from tuku.fetching.urls import redact, scheme_of
from tuku.storage.opening import package_needed
from tuku.uris import STORES

MANIFEST_MAX_BYTES = 20_000_000_000
MANIFEST_TIMEOUT_S = 3_600.0


def open_stream(
    config: FetchConfig, *, max_bytes: int = MANIFEST_MAX_BYTES, timeout_s: float = MANIFEST_TIMEOUT_S
) -> Callable[[str], BinaryIO]:
    """An opener of remote manifests that leaves nothing running behind.

    Args:
        config: guards.
        max_bytes: the limit that stands in the place of `config.max_bytes` for a download.
        timeout_s: likewise for `config.timeout_s`, for each attempt.

    Returns:
        A function of a URI (http, https, s3, gs or oss) that gives a seekable file at its start; a copy is gone once it
        is closed. It raises `ManifestError` if the file cannot be had, and `ConfigError` if the package for object
        stores is missing, or the environment lacks what they need.
    """

    def opener(uri: str) -> BinaryIO:
        guard = Guard.of(config)
        if scheme_of(uri) in STORES:
            with package_needed("A manifest in a bucket"):
                from tuku.fetching.bucket_manifests import open_object
            return open_object(uri, guard)
        if scheme_of(uri) not in {"http", "https"}:
            raise ManifestError(
                f"Cannot download {redact(uri)}.", "Only http://, https://, s3://, gs:// and oss:// can be read."
            )
        clients = Clients(config, guard, None)
        try:
            return _copy(uri, clients, max_bytes, timeout_s)
        finally:
            clients.close()

    return opener


def lister(config: FetchConfig) -> Callable[[str], Iterator[Listed]]:
    """A lister of what lies below a prefix of a bucket.

    Args:
        config: guards.

    Returns:
        A function of a URI such as ``s3://bucket/prefix/`` that gives the objects by key. It raises as `open_stream`'s.
    """

    def listed(uri: str) -> Iterator[Listed]:
        with package_needed("A folder in a bucket"):
            from tuku.fetching.bucket_manifests import list_objects
        return list_objects(uri, Guard.of(config))

    return listed


def _copy(uri: str, clients: Clients, max_bytes: int, timeout_s: float) -> BinaryIO:
    file = tempfile.TemporaryFile()  # noqa: SIM115  # it is the caller who closes it
    try:
        _download(uri, clients, file, max_bytes, timeout_s)
    except BaseException:
        file.close()
        raise
    return cast("BinaryIO", file)


def _download(uri: str, clients: Clients, file: IO[bytes], max_bytes: int, timeout_s: float) -> None:
    from tuku.fetching.http import Download

    loop, client = clients.http()

    async def attempt() -> object:
        file.seek(0)
        file.truncate()
        return await client.download(Download(uri, partial(_keep, file), max_bytes, timeout_s))

    outcome = loop.run(clients.policy.call_async(attempt))
    if isinstance(outcome, RowError):
        raise ManifestError(f"Cannot download the manifest ({outcome.code}): {outcome.message}")
    file.seek(0)


def _keep(file: IO[bytes], block: bytes) -> None:
    try:
        file.write(block)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ManifestError(
            f"The manifest cannot be kept in {tempfile.gettempdir()} while it is read: {reason}.",
            "Make room there, or set TMPDIR to a folder with more.",
        ) from error
