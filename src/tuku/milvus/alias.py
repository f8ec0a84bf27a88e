"""The alias that readers use, and the collections behind it."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING

from tuku.errors import ConfigError, MilvusError
from tuku.milvus import collection
from tuku.milvus.calls import COLLECTION_NOT_FOUND, is_transient, milvus_errors

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Mapping

    from pymilvus import MilvusClient

logger = logging.getLogger(__name__)

# Notes on a collection: which alias it was made for, the newest run of the lake that it was made from, by which run,
# when (ns since 1970) it was first proven fit for it, which run has begun to change it since (empty once that is proven
# too), and which collection readers saw before it.
ALIAS = "tuku.alias"
NEWEST = "tuku.newest_run"
RUN = "tuku.run"
PROVEN_AT = "tuku.proven_at"
UNPROVEN = "tuku.unproven"
BEFORE = "tuku.before"

NS_DIGITS = 19  # of a time in ns until the year 2286
MAX_NAME = 255  # characters, Milvus' limit for a collection's name


def collection_name(alias: str, run_id: str, taken: Collection[str] = ()) -> str:
    """A name for a fresh collection that is not taken: ``<alias>__<run_id>``, in Milvus' characters."""
    base = f"{alias}__{re.sub(r'[^A-Za-z0-9_]', '_', run_id)}"[: MAX_NAME - 8]
    name, number = base, 2
    while name in taken:
        name, number = f"{base}_{number}", number + 1
    return name


def resolve(client: MilvusClient, alias: str) -> str | None:
    """The collection that the alias stands for; None if there is no such alias."""
    from pymilvus.exceptions import MilvusException

    with milvus_errors(f"resolving the alias {alias}"):
        try:
            # Not describe_alias: Milvus 2.3 looks for aliases in the database `default` only.
            name = str(client.describe_collection(alias)["collection_name"])
        except MilvusException as error:
            if error.code != COLLECTION_NOT_FOUND:
                raise
            return None
    return None if name == alias else name


def standing_for(client: MilvusClient, name: str) -> list[str]:
    """Every alias of a collection, in the order of the alphabet."""
    from pymilvus.exceptions import MilvusException

    with milvus_errors(f"listing the aliases of {name}"):
        found = client.describe_collection(name).get("aliases") or []
        if not found:
            # Milvus Lite tells them here alone, Milvus 2.3 those of the database `default` alone.
            try:
                found = client.list_aliases(name)["aliases"]
            except MilvusException as error:
                if is_transient(error):
                    raise
    return sorted(str(each) for each in found)


def require_alias_free(client: MilvusClient, alias: str) -> None:
    """Refuses to go on where a collection bears the alias's name.

    Raises:
        ConfigError: it does; the message says how to migrate.
    """
    if collection.exists(client, alias):
        raise ConfigError(
            f"A collection named {alias} stands where the alias of that name would go.",
            "Keep it and set load.alias: false; or set milvus.collection to a new name, load, point the "
            f"readers there and drop {alias}; or drop {alias} and load again (a gap for readers).",
        )


def require_collection_free(client: MilvusClient, name: str) -> None:
    """Refuses to go on where an alias bears the name that a collection is to get (`load.alias: false`).

    Raises:
        ConfigError: it does; the message says what to do.
    """
    behind = resolve(client, name)
    if behind is not None:
        raise ConfigError(
            f"{name} is an alias (of {behind}), so no collection can bear that name.",
            "Set load.alias: true, or drop the alias, or set milvus.collection to another name.",
        )


def promote(client: MilvusClient, alias: str, name: str, former: str | None, notes: Mapping[str, str]) -> None:
    """Notes that a collection was proven, and points the alias at it.

    Args:
        client: an open client.
        alias: that readers use.
        name: the collection.
        former: that readers saw when the load began; None if there was no alias.
        notes: what else is to be noted on it, in the same request.

    Raises:
        ConfigError: readers see another one by now: somebody else has loaded, or gone back. And as `point`.
        MilvusError: as `point`.
    """
    present = resolve(client, alias)
    if present not in {former, name}:
        raise ConfigError(
            f"Readers of {alias} saw {former or 'nothing'} when this load began, and see {present or 'nothing'} now:"
            " somebody else has loaded it, or gone back, meanwhile.",
            "Check that no other lake is loaded into milvus.collection, and run `tuku load` again.",
        )
    before = {BEFORE: former} if former not in {None, name} else {}
    collection.note(client, name, {**notes, **proven_now(), **before})
    point(client, alias, name)


def point(client: MilvusClient, alias: str, name: str) -> None:
    """Points the alias at a collection, in one step that no reader can fall into.

    Raises:
        ConfigError: a collection bears the alias's name.
        MilvusError: Milvus refused.
    """
    require_alias_free(client, alias)
    present = resolve(client, alias)
    if present == name:
        return
    with milvus_errors(f"pointing the alias {alias} at {name}"):
        if present is None:
            client.create_alias(name, alias)
        else:
            client.alter_alias(name, alias)
    if resolve(client, alias) != name:
        raise MilvusError(f"The alias {alias} does not point at {name} although Milvus accepted it.")


def behind(client: MilvusClient, alias: str) -> dict[str, dict[str, str]]:
    """The properties of every collection that was made for this alias."""
    with milvus_errors("listing collections"):
        names = [name for name in client.list_collections() if name.startswith(f"{alias}__")]
    notes = {name: collection.properties(client, name) for name in names}
    # Another alias may begin with this one's name and two underscores: the note decides.
    return {name: about for name, about in notes.items() if about.get(ALIAS) == alias}


def proven_at_ns(notes: Mapping[str, str]) -> int | None:
    """When a collection of these properties was first proven, in ns since 1970; None if what it holds now is not."""
    return None if notes.get(UNPROVEN) else first_proven_at_ns(notes)


def first_proven_at_ns(notes: Mapping[str, str]) -> int | None:
    """When a collection of these properties was first proven, in ns since 1970, changed since or not; None if never."""
    noted = notes.get(PROVEN_AT, "")
    return int(noted) if noted.isdecimal() and len(noted) <= NS_DIGITS else None


def proven_now() -> dict[str, str]:
    """The note that a collection has just been proven."""
    return {PROVEN_AT: str(time.time_ns())}


def drop_unfinished(client: MilvusClient, alias: str, run_ids: Container[str]) -> list[str]:
    """Drops collections that a load of this lake was killed over, or that failed their proof. Returns their names.

    Those of another lake stay: it may be filling them. So do those that an alias stands for.

    Args:
        client: an open client.
        alias: whose collections they are.
        run_ids: of the lake's runs: no other lake has one of them.
    """
    live = resolve(client, alias)
    unfinished = [
        name
        for name, notes in behind(client, alias).items()
        if proven_at_ns(notes) is None and name != live and (NEWEST not in notes or notes[NEWEST] in run_ids)
    ]
    return _drop(client, unfinished)


def drop_old(client: MilvusClient, alias: str, keep: int, former: str | None = None) -> list[str]:
    """Drops all but the newest `keep` proven collections besides the live one. Returns their names.

    Those that another alias stands for stay.

    Args:
        client: an open client.
        alias: whose collections they are.
        keep: how many stay.
        former: the collection that readers saw until now. It counts as the newest: after a rollback it is older than
            the one that nobody wanted.
    """
    live = resolve(client, alias)
    times = {name: proven_at_ns(notes) for name, notes in behind(client, alias).items() if name != live}
    proven = {name: at for name, at in times.items() if at is not None}
    old = sorted(proven, key=lambda name: (name == former, proven[name]), reverse=True)[keep:]
    return _drop(client, old)


def _drop(client: MilvusClient, names: Iterable[str]) -> list[str]:
    """Drops the collections that no alias stands for. Returns their names."""
    dropped = []
    for name in names:
        others = standing_for(client, name)
        if others:
            logger.warning("%s is not dropped: %s stands for it.", name, ", ".join(others))
        else:
            collection.drop(client, name)
            dropped.append(name)
    return dropped


def release_old(client: MilvusClient, alias: str, former: str | None) -> list[str]:
    """Frees the server's memory of collections that are only kept, and have no alias. Returns their names.

    Args:
        client: an open client.
        alias: whose collections they are.
        former: the collection that readers saw until now: queries are still under way there, and going back to it
            shall be quick.
    """
    seen = {resolve(client, alias), former}
    proven = [name for name, notes in behind(client, alias).items() if proven_at_ns(notes) is not None]
    kept = [name for name in proven if name not in seen and not standing_for(client, name)]
    for name in kept:
        with milvus_errors(f"releasing collection {name}"):
            client.release_collection(name)
    return kept
