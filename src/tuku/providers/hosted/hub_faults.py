"""Why a hub does not give a model, in words that hold no token and no password. Imports huggingface_hub when used."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from tuku.errors import ConfigError
from tuku.uris import redact

_COPY = "or copy the model's folder here, and name that"

# By the name of an exception's class or base class, the nearest first: what is said, and what can be done.
_FAULTS = {
    "GatedRepoError": (
        "{asked}: the hub {hub} gives it only to those who have accepted its terms.",
        "Accept them on the model's page, and set HF_TOKEN to a token of that account.",
    ),
    "RepositoryNotFoundError": (
        "{asked}: there is no such folder, and the hub {hub} has no such model, or not for everybody.",
        "Check the spelling of {section}.model; for a private model set HF_TOKEN.",
    ),
    "RevisionNotFoundError": (
        "{asked}: the hub {hub} has the model, and no such commit of it.",
        "Set {section}.revision to a commit of its history (docs/self-hosted.md).",
    ),
    "HFValidationError": (
        "{asked}: there is no such folder, and this is no model's id.",
        "Name a folder, or an id of the form maker/model.",
    ),
    "HfHubHTTPError": (
        "{asked}: the hub {hub} answers HTTP {status}.",
        f"401 or 403: check HF_TOKEN. 429 or 5xx: try again later, {_COPY}.",
    ),
}
_FULL = ("{asked}: there is no space left for it in {cache}.", "Make room, or set HF_HOME to a folder that has more.")
_DISK = ("{asked} cannot be kept in {cache}: {why}.", "Set HF_HOME to a folder that can be written.")
_OTHERWISE = (
    "{asked} cannot be downloaded: the hub {hub} is out of reach, or no hub ({kind}).",
    f"Check the network, HF_ENDPOINT and the proxy; {_COPY}.",
)


@dataclass(frozen=True)
class Asked:
    """What a hub is asked for.

    Attributes:
        section: of the configuration.
        model: its id.
        commit: 40 hex digits.
        offline: whether only the cache is asked.
    """

    section: str
    model: str
    commit: str
    offline: bool

    def __str__(self) -> str:
        return f"{self.section}.model {self.model!r} at commit {self.commit[:12]}"


def not_cached(asked: Asked) -> ConfigError:
    """It is not in the cache, or not all of it, and no hub may be asked."""
    from huggingface_hub import constants

    return ConfigError(
        f"{asked} is not in the cache {constants.HF_HUB_CACHE}, or not all of it, and no hub may be asked.",
        f"Run this once with {asked.section}.offline: false and without HF_HUB_OFFLINE, {_COPY}.",
    )


def explained(error: Exception, asked: Asked) -> ConfigError:
    """What huggingface_hub raised, with a remedy. None of its text is kept: addresses may hold passwords."""
    from huggingface_hub import constants, errors

    cause = error.__cause__ if isinstance(error, errors.LocalEntryNotFoundError) else error
    if cause is None or isinstance(cause, errors.OfflineModeIsEnabled):
        return not_cached(asked)
    values = {
        "asked": asked,
        "section": asked.section,
        "hub": redact(constants.ENDPOINT),
        "cache": constants.HF_HUB_CACHE,
        "status": getattr(getattr(cause, "response", None), "status_code", "?"),
        "why": getattr(cause, "strerror", None),
        "kind": type(cause).__name__,
    }
    message, remedy = _words(cause)
    return ConfigError(message.format(**values), remedy.format(**values))


def _words(cause: BaseException) -> tuple[str, str]:
    names = (kind.__name__ for kind in type(cause).__mro__)
    found = next((_FAULTS[name] for name in names if name in _FAULTS), None)
    if found is not None:
        return found
    if isinstance(cause, OSError) and cause.errno is not None:
        return _FULL if cause.errno in {errno.ENOSPC, errno.EDQUOT} else _DISK
    return _OTHERWISE
