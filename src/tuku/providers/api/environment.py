"""What a provider takes from the environment, and the errors that say what is missing without showing a secret."""

from __future__ import annotations

from collections.abc import Mapping

from tuku.errors import ConfigError
from tuku.providers.factory import Access
from tuku.uris import address_fault


def key_from_environment(variable: str, who: str, environ: Mapping[str, str], *, advice: str = "") -> str:
    """The key of a service.

    Args:
        variable: its name in the environment.
        who: needs it, for the message.
        environ: the process's.
        advice: what else the message says.

    Raises:
        ConfigError: there is none, or one that cannot be sent in an HTTP header.
    """
    key = environ.get(variable, "").strip()
    if not key:
        raise ConfigError(f"{who} needs a key, and {variable} is not set.", f"export {variable}=… {advice}".strip())
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(
            f"{variable} holds characters that are in no key: spaces, line breaks or letters beyond ASCII.",
            "Copy the key again.",
        )
    return key


def service_address(key: str, configured: str | None, variable: str, environ: Mapping[str, str]) -> str | None:
    """The service's address, without a slash at its end: configured, or in the environment, or None for the SDK's own.

    Args:
        key: of the configuration, for the message.
        configured: its value.
        variable: its name in the environment.
        environ: the process's.

    Raises:
        ConfigError: it is no address.
    """
    source, address = (key, configured) if configured else (variable, environ.get(variable, "").strip())
    if not address:
        return None
    fault = address_fault(address)
    if fault is not None:
        # The value is not shown: it may hold a user and a password.
        raise ConfigError(f"{source} is no address of a service: {fault}.", "It looks like https://host/api/v1.")
    return address.rstrip("/")


def required_access(access: Access | None) -> Access:
    """Access to a service that has terms.

    Raises:
        ValueError: the caller forgot it.
    """
    if access is None:
        raise ValueError("a model that has terms is created with access to its service")
    return access
