"""URIs as text: which way they lead, what may be shown of them, and which ones are the address of a service."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

STORES = frozenset({"s3", "oss", "gs"})
"""Schemes of object stores: what follows the bucket is a key as it is, in which %, ? and # stand for themselves."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://|(file):/", re.IGNORECASE)
_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]+")  # a name or IPv4; or IPv6, without its brackets

_UNREADABLE = "its host or port cannot be read"


def scheme_of(uri: str) -> str:
    """The URI's scheme in lower case; ``file`` for a plain path."""
    found = _SCHEME.match(uri)
    return (found[1] or found[2]).lower() if found else "file"


def bare(uri: str) -> str:
    """The URI without credentials, query and fragment; a path or the key of an object as it is."""
    scheme = scheme_of(uri)
    if scheme == "file":
        return uri
    if scheme in STORES:
        bucket, slash, key = uri.partition("://")[2].partition("/")
        return f"{scheme}://{bucket.rpartition('@')[2]}{slash}{key}"
    try:
        parts = urlsplit(uri)
    except ValueError:
        return f"{scheme}://…"
    return f"{scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def redact(uri: str) -> str:
    """Like `bare`, in one line: fit for messages and logs."""
    shown = bare(uri)
    return shown if shown.isprintable() else ascii(shown)


def address_fault(address: str) -> str | None:
    """What keeps a text from being the address of a service, in words that quote nothing of it; None if nothing does.

    Args:
        address: such as ``https://host:8000/v1``.
    """
    if not address.isprintable() or " " in address:
        return "it holds blanks or characters that cannot be seen"
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:  # such as a bracket that is not closed, or a port that is no number from 0 to 65535
        return _UNREADABLE
    faults = (
        (parts.scheme not in {"http", "https"}, "it does not begin with http:// or https://"),
        ("@" in parts.netloc, "it holds a user or a password; keys come from the environment"),
        (not _HOST.fullmatch(parts.hostname or "") or port == 0, _UNREADABLE),
        ("?" in address or "#" in address, "leave out the query (? and what follows)"),
    )
    return next((fault for wrong, fault in faults if wrong), None)
