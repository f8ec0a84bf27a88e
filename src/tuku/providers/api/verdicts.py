"""How the failure of one request is judged, where more hangs on it than the row.

A plain `RowError` is the row's own affair (``retryable`` or not), a `StoppedError` ends the run. They are returned,
not raised, as everything that becomes a row's outcome is.
"""

from __future__ import annotations

from dataclasses import dataclass

from tuku.errors import RowError
from tuku.retry import ThrottledError
from tuku.terms import ThrottleKind


@dataclass(unsafe_hash=True)
class Throttled(ThrottledError):  # noqa: N818  a verdict: nobody raises it
    """The request was one too many; the row is not to blame and has used up no attempt.

    Attributes:
        kind: what there was too much of.
    """

    retryable: bool = True
    kind: ThrottleKind = "requests"


@dataclass(unsafe_hash=True)
class Unavailable(RowError):  # noqa: N818  likewise
    """The service did not answer, or said that it cannot: perhaps it is down for everybody."""

    retryable: bool = True
