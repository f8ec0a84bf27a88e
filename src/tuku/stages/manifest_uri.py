"""One spelling for every URI of a manifest, so that equal pictures get equal ids."""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit, urlunsplit

from tuku.errors import RowError
from tuku.uris import STORES

MAX_URI_BYTES = 4_096

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//)?")
# Schemes that are written without '//'; with any other one, `name:1.jpg` is a file with a colon in its name.
_BARE_SCHEMES = {"about", "blob", "cid", "data", "javascript", "mailto", "urn", "vbscript"}
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SAFE = "!$%&'()*+,-./:;=?@_~"  # what RFC 3986 lets stand in a path or query, besides letters and digits
_UNESCAPED = r"[A-Za-z0-9!$&'()*+,\-./:;=?@_~]*"
_NORMAL_HTTP = re.compile(rf"https?://[a-z0-9.-]+/{_UNESCAPED}(?:%[0-9A-Fa-f]{{2}}{_UNESCAPED})*")
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LOCAL_PATH = re.compile(r"[/\\~]|[A-Za-z]:[/\\]")


@dataclass(frozen=True)
class UriResolver:
    """Turns what a row says into an absolute, normalised URI or path.

    Attributes:
        base: the folder of a local manifest (absolute path), or the URI of a remote one, without secrets.
        remote: whether the manifest is remote.
    """

    base: str
    remote: bool

    def __call__(self, uri: str) -> str | RowError:
        """The normalised URI, or why there is none: blanks around it do not count."""
        uri = uri.strip()
        if not uri:
            return RowError("missing_uri", "The row has no uri.")
        # The first two are nearly every row: nothing to normalise, or only to put the folder in front.
        resolved: str | RowError
        if _NORMAL_HTTP.fullmatch(uri):
            resolved = uri
        elif not self.remote and self._is_plain(uri):
            resolved = uri if uri[0] == "/" else f"{self.base}/{uri}"
        else:
            resolved = self._resolve(uri)
        if isinstance(resolved, str) and len(resolved) > MAX_URI_BYTES // 4:  # else short enough in any script
            size = len(resolved.encode("utf-8", "surrogatepass"))
            if size > MAX_URI_BYTES:
                return RowError("uri_too_long", f"The uri has {size} bytes; at most {MAX_URI_BYTES} are allowed.")
        return resolved

    @staticmethod
    def _is_plain(path: str) -> bool:
        """Whether joining is all that a local path needs."""
        return path[0] not in ".~" and path[-1] != "/" and ":" not in path and "//" not in path and "/." not in path

    def _resolve(self, uri: str) -> str | RowError:
        found = _SCHEME.match(uri)
        scheme = found[1].lower() if found else ""
        if found and scheme in _DEFAULT_PORTS:
            return _normal_http(uri)
        if found and scheme in STORES and found[2]:
            return scheme + uri[len(scheme) :]
        if found and scheme == "file":
            return self._file(uri[len("file:") :])
        if found and (found[2] or scheme in _BARE_SCHEMES):
            return RowError(
                "unsupported_scheme",
                f"'{scheme[:20]}:' is not supported; use a path, http(s), s3, oss or gs.",
            )
        return self._relative_to_remote(uri) if self.remote else self._path(uri)

    def _file(self, rest: str) -> str | RowError:
        if self.remote:
            return _blocked()
        if rest.startswith("//"):
            host, slash, path = rest[2:].partition("/")
            if host.lower() not in {"", "localhost"} or not slash:
                return RowError("invalid_uri", "A file URI of this machine looks like file:///folder/picture.jpg.")
            rest = f"/{path}"
        try:
            return self._path(unquote(rest, errors="strict"))
        except UnicodeDecodeError:
            return RowError("invalid_uri", "The file URI's percent escapes are not UTF-8.")

    def _path(self, path: str) -> str:
        if path.startswith("~/"):
            path = os.path.expanduser(path)  # noqa: PTH111  # text in, text out
        joined = posixpath.normpath(posixpath.join(self.base, path))
        return "/" + joined.lstrip("/")

    def _relative_to_remote(self, uri: str) -> str | RowError:
        if _LOCAL_PATH.match(uri):
            return _blocked()
        if self.base.startswith(("http://", "https://")):
            # './' keeps a colon in the first part of the path from being read as a scheme.
            return _normal_http(urljoin(self.base, f"./{uri}"))
        scheme, _, rest = self.base.partition("://")
        bucket, _, key = rest.partition("/")
        joined = posixpath.normpath(posixpath.join("/", posixpath.dirname(key), uri))
        return f"{scheme}://{bucket}{joined}"


def _blocked() -> RowError:
    return RowError("blocked_local_file", "A remote manifest cannot name files of this machine.")


def _normal_http(uri: str) -> str | RowError:
    if _CONTROL.search(uri):
        return RowError("invalid_uri", "The URL contains control characters.")
    try:
        parts = urlsplit(uri)
        netloc = _normal_netloc(parts)
        path, query = (quote(_LONE_PERCENT.sub("%25", part), safe=_SAFE) for part in (parts.path or "/", parts.query))
    except ValueError:
        # Not the parser's own message: it may quote the credentials.
        return RowError("invalid_uri", "The URL cannot be parsed: check its host and port.")
    return urlunsplit((parts.scheme, netloc, path, query, ""))


def _normal_netloc(parts: SplitResult) -> str:
    """Lower-case host, IDNA where it is not ASCII, no default port; ValueError if there is no such host."""
    host = (parts.hostname or "").encode("idna").decode("ascii") if parts.hostname else ""
    if not _HOST.fullmatch(host):
        raise ValueError("no host")
    if ":" in host:
        host = f"[{host}]"
    user, at, _ = parts.netloc.rpartition("@")
    port = parts.port
    shown = "" if port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{port}"
    return f"{user}{at}{host}{shown}"
