"""Manifests in object stores: files that are read in parts, and prefixes that are listed as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import BinaryIO, cast

import obstore
from obstore.exceptions import BaseError, PreconditionError

from tuku.errors import ManifestError, RowError
from tuku.fetching.guard import Guard
from tuku.fetching.objects import ObjectName, fault_of_store, validators_of
from tuku.fetching.protocol import Listed
from tuku.fetching.urls import redact
from tuku.storage.bucket_files import BucketReader
from tuku.storage.bucket_stores import first_line, open_bucket, variables_of

_LISTED_AT_ONCE = 1_000  # as many as the stores themselves list in an answer


def open_object(uri: str, guard: Guard) -> BinaryIO:
    """An object to be read range by range; one that is replaced meanwhile is not read on.

    Args:
        uri: of the object.
        guard: what may be asked for.

    Raises:
        ManifestError: there is none, it may not be read, or its store does not answer; here and while it is read.
        ConfigError: the environment lacks what this kind of store needs.
    """
    explain = partial(_unreadable, uri)
    try:
        name = ObjectName.parse(uri)
        guard.check_bucket(name.scheme, name.bucket)
        reader = BucketReader(open_bucket(name.scheme, name.bucket), name.key, explain, pinned=True)
    except (BaseError, OSError, RowError) as error:
        raise explain(error) from error
    return cast("BinaryIO", reader)


def list_objects(uri: str, guard: Guard) -> Iterator[Listed]:
    """All objects below a prefix, by key, as they are listed: never all of them in memory.

    Args:
        uri: of the prefix, which ends where a part of a key does.
        guard: what may be asked for.

    Raises:
        ManifestError: it may not be listed, there is no such bucket, or its store does not answer.
        ConfigError: the environment lacks what this kind of store needs.
    """
    try:
        name = ObjectName.parse_prefix(uri)
        guard.check_bucket(name.scheme, name.bucket)
        store = open_bucket(name.scheme, name.bucket)
        for chunk in obstore.list(store, name.key or None, chunk_size=_LISTED_AT_ONCE):
            for meta in chunk:
                yield Listed(f"{name.scheme}://{name.bucket}/{meta['path']}", validators_of(meta))
    except RowError as error:
        raise _unreadable(uri, error) from error
    except (BaseError, OSError) as error:
        raise _unlisted(uri, error) from error


def _unlisted(uri: str, error: Exception) -> ManifestError:
    """The type of the error does not say why (obstore has one for all that can happen to a listing); its text may."""
    variables = variables_of(uri)
    return ManifestError(
        f"Cannot list {redact(uri)}: {first_line(error)}",
        f"Check that the bucket exists and this identity may list it ({variables.credentials}), and {variables.place}.",
    )


def _unreadable(uri: str, error: Exception) -> ManifestError:
    if isinstance(error, PreconditionError):
        return ManifestError(
            f"The manifest {redact(uri)} was replaced while it was read.", "Run the same command again."
        )
    fault = error if isinstance(error, RowError) else fault_of_store(error, uri, answered=False)
    variables = variables_of(uri)
    remedies = {
        "not_found": "Check the bucket and the key; a folder ends in '/'.",
        "permission_denied": f"Check {variables.credentials}, and that this identity may read and list.",
        "connection_failed": f"Check {variables.place} and the credentials ({variables.prefix}…), and try again.",
    }
    return ManifestError(f"Cannot read the manifest ({fault.code}): {fault.message}", remedies.get(fault.code, ""))
