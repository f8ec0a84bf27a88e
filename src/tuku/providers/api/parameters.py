"""Which of a model's parameters the configuration may send along: what shapes the answer, not what steers the SDK.

An SDK takes its own options by the same way: a `stream` or a `base_address` among the parameters would change how, or
where, requests are sent. And the configuration is written into every run's folder: no place for keys.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from tuku.config_keys import looks_secret
from tuku.errors import ConfigError


def allow_only(section: str, given: Iterable[str], allowed: Collection[str], instead: Mapping[str, str]) -> None:
    """Refuse every parameter that is not known to be harmless.

    Args:
        section: of the configuration: ``caption`` or ``embed``.
        given: names of parameters.
        allowed: names that may be sent along.
        instead: by name, the key of the configuration that says the same.

    Raises:
        ConfigError: naming the first that may not.
    """
    names = ", ".join(sorted(allowed))
    for name in given:
        if name not in allowed:
            own = f"Set {instead[name]} instead." if name in instead else f"Allowed are: {names}."
            raise ConfigError(f"{section}.parameters.{name} is none of the model's parameters that tuku sends.", own)


def refuse(section: str, given: Iterable[str], refused: Collection[str], instead: Mapping[str, str]) -> None:
    """Refuse what is known to do harm, for an endpoint whose parameters nobody can list.

    Args:
        section: of the configuration.
        given: names of parameters.
        refused: names that are not sent, beside all that sound like a secret's.
        instead: by name, the key of the configuration that says the same.

    Raises:
        ConfigError: naming the first that may not.
    """
    for name in given:
        if name in instead:
            raise ConfigError(f"{section}.parameters.{name} has a key of its own.", f"Set {instead[name]} instead.")
        if looks_secret(name):
            raise ConfigError(
                f"{section}.parameters.{name} sounds like a secret, and the configuration is kept with every run.",
                "Secrets come from the environment only.",
            )
        if name in refused:
            raise ConfigError(
                f"{section}.parameters.{name} would change how tuku asks, or what it is answered with.",
                "Parameters shape the answer, such as temperature, top_p, seed or stop.",
            )
