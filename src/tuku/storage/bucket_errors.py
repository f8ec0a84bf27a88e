"""What an object store says went wrong, and what to do about it."""

from __future__ import annotations

from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

from tuku.errors import StoppedError, StorageError


def explained(error: Exception, address: str) -> StoppedError | StorageError:
    """The error that everybody else knows; `address` is of what was to be used."""
    line = _first_line(error)
    if isinstance(error, (PermissionDeniedError, UnauthenticatedError)):
        return StorageError(
            f"{address} cannot be used: access denied. {line}",
            "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what this identity may do in the bucket: read, write,"
            " list and delete.",
        )
    if isinstance(error, FileNotFoundError):
        return StorageError(f"{address} cannot be used. {line}", "Check lake.uri, and that the bucket exists.")
    return StoppedError(
        f"{address} could not be reached. {line}",
        "What was finished before is whole. Check AWS_ENDPOINT_URL, AWS_REGION and the credentials (AWS_…), and run the"
        " same command again: it goes on from there.",
    )


def _first_line(error: Exception) -> str:
    """What happened, without what only debuggers want to know."""
    return str(error).split("\n", 1)[0].split(" - Server returned", 1)[0].strip()
