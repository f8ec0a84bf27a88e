"""Every way in which tuku fails, by type.

A broken *job* raises a `TukuError`; its class decides the exit code. A bad *row* is never an exception outside
the function that met it: `RowError` is caught at the stage's edge and becomes the row's outcome (see `schemas`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields


class TukuError(Exception):
    """A job that cannot go on.

    Args:
        message: what happened, naming the file, the row or the key.
        remedy: what the user can do about it.
    """

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class ConfigError(TukuError):
    """A wrong key or value, a missing package or secret: found before any work is done."""

    exit_code = 2


class ManifestError(ConfigError):
    """A manifest that cannot be read at all; a row that cannot be read is a dead letter."""


class StorageError(ConfigError):
    """A lake that cannot be read or written: missing, read-only, not a lake."""


class TooManyFailuresError(TukuError):
    """More rows failed than `limits.max_failed_fraction` allows; what succeeded is kept and loaded."""

    exit_code = 3


class VerificationError(TukuError):
    """What was loaded is not what the lake holds: nothing is promoted."""

    exit_code = 4


class VectorSpaceError(ConfigError):
    """Vectors of one model were about to be mixed with, or searched by, vectors of another."""


class MilvusError(TukuError):
    """Milvus refused or did not answer in time. The lake is complete: the load can be run again."""


class StoppedError(TukuError):
    """The run stopped early and goes on from there when it is run again (budget, quota, disk full)."""

    exit_code = 5


class LeaseLostError(StoppedError, StorageError):
    """Another run has taken the lake over: this one was taken for dead. The next run goes on from what it left."""


class InterruptedRunError(TukuError):
    """SIGINT or SIGTERM; what was done is on disk and the next run goes on from there."""

    exit_code = 130


STOPPED = "stopped"
"""The code of a row that was not worked because the run was halted: no dead letter, the next run works it."""


UNCHANGED = "unchanged"
"""The code of a row whose picture turned out to be what the lake has: nothing to be done."""

SAME_CONTENT = "same_content"
"""The code of a row whose content the lake has answers for, or another row of the run is worked for: see `twins`."""

NO_FAILURES = frozenset({STOPPED, UNCHANGED, SAME_CONTENT})
"""Codes that end a row's way and make no dead letter of it."""


@dataclass(unsafe_hash=True)
class RowError(Exception):
    """Why one row failed: becomes the row's dead letter. Nobody changes one; Python itself must (`__traceback__`).

    Attributes:
        code: stable, machine-readable, snake_case: ``not_found``, ``http_404``, ``truncated`` …
        message: one line for people, without secrets.
        retryable: whether the same row may succeed later without being changed.
        attempts: how often it was tried.
        request_id: the provider's id of the last request, for its support desk.
    """

    code: str
    message: str
    retryable: bool = False
    attempts: int = 1
    request_id: str | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    @property
    def sentence(self) -> str:
        """Code and message with one full stop, whether or not the message brings its own."""
        return f"{str(self).rstrip('. ')}."

    def __reduce__(self) -> tuple[type[RowError], tuple[object, ...]]:
        return type(self), tuple(getattr(self, field.name) for field in fields(self))
