"""Where Milvus is: a path that ends in .db, served by Milvus Lite in this process, or the URL of a server."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from tuku.errors import ConfigError

_SCHEMES = ("http", "https", "tcp", "unix")
"""That pymilvus knows."""


def is_local(uri: str) -> bool:
    """Whether the URI is a path, served by Milvus Lite in this process."""
    return "://" not in uri and not uri.startswith("unix:")


def without_credentials(uri: str) -> str:
    """The URI as it may be shown: without a user and a password."""
    scheme, separator, rest = uri.partition("://")
    if not separator or ":" in scheme:  # perhaps a mistyped address
        return uri.rpartition("@")[2]
    shown, query, _ = rest.rpartition("@")[2].partition("?")
    return f"{scheme}{separator}{shown}{query and '?***'}"


def one_spelling(uri: str) -> str:
    """The URI without credentials, and as no other that differs by case, or by a slash at the end, is written.

    A path is absolute, for it means another file elsewhere. Two names of one host remain two.
    """
    if is_local(uri):
        try:
            return local_path(uri)
        except ConfigError:
            return without_credentials(uri)
    scheme, separator, rest = without_credentials(uri).partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{separator}{host.lower()}{slash}{path}".rstrip("/")


def secrets_of(uri: str) -> tuple[str, ...]:
    """What no message may repeat: the password, or else the user (some tokens stand there), as written and decoded."""
    try:
        at = urlsplit(uri)
    except ValueError:
        return ()
    secret = at.password or at.username or ""
    return tuple(dict.fromkeys(text for text in (secret, unquote(secret)) if text))


def is_this_machine(uri: str) -> bool:
    """Whether Milvus is on the loopback device: embedded, or a server whose host is localhost or such an address."""
    if is_local(uri):
        return True
    try:
        host = urlsplit(uri).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, or no URI at all: Milvus' client says so
        return False


def local_path(uri: str) -> str:
    """The absolute path of a local file.

    Raises:
        ConfigError: it is in the home of nobody.
    """
    try:
        return str(Path(uri).expanduser().resolve())
    except RuntimeError as error:
        shown = without_credentials(uri)
        raise ConfigError(f"milvus.uri {shown!r} is no path: {error}", "Name a file such as demo/milvus.db.") from None


def require_address(uri: str) -> None:
    """Refuses what is no URL of a server; pymilvus says less, or repeats the password.

    Raises:
        ConfigError: its scheme or its port is none, it is of a socket with a user, or it ends as a local file does.
    """
    shown = without_credentials(uri)
    at = _parts(uri)
    if at is None:
        raise ConfigError(
            f"milvus.uri {shown!r} is no address.",
            "Such as http://host:19530: a port is a number up to 65535, and a password has its special characters"
            " percent-encoded.",
        )
    if at.scheme not in _SCHEMES:
        raise ConfigError(
            f"milvus.uri {shown!r} is no address of a Milvus server: it begins with none of {', '.join(_SCHEMES)}.",
            "Name a server such as http://host:19530, or a local file, without a scheme, such as demo/milvus.db.",
        )
    if at.scheme == "unix" and (at.netloc or "@" in at.path.partition("/")[0]):
        raise ConfigError(  # gRPC would print all of it
            f"milvus.uri {shown!r} is no address of a socket: it has a host, or a user.",
            "Such as unix:/run/milvus.sock, with user:password in MILVUS_TOKEN.",
        )
    if uri.endswith(".db"):
        raise ConfigError(
            f"milvus.uri {shown!r} is the address of a server and ends in .db, as only a local file does.",
            "Name a server such as http://host:19530 (its database is milvus.db), or a local file such as"
            " demo/milvus.db.",
        )


def _parts(uri: str) -> SplitResult | None:
    """Of a URL; None if it is none, or has the end of a password where nothing has an @."""
    try:
        at = urlsplit(uri)
        _ = at.port
    except ValueError:  # what it says may have a part of a password in it
        return None
    return at if at.scheme == "unix" or "@" not in f"{at.path}{at.query}{at.fragment}" else None
