"""Downloads from object stores, with the identity of this process: `storage.bucket_stores` says which that is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import BaseError, NotModifiedError

from tuku.config import FetchConfig
from tuku.errors import ConfigError, RowError
from tuku.fetching.guard import Guard
from tuku.fetching.objects import ObjectName, fault_of_store, validators_of
from tuku.fetching.protocol import Fetched, NotModified, Validators
from tuku.fetching.urls import redact
from tuku.storage.bucket_stores import Patience, Store, open_bucket

if TYPE_CHECKING:
    from tuku.retry import RetryPolicy

_BLOCK_BYTES = 1_000_000
_GRACE_S = 5.0
_UNKNOWN = Validators()
_PLAIN = {"", "identity", "aws-chunked"}  # the last is of the upload, and some stores keep it


class BucketClient:
    """Downloads objects on the running event loop, `config.concurrency` at a time."""

    def __init__(self, config: FetchConfig, guard: Guard, policy: RetryPolicy) -> None:
        self._config = config
        self._guard = guard
        self._policy = policy
        self._turns = asyncio.Semaphore(config.concurrency)
        # Tried again here, by the policy, and not below, where nobody sees it.
        # And timed here, with the wait for the name service; below only what nobody waits for any more ends.
        self._patience = Patience(timeout_s=config.timeout_s + _GRACE_S, retries=0)

    async def fetch_all(
        self, uris: Sequence[str], known: Mapping[str, Validators]
    ) -> list[Fetched | NotModified | RowError]:
        """One outcome for each URI, in order; transient failures were tried again."""
        tries = (partial(self._fetch, uri, known.get(uri, _UNKNOWN)) for uri in uris)
        return await asyncio.gather(*map(self._policy.call_async, tries))

    async def _fetch(self, uri: str, known: Validators) -> Fetched | NotModified | RowError:
        async with self._turns:
            try:
                return await asyncio.wait_for(self._download(uri, known), self._config.timeout_s)
            except asyncio.TimeoutError:  # before Python 3.11 it is no TimeoutError
                shown = redact(uri)
                return RowError("timeout", f"{shown} did not arrive in time (fetch.timeout_s).", retryable=True)
            except RowError as error:
                return replace(error)  # without its traceback, which would keep the body so far in memory

    async def _download(self, uri: str, known: Validators) -> Fetched | NotModified:
        name = ObjectName.parse(uri)
        self._guard.check_bucket(name.scheme, name.bucket)
        store = self._store(name)
        answered = False
        try:
            answer = await obstore.get_async(store, name.key, options=_conditions(known))
            answered = True
            content = await self._read(answer, redact(uri))
        except NotModifiedError:
            return NotModified()
        except (BaseError, OSError) as error:
            raise fault_of_store(error, uri, answered=answered) from error
        if not content:
            raise RowError("empty", f"{redact(uri)} has no content.")
        said = validators_of(answer.meta)
        return Fetched(content, said.etag, said.last_modified)

    def _store(self, name: ObjectName) -> Store:
        try:
            return open_bucket(name.scheme, name.bucket, patience=self._patience)
        except ConfigError as error:
            raise RowError("store_not_configured", str(error)) from error

    async def _read(self, answer: Any, shown: str) -> bytes:
        encoding = str(answer.attributes.get("Content-Encoding", "")).strip().lower()
        if not set(map(str.strip, encoding.split(","))) <= _PLAIN:
            raise RowError("unsupported_encoding", f"{shown}: the object is kept as '{encoding[:20]}'.")
        if answer.meta["size"] > self._config.max_bytes:
            raise self._too_large(shown)
        blocks, size = [], 0
        async for block in answer.stream(min_chunk_size=_BLOCK_BYTES):
            content = bytes(block)
            size += len(content)
            if size > self._config.max_bytes:
                raise self._too_large(shown)
            blocks.append(content)
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    def _too_large(self, shown: str) -> RowError:
        return RowError("too_large", f"{shown} has more than {self._config.max_bytes:,} bytes (fetch.max_bytes).")


def _conditions(known: Validators) -> Any:
    """What makes the request conditional (RFC 9110, 13.1); only ASCII can be sent back."""
    if known.etag and known.etag.isascii():
        return {"if_none_match": known.etag}
    since = _date(known.last_modified)
    return {"if_modified_since": since} if since else None


def _date(http_date: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(http_date) if http_date else None
    except ValueError:
        return None
