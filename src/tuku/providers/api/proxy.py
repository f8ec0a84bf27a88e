"""The proxy that the environment names for an address, and nothing else of what SDKs take from there.

Left to themselves they read ``~/.netrc`` too, and a match there would take the key's place.
"""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def proxy_for(address: str) -> str | None:
    """``HTTPS_PROXY`` or ``HTTP_PROXY``, by the address's scheme, unless ``NO_PROXY`` has its host; None: no proxy."""
    parts = urlsplit(address)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)
