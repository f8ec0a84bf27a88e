"""Fetch: a row's URI becomes the file's bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from tuku.errors import SAME_CONTENT, UNCHANGED, RowError
from tuku.fetching.protocol import Fetched, Fetcher, NotModified, Validators
from tuku.fetching.urls import scheme_of
from tuku.schemas import FETCHED
from tuku.stages.fingerprints import served_fingerprint, validators
from tuku.stages.outcome import Outcome, Partial, advance, alive
from tuku.stages.twins import CAPTION, VECTORS
from tuku.uris import STORES

__all__ = ["Fetcher", "fetch_batch"]

_UNCHANGED = RowError(UNCHANGED, "The picture is the one that the lake has.")


def fetch_batch(
    batch: pa.Table, fetcher: Fetcher, *, ask_servers: bool = True, buckets_listed: bool = False
) -> pa.Table:
    """Add the bytes that each row's URI leads to, their digest, and what a server said to tell its versions apart.

    A row that is only to be rechecked ends here, as ``unchanged``, if its file is what it was.

    Args:
        batch: n rows in schema `WORK`.
        fetcher: gets the files.
        ask_servers: whether a server's word is enough that a file has not changed; else its content is compared.
        buckets_listed: whether `fetch.allowed_hosts` lists the buckets that may be used. Else a manifest from the web
            names none: they are read with this job's identity, which its author need not have.

    Returns:
        n rows in schema `FETCHED`, in order.
    """
    positions = alive(batch)
    columns = ("uri", "manifest_uri", "source_fingerprint", "recheck", "revise", "known_source", "known")
    rows = dict(zip(positions, batch.select(columns).take(pa.array(positions, pa.int64())).to_pylist(), strict=True))
    blocked = {i: error for i, row in rows.items() if (error := _not_its_to_name(row, buckets_listed=buckets_listed))}
    wanted = {i: row for i, row in rows.items() if i not in blocked}
    known = _known_files(wanted.values()) if ask_servers else {}
    files = dict(zip(wanted, fetcher.fetch_changed([row["uri"] or "" for row in wanted.values()], known), strict=True))
    outcomes = [blocked[i] if i in blocked else _outcome(files[i], rows[i]) for i in positions]
    return advance(batch, "fetch", FETCHED, positions, outcomes)


def _known_files(rows: Iterable[Mapping[str, Any]]) -> dict[str, Validators]:
    """By URI, what the lake's file can be told by; not where another row needs the file itself, or knows another."""
    found: dict[str, set[Validators | None]] = {}
    for row in rows:
        found.setdefault(row["uri"], set()).add(_validators(row))
    return {uri: known for uri, (known, *others) in found.items() if known is not None and not others}


def _validators(row: Mapping[str, Any]) -> Validators | None:
    etag, last_modified = validators(row["known_source"]) if row["recheck"] else (None, None)
    return Validators(etag, last_modified) if etag or last_modified else None


def _outcome(file: Fetched | NotModified | RowError, row: Mapping[str, Any]) -> Outcome:
    if isinstance(file, RowError):
        return file
    known = row["known"] or {}
    if isinstance(file, NotModified):
        return _as_it_was(
            row, {"source_fingerprint": row["known_source"], "content_sha256": known.get("content_sha256")}
        )
    source = row["source_fingerprint"]
    if source is None or file.etag or file.last_modified:  # newer than what a listing said before
        source = served_fingerprint(file.etag, file.last_modified)
    digest, known_content = hashlib.sha256(file.content).hexdigest(), known.get("content_sha256")
    found = {
        "source_fingerprint": source,
        "content_sha256": digest,
        "known_content": known_content,
        "known_answers": _answers(known),
    }
    if row["recheck"] and digest == known_content:
        return _as_it_was(row, found)
    return {"content": file.content, **found}


def _as_it_was(row: Mapping[str, Any], found: Mapping[str, Any]) -> Outcome:
    if found["source_fingerprint"] == row["known_source"] and not row["revise"]:
        return _UNCHANGED
    # Another date or other metadata, the same picture: the row takes over what the lake has of itself.
    return Partial(RowError(SAME_CONTENT, "The row or its file has changed, and the picture has not."), found)


def _answers(known: Mapping[str, Any]) -> int:
    vectors = any(known.get(vector) for vector in ("image_embedding", "text_embedding"))  # all configured ones, or none
    return CAPTION * (known.get("caption") is not None) | VECTORS * vectors


def _not_its_to_name(row: Mapping[str, Any], *, buckets_listed: bool) -> RowError | None:
    """What keeps a manifest from naming what only this machine, or this job, may read: it could have it published."""
    scheme, source = scheme_of(row["uri"] or ""), scheme_of(row["manifest_uri"] or "")
    if scheme == "file" and source != "file":
        return RowError("blocked_local_file", "A remote manifest cannot name files of this machine.")
    if scheme in STORES and source in {"http", "https"} and not buckets_listed:
        return RowError("blocked_bucket", "A manifest from the web names only buckets that are in fetch.allowed_hosts.")
    return None
