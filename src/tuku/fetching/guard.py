"""Which hosts and addresses may be talked to.

A catalogue is data from others. Without this, a row such as ``http://169.254.169.254/…`` would have the job fetch what
only its own machine may see (server-side request forgery).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from tuku.config import FetchConfig
from tuku.errors import ConfigError, RowError
from tuku.fetching.urls import redact

if TYPE_CHECKING:
    from yarl import URL

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# RFC 6052: IPv4 behind a NAT64 gateway. Networks that have IPv6 only reach every IPv4 host by it.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NOT_PUBLIC = (
    # What Python's `is_global` lets pass, or did in some version.
    ipaddress.ip_network("192.0.0.0/24"),  # RFC 6890; Oracle Cloud's metadata service is 192.0.0.192
    ipaddress.ip_network("192.88.99.0/24"),  # RFC 7526: old 6to4 relays
    ipaddress.ip_network("168.63.129.16/32"),  # Azure's WireServer: a public address, but it speaks of this machine
    ipaddress.ip_network("3fff::/20"),  # RFC 9637: documentation
    ipaddress.ip_network("fec0::/10"),  # RFC 3879: site-local, deprecated and still routed by some
)
_ENTRY = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:/@\[\]\s]+))(?::(?P<port>\d{1,5}))?")


@lru_cache(maxsize=4096)
def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet.

    Not public are those that are private, loopback, link-local (cloud metadata), carrier-grade NAT (100.64.0.0/10),
    multicast, reserved or unspecified, and IPv6 addresses that stand for one of them: IPv4-mapped, NAT64, 6to4.
    """
    ip = _embedded(ipaddress.ip_address(address))
    special = ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback or ip.is_link_local
    return ip.is_global and not special and not any(ip in network for network in _NOT_PUBLIC)


def _embedded(ip: _Address) -> _Address:
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def address_in(host: str) -> str | None:
    """The IP address that a URL's host spells, also in forms such as ``127.1``, ``0x7f.1`` and ``2130706433``.

    Returns:
        None if the host is a name.
    """
    host = host.rstrip(".")
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None


@dataclass(frozen=True)
class Guard:
    """What the configuration allows.

    With no `allowed_hosts`, every public host may be fetched from. With some, only these may, and since they were
    named, they may have private addresses. An entry is a host name, ``*.example.com`` for all names below it, or an
    IP address, each with an optional ``:port`` (all ports otherwise); or the name of a bucket.

    Attributes:
        schemes: URL schemes that may be used.
        allowed_hosts: host in lower case, and port or None.
        allow_private: whether other than public addresses may be connected to.
    """

    schemes: frozenset[str]
    allowed_hosts: tuple[tuple[str, int | None], ...]
    allow_private: bool

    @classmethod
    def of(cls, config: FetchConfig) -> Guard:
        """The guard as configured.

        Raises:
            ConfigError: an entry of `fetch.allowed_hosts` is no host.
        """
        hosts = tuple(_parse_entry(entry) for entry in config.allowed_hosts)
        return cls(frozenset(config.schemes), hosts, config.allow_private_networks or bool(hosts))

    def check_url(self, url: URL) -> None:
        """Let a URL pass before anything is asked of its host.

        Raises:
            RowError: ``blocked_scheme``, ``blocked_host``, ``blocked_address``, or ``bad_url`` for an address that
                is public but not written in its usual form.
        """
        if url.scheme not in {"http", "https"} or url.scheme not in self.schemes:
            raise blocked_scheme(url.scheme)
        host = str(url.raw_host).lower()
        address = address_in(host)
        if self.allowed_hosts and not any(
            _matches(address or host.rstrip("."), url.port, entry) for entry in self.allowed_hosts
        ):
            raise RowError("blocked_host", f"{redact(str(url))}: the host is not in fetch.allowed_hosts.")
        if address is None:
            return
        if not self.may_connect(address):
            raise blocked_address(redact(str(url)))
        if ":" not in host and address != host:
            raise RowError("bad_url", f"{redact(str(url))}: the IP address must be written {address}.")

    def check_bucket(self, scheme: str, bucket: str) -> None:
        """Let a bucket pass before anything is asked of its store; with `allowed_hosts`, only one that is named there.

        Raises:
            RowError: ``blocked_scheme`` or ``blocked_host``.
        """
        if scheme not in self.schemes:
            raise blocked_scheme(scheme)
        name = bucket.lower()
        if self.allowed_hosts and not any(
            _matches(address_in(name) or name, None, entry) for entry in self.allowed_hosts
        ):
            raise RowError("blocked_host", f"{scheme}://{bucket}: the bucket is not in fetch.allowed_hosts.")

    def may_connect(self, address: str) -> bool:
        """Whether this resolved address may be connected to."""
        return self.allow_private or is_public(address)


def blocked_scheme(scheme: str) -> RowError:
    """For a scheme that is not in `fetch.schemes`, or that a redirect must not lead to."""
    return RowError("blocked_scheme", f"'{scheme[:20]}:' may not be fetched from here (fetch.schemes).")


def blocked_address(shown: str) -> RowError:
    """For a host whose every address is refused."""
    return RowError(
        "blocked_address",
        f"{shown}: not a public address; fetch.allow_private_networks or fetch.allowed_hosts would let it pass.",
    )


def _parse_entry(entry: str) -> tuple[str, int | None]:
    found = _ENTRY.fullmatch(entry.strip())
    try:
        if found is None:
            return str(ipaddress.IPv6Address(entry.strip())), None
        host = found["six"] or found["host"].lower().rstrip(".")
        host = str(ipaddress.IPv6Address(host)) if found["six"] else host.encode("idna").decode("ascii")
    except ValueError:
        raise ConfigError(
            f"fetch.allowed_hosts: '{entry}' is not a host.", "Write example.com, *.example.com or 10.0.0.1:8080."
        ) from None
    return address_in(host) or host, int(found["port"]) if found["port"] else None


def _matches(host: str, port: int | None, entry: tuple[str, int | None]) -> bool:
    pattern, wanted_port = entry
    if wanted_port is not None and port != wanted_port:
        return False
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
