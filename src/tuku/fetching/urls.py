"""URLs that can be fetched, parsed; `redact` and `scheme_of` are those of `tuku.uris`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tuku.errors import RowError
from tuku.uris import redact, scheme_of

if TYPE_CHECKING:
    from yarl import URL

__all__ = ["next_url", "parse_url", "redact", "scheme_of"]

_UNSAFE_HOST = re.compile(r"[\x00-\x20\x7f<>\"\\^`{|}]")
# RFC 3986: everything that may stand in a URL as it is. Such a URL is sent unchanged: signatures depend on it.
_ENCODED = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")


def parse_url(uri: str) -> URL:
    """The parsed http(s) URL.

    Raises:
        RowError: ``bad_url``. The parser's own message is not passed on: it may quote credentials.
    """
    try:
        url = _url(uri)
        usable = bool(url.host) and not _UNSAFE_HOST.search(str(url.raw_host)) and (url.port or 0) > 0
    except ValueError:
        usable = False
    if not usable:
        raise RowError("bad_url", f"{redact(uri)} is not a URL that can be fetched: check its host and port.")
    return url.with_fragment(None)


def next_url(url: URL, location: str) -> URL:
    """Where a redirect leads; credentials go along only to the server that they were given for.

    Raises:
        RowError: ``bad_url``, or ``blocked_scheme`` if it leads out of http and https.
    """
    try:
        joined = url.join(_url(location))
    except ValueError:
        raise RowError("bad_url", f"{redact(str(url))} redirects to something that is not a URL.") from None
    if joined.scheme not in {"http", "https"}:
        raise RowError("blocked_scheme", f"{redact(str(url))} redirects to '{joined.scheme[:20]}:'.")
    target = parse_url(str(joined)).with_user(None)
    if url.user is not None and target.origin() == url.origin():
        return target.with_user(url.user).with_password(url.password)
    return target


def _url(text: str) -> URL:
    from yarl import URL

    return URL(text, encoded=_ENCODED.fullmatch(text) is not None)
