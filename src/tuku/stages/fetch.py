"""Fetch: a row's URI becomes the file's bytes."""

from __future__ import annotations

import hashlib

import pyarrow as pa

from tuku.errors import RowError
from tuku.fetching.protocol import Fetched, Fetcher
from tuku.fetching.urls import scheme_of
from tuku.schemas import FETCHED
from tuku.stages.outcome import Outcome, advance, alive

__all__ = ["Fetcher", "fetch_batch"]


def fetch_batch(batch: pa.Table, fetcher: Fetcher) -> pa.Table:
    """Add the bytes that each row's URI leads to, and their digest.

    Args:
        batch: n rows in schema `ROWS`.
        fetcher: gets the files.

    Returns:
        n rows in schema `FETCHED`, in order.
    """
    positions = alive(batch)
    uris = batch.column("uri").to_pylist()
    manifests = batch.column("manifest_uri").to_pylist()
    outside = {i for i in positions if _names_our_files(uris[i] or "", manifests[i] or "")}
    wanted = [i for i in positions if i not in outside]
    files = dict(zip(wanted, fetcher.fetch([uris[i] or "" for i in wanted]), strict=True))
    outcomes = [_blocked() if i in outside else _outcome(files[i]) for i in positions]
    return advance(batch, "fetch", FETCHED, positions, outcomes)


def _outcome(file: Fetched | RowError) -> Outcome:
    if isinstance(file, RowError):
        return file
    return {"content": file.content, "content_sha256": hashlib.sha256(file.content).hexdigest()}


def _names_our_files(uri: str, manifest_uri: str) -> bool:
    """Whether a manifest from elsewhere names a file of this machine, which it could then have published."""
    return scheme_of(uri) == "file" and scheme_of(manifest_uri) != "file"


def _blocked() -> RowError:
    return RowError("blocked_local_file", "A remote manifest cannot name files of this machine.")
