"""What answers leave out of a picture's address (folders, passwords, signatures): filters do not find it out either."""

from __future__ import annotations

from tuku.conditions import comparisons
from tuku.search.known_fields import FRIENDLY
from tuku.search.where import lone_name, read_where
from tuku.web.models import Asked
from tuku.web.problems import RefusedError

_HIDDEN = frozenset({"uri", FRIENDLY["uri"]})


def require_shown(asked: Asked) -> None:
    """Whether filter, boosts and groups name nothing that is hidden, however the names are written.

    Raises:
        RefusedError: 422: they do.
        WhereError: a condition cannot be understood.
    """
    conditions = [*asked.boosts, *([asked.where] if asked.where else [])]
    names = {name for condition in conditions for name in _named(condition)} | {asked.group_by}
    for name in names & _HIDDEN:
        raise RefusedError(
            422,
            f"This server does not search by {name}: it does not show all of it.",
            "Ask for the image by its id, or by its metadata.",
            code="hidden_field",
        )


def _named(condition: str) -> set[str]:
    name = lone_name(condition)
    return {test.field for test in comparisons(read_where(condition))} if name is None else {name}
