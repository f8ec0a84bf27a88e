"""`tuku collections` and `tuku rollback`: the collections behind the alias."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from tuku.config import Config
from tuku.errors import StorageError
from tuku.lake import Lake
from tuku.progress import Progress
from tuku.providers.registry import describe_embedder

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tuku.milvus.shelf import Shelved


@dataclass(frozen=True)
class Shelf:
    """The collections of an alias, the newest first.

    Attributes:
        name: that readers use: of the alias, or of the one collection.
        collections: that stand behind it.
    """

    name: str
    collections: tuple[Shelved, ...]

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        listed = [asdict(each) for each in self.collections]
        for each in listed:
            each["proven_at"] = each["proven_at"] and each["proven_at"].isoformat()
        return {"readers_use": self.name, "collections": listed}

    def summary(self) -> RenderableType:
        """For people."""
        from rich.text import Text

        from tuku.tables import table
        from tuku.terminal import printable

        if not self.collections:
            return f"There is no collection that tuku has made for {self.name}: `tuku load` makes one."
        shown = table("", "collection", ">rows", "proven", "index", "run", "vectors")
        for each in self.collections:
            cells = map(printable, (each.name, _rows(each), _proven(each), _index(each), each.run, each.vector_space))
            style = "green" if each.live else "" if each.proven_at else "dim"
            shown.add_row(Text("readers" if each.live else ""), *(Text(cell) for cell in cells), style=style)
        return shown


def _rows(each: Shelved) -> str:
    return f"{'' if each.counted else '~'}{each.rows:,}"


def _index(each: Shelved) -> str:
    """Such as ``HNSW COSINE M=16 efConstruction=200``."""
    params = [f"{name}={value}" for name, value in each.index.get("params", {}).items()]
    return " ".join([*(str(each.index.get(part, "")) for part in ("type", "metric")), *params]).strip() or "none yet"


def _proven(each: Shelved) -> str:
    return each.proven_at.strftime("%Y-%m-%d %H:%M UTC") if each.proven_at else "not proven"


@dataclass(frozen=True)
class RolledBack:
    """What readers saw, and what they see now.

    Attributes:
        alias: that they use.
        former: the collection that they saw.
        collection: the one that they see now.
    """

    alias: str
    former: str
    collection: str

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)

    def summary(self) -> RenderableType:
        """For people."""
        return (
            f"Readers of {self.alias} see {self.collection} now; {self.former} is kept (`tuku rollback --to"
            f" {self.former}`).\nThe next load brings {self.collection} up to the lake: if it is the lake that is"
            " wrong, mend it before."
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
        StorageError: there is no lake, or another run works on it.
        LeaseLostError: the lake was taken over; readers see what they saw.
    """
    from tuku.milvus.begun import forget_shown
    from tuku.milvus.connect import connected
    from tuku.milvus.shelf import roll_back as point_back

    lake = Lake.at(config.lake.uri)
    model = describe_embedder(config.embed)
    if not lake.storage.exists("runs"):  # the lease would make a folder of a mistyped lake.uri, and guard nothing
        raise StorageError(
            f"There is no lake at {lake.storage.uri}.", "Check lake.uri: a load from the lake must not run meanwhile."
        )

    def leave() -> None:
        lease.require()
        forget_shown(client, config.milvus, lake.storage)

    # The lease comes first: an embedded Milvus that a load has open could not even be asked.
    with (
        lake.exclusive(wait_s, command="tuku rollback", on_wait=partial(progress.phase, "wait")) as lease,
        connected(config.milvus, create=False) as client,
    ):
        former, now = point_back(client, config, model.name, model.dim or 0, to, leave)
    return RolledBack(config.milvus.collection, former, now)
