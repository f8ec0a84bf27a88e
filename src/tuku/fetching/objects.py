"""Objects in buckets: what a URI names, what the store says of it, and what went wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import format_datetime
from typing import Any

from obstore.exceptions import InvalidPathError, PermissionDeniedError, UnauthenticatedError

from tuku.errors import RowError
from tuku.fetching.protocol import Validators
from tuku.fetching.urls import redact, scheme_of
from tuku.storage.bucket_stores import first_line, variables_of

# Of all services together: Google allows 222 characters, Amazon's oldest buckets capitals and underscores. Nothing
# else, for the name becomes a part of the host's where requests are in virtual-hosted style.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SHOWN_CHARS = 300


@dataclass(frozen=True)
class ObjectName:
    """What a URI such as ``s3://bucket/a folder/50%.jpg`` names.

    Attributes:
        scheme: s3, gs or oss.
        bucket: its name.
        key: as it is; nothing in it is an escape.
    """

    scheme: str
    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> ObjectName:
        """The name in a URI.

        Raises:
            RowError: ``bad_url``: no bucket, or a key that cannot be asked for as it is. A client on the way would make
                another one of it (RFC 3986, 5.2.4), and the picture of that would be taken for this one.
        """
        bucket, _, key = uri.partition("://")[2].partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise RowError("bad_url", f"{redact(uri)}: there is no such name of a bucket.")
        if _CONTROL.search(key) or any(part in {"", ".", ".."} for part in key.split("/")):
            raise RowError(
                "bad_url", f"{redact(uri)}: no key, or one with empty parts, '.', '..' or control characters."
            )
        return cls(scheme_of(uri), bucket, key)

    @classmethod
    def parse_prefix(cls, uri: str) -> ObjectName:
        """The prefix that a URI names, with or without a slash at its end; the key is empty for the whole bucket.

        Raises:
            RowError: as `parse`.
        """
        name = cls.parse(f"{uri.removesuffix('/')}/any")
        return replace(name, key=name.key.rpartition("/")[0])


def validators_of(meta: Mapping[str, Any]) -> Validators:
    """What tells an object's versions apart, the same from an answer and from a listing.

    The date is left out where there is an ETag: listings have it with other fractions of a second.
    """
    if meta["e_tag"]:
        return Validators(etag=meta["e_tag"])
    return Validators(last_modified=format_datetime(meta["last_modified"], usegmt=True))


def fault_of_store(error: Exception, uri: str, *, answered: bool) -> RowError:
    """The outcome of a request that broke off, told by the exception's type.

    Args:
        error: what obstore raised.
        uri: of the object.
        answered: whether its first bytes had come.
    """
    shown = redact(uri)
    if isinstance(error, FileNotFoundError):
        return RowError("not_found", f"{shown} does not exist.")
    if isinstance(error, (PermissionDeniedError, UnauthenticatedError)):
        asked_as = variables_of(uri).prefix
        return RowError("permission_denied", f"{shown} may not be read by this identity ({asked_as}… or the pod's).")
    if isinstance(error, InvalidPathError):
        return RowError("bad_url", f"{shown}: no key that can be asked for.")
    said = first_line(error)[:_SHOWN_CHARS]
    if answered:
        return RowError("incomplete_download", f"{shown}: the connection broke off half-way. {said}", retryable=True)
    return RowError("connection_failed", f"{shown}: the store did not answer, or failed. {said}", retryable=True)
