"""A query whose conditions have been understood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tuku.conditions import Condition, Joined, comparisons
from tuku.search.known_fields import KnownFields, checked, require_field
from tuku.search.query import Query
from tuku.search.retriever import Retriever
from tuku.search.where import lone_name, read_where, something


@dataclass(frozen=True)
class Asked:
    """What is asked; its fields bear the collection's names.

    Attributes:
        query: as it came.
        where: what the images must meet.
        boosts: conditions with their factors, each as often as it was given.
        group_by: of the images that share this field's value, the best one alone.
    """

    query: Query
    where: Condition | None = None
    boosts: tuple[tuple[Condition, float], ...] = ()
    group_by: str | None = None

    @property
    def needed(self) -> tuple[str, ...]:
        """The fields that boosts and groups look at."""
        names = {each.field for condition, _ in self.boosts for each in comparisons(condition)}
        return tuple(sorted(names | ({self.group_by} if self.group_by else set())))


def understood(query: Query, retriever: Retriever, besides: Condition | None = None) -> Asked:
    """The query with its conditions read and checked.

    Args:
        query: what is asked.
        retriever: knows the fields.
        besides: what the images must meet as well; its fields bear the collection's names.

    Raises:
        WhereError: the filter or a boost cannot be understood.
        ConfigError: it names a field that the collection does not have, or asks of one what it cannot hold.
        MilvusError: the collection did not answer.
    """
    own = None if query.where is None else read_where(query.where)
    if own is None and not query.boosts and query.group_by is None:
        return Asked(query, besides)
    known, is_there = retriever.fields(), retriever.has_field
    where = besides
    if own is not None:
        where = checked(own, known, is_there)
        where = where if besides is None else Joined("and", (where, besides))
    return Asked(
        query,
        where,
        tuple((_boost(text, known, is_there), factor) for text, factor in query.boosts.items()),
        None if query.group_by is None else require_field(query.group_by, known, is_there),
    )


def _boost(text: str, known: KnownFields, is_there: Callable[[str], bool]) -> Condition:
    name = lone_name(text)
    if name is not None:
        return something(require_field(name, known, is_there))
    return checked(read_where(text), known, is_there)
