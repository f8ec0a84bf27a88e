"""`tuku collections` and `tuku rollback`: the collections behind the alias."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from tuku.config import Config
from tuku.lake import Lake
from tuku.progress import Progress
from tuku.providers.registry import describe_embedder

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tuku.milvus.shelf import Shelved


@dataclass(frozen=True)
class Shelf:
    """The collections of an alias, the newest first."""

    alias: str
    collections: tuple[Shelved, ...]

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        listed = [asdict(each) for each in self.collections]
        for each in listed:
            each["proven_at"] = each["proven_at"] and each["proven_at"].isoformat()
        return {"alias": self.alias, "collections": listed}

    def summary(self) -> RenderableType:
        """For people."""
        from rich.table import Table

        from tuku.terminal import printable

        if not self.collections:
            return f"There is no collection for {self.alias} yet: `tuku load` makes one."
        shown = Table("collection", "run", "rows", "index", "vector space", "proven", "readers")
        for each in self.collections:
            rows = "not loaded" if each.rows is None else f"{each.rows:,}"
            proven = each.proven_at.strftime("%Y-%m-%d %H:%M UTC") if each.proven_at else "never"
            cells = (each.name, each.run, rows, each.index, each.vector_space, proven, "here" if each.live else "")
            shown.add_row(*map(printable, cells))
        return shown


@dataclass(frozen=True)
class RolledBack:
    """What readers saw, and what they see now."""

    alias: str
    former: str
    collection: str

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)

    def summary(self) -> RenderableType:
        """For people."""
        return (
            f"Readers of {self.alias} see {self.collection} now; {self.former} is kept. The next load brings"
            f" {self.collection} up to the lake again: mend the lake before."
        )


def list_collections(config: Config) -> Shelf:
    """`tuku collections`: writes nothing.

    Raises:
        ConfigError: there is no Milvus file.
        MilvusError: Milvus cannot be reached.
    """
    from tuku.milvus.connect import connected
    from tuku.milvus.shelf import shelved

    with connected(config.milvus, create=False) as client:
        return Shelf(config.milvus.collection, tuple(shelved(client, config)))


def roll_back(config: Config, progress: Progress, to: str | None = None, *, wait_s: float | None = None) -> RolledBack:
    """`tuku rollback`: the alias back to an earlier collection, while nobody else works on the lake.

    Args:
        config: the configuration.
        progress: told what is going on.
        to: the collection; None: the one before.
        wait_s: how long to wait for another run on this lake to end; None: not at all.

    Raises:
        ConfigError, VectorSpaceError, MilvusError: as `tuku.milvus.shelf.roll_back`.
        StoppedError: another run works on the lake.
    """
    from tuku.milvus.connect import connected
    from tuku.milvus.shelf import roll_back as point_back

    lake = Lake.at(config.lake.uri)
    model = describe_embedder(config.embed).name
    # Milvus comes first: the lease would make a folder of a mistyped lake.uri.
    with connected(config.milvus, create=False) as client:
        on_wait = partial(progress.phase, "wait")
        with lake.exclusive(wait_s, command="tuku rollback", on_wait=on_wait) as lease:
            lease.require()
            former, now = point_back(client, config, model, to)
    return RolledBack(config.milvus.collection, former, now)
