"""The proxy that the environment names for an address, and nothing else of what SDKs take from there.

Left to themselves they read ``~/.netrc`` too, and a match there would take the key's place.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from tuku.errors import ConfigError


def proxy_for(address: str) -> str | None:
    """``HTTPS_PROXY`` or ``HTTP_PROXY``, by the address's scheme, unless ``NO_PROXY`` has its host; None: no proxy.

    A proxy named without a scheme, such as ``proxy:3128``, is asked by HTTP, as curl does.

    Raises:
        ConfigError: what the environment names is no HTTP proxy. It is not shown: it may hold a user and a password.
    """
    parts = urlsplit(address)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return None
    proxy = getproxies().get(parts.scheme)
    if not proxy:
        return None
    named = proxy if "://" in proxy else f"http://{proxy}"
    scheme = named.partition(":")[0].lower()
    if scheme.startswith("socks"):
        raise ConfigError(
            f"{_variable(parts.scheme)} names a SOCKS proxy, and tuku asks services through HTTP proxies only.",
            "Name an HTTP proxy such as http://proxy:3128, or put the service's host into NO_PROXY.",
        )
    if scheme not in {"http", "https"} or not _has_host(named):
        raise ConfigError(
            f"{_variable(parts.scheme)} is not the address of a proxy.", "It looks like http://proxy:3128; or unset it."
        )
    return named


def _has_host(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        return bool(parts.hostname) and parts.port != 0 and proxy.isprintable() and " " not in proxy
    except ValueError:  # a port that is no number from 0 to 65535, or a bracket that is not closed
        return False


def _variable(scheme: str) -> str:
    """The variable that counts: the lower-case one comes first."""
    lower = f"{scheme}_proxy"
    return next((name for name in (lower, lower.upper()) if os.environ.get(name)), "The system's proxy setting")
