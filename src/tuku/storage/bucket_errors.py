"""What an object store says went wrong, and what to do about it."""

from __future__ import annotations

from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

from tuku.errors import StoppedError, StorageError
from tuku.storage.bucket_stores import first_line, variables_of


def explained(error: Exception, address: str) -> StoppedError | StorageError:
    """The error that everybody else knows.

    Args:
        error: what was raised.
        address: URI of what was to be used.
    """
    line, variables = first_line(error), variables_of(address)
    if isinstance(error, (PermissionDeniedError, UnauthenticatedError)):
        return StorageError(
            f"{address} cannot be used: access denied. {line}",
            f"Check {variables.credentials} and what this identity may do in the bucket: read, write, list and delete.",
        )
    if isinstance(error, FileNotFoundError):
        return StorageError(f"{address} cannot be used. {line}", "Check lake.uri, and that the bucket exists.")
    return StoppedError(
        f"{address} could not be reached. {line}",
        f"What was finished before is whole. Check {variables.place} and the credentials ({variables.prefix}…), and run"
        " the same command again: it goes on from there.",
    )
