"""A load dies before or after each step of the swap, on a real Milvus Lite: readers notice nothing, the next ends it.

Where Milvus is a server, `test_load_kills.py` kills real processes, at moments that nobody chooses.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest
from pymilvus import MilvusClient

from fakes import memory_lake
from fakes.lite_imports import LiteImporter
from fakes.memory_lake import MemoryLake, configured, failed, images
from fakes.nights import KilledError
from tuku.load_ledger import LoadLedger
from tuku.milvus import alias, collection
from tuku.milvus import index as collection_index
from tuku.milvus.begun import forget_shown
from tuku.milvus.connect import connected
from tuku.milvus.job import LoadReport
from tuku.storage import DiskStorage

pytestmark = pytest.mark.milvus

IDS = [f"i{n}" for n in range(25)]
STEPS: dict[str, tuple[Any, str]] = {
    "note of the proof": (collection, "note"),
    "alias": (MilvusClient, "alter_alias"),
    "drop what is kept no longer": (alias, "drop_old"),
    "release": (alias, "release_old"),
    "remove staged files": (DiskStorage, "remove_all"),
    "remove ledger": (LoadLedger, "remove"),
}
IN_PLACE = ("note of the proof", "remove staged files", "remove ledger")


class World:
    """Where loads go from and to."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tuku.milvus.begun.rows_per_file", lambda first, layout, size: 10)
        monkeypatch.setattr("tuku.milvus.bulk._POLL_S", 0.001)
        self.folder = folder
        self.lake = MemoryLake(images(IDS, "n1"))
        self.config = configured(str(folder / "milvus.db"))
        self.imports = LiteImporter(config=self.config)
        self.imports.use(monkeypatch)
        self.alias = True
        self.seen = list[str]()

    def load(self, run_id: str, strategy: str = "auto", **changes: Any) -> LoadReport:
        """Whose proof must hold, each row being looked at."""
        load = {"staging_uri": str(self.folder / "staged"), "keep": 1, "strategy": strategy, "alias": self.alias}
        config = configured(self.config.milvus.uri, load=load, verify={"sample": len(IDS)})
        look = {"progress": lambda *_: self.look()} if self.seen else {}
        report = memory_lake.run(config, self.lake, self.folder / "ledgers", run_id, **{**look, **changes})
        assert failed(report) == []
        with connected(config.milvus) as client:
            assert alias.proven_at_ns(collection.properties(client, "tuku")) is not None
        return report

    def look(self) -> None:
        """As readers do, who are always to find a collection behind the alias that was proven before they saw it."""
        with connected(self.config.milvus) as client:
            name = alias.resolve(client, "tuku")
            assert name is not None
            assert alias.first_proven_at_ns(collection.properties(client, name)) is not None
        self.seen.append(name)

    def two_nights(self) -> None:
        """Readers have seen one collection, and see another; since then most of the lake has changed."""
        for run_id in ("r0", "r1"):
            self.load(run_id, "rebuild")
        self.lake.add(images(IDS[:20], "n2", seed=3))
        self.imports.imported.clear()
        self.look()

    def dies(self, step: str, when: str, run_id: str, strategy: str = "auto") -> None:
        owner, name = STEPS[step]
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(owner, name, dying(getattr(owner, name), when))
            with pytest.raises(KilledError):
                self.load(run_id, strategy)
        if self.seen:
            self.look()

    def left(self) -> tuple[list[str], list[str]]:
        """The collections, and what should be gone: ledgers, staged files."""
        files = [path.name for place in ("ledgers", "staged") for path in (self.folder / place).rglob("*.*")]
        with connected(self.config.milvus) as client:
            return sorted(client.list_collections()), files


def dying(step: Callable[..., Any], when: str) -> Callable[..., Any]:
    def wrapped(*arguments: Any, **named: Any) -> Any:
        if when == "before":
            raise KilledError
        step(*arguments, **named)
        raise KilledError

    return wrapped


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_the_next_load_ends_what_a_death_cut_off(world: World, step: str, when: str) -> None:
    world.two_nights()
    world.dies(step, when, "r2")
    shown = world.seen[-1]
    assert shown == ("tuku__r1" if (step, when) in EARLY else "tuku__r2")
    report = world.load("r3")
    assert report.collection == "tuku__r2"
    assert report.strategy == ("rebuild" if shown == "tuku__r1" else "upsert")
    assert world.left() == (["tuku__r1", "tuku__r2"], [])
    assert world.imports.imported == dict.fromkeys(IDS, 1)
    world.look()
    assert list(dict.fromkeys(world.seen)) == ["tuku__r1", "tuku__r2"]


EARLY = {("note of the proof", "before"), ("note of the proof", "after"), ("alias", "before")}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_rebuild_that_was_asked_for_leaves_nothing_over_either(world: World, step: str, when: str) -> None:
    world.two_nights()
    world.dies(step, when, "r2", "rebuild")
    early = (step, when) in EARLY
    assert world.load("r3", "rebuild").collection == ("tuku__r2" if early else "tuku__r3")
    assert world.left() == (["tuku__r1", "tuku__r2"] if early else ["tuku__r2", "tuku__r3"], [])


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_first_load_dies_when_it_makes_the_alias(world: World, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STEPS, "alias", (MilvusClient, "create_alias"))
    world.dies("alias", when, "r0")
    assert world.load("r1").collection == "tuku__r0"
    assert world.left() == (["tuku__r0"], [])
    world.look()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", IN_PLACE)
def test_in_place_too(world: World, step: str, when: str) -> None:
    world.alias = False
    world.dies(step, when, "r0")
    world.load("r1")
    assert world.left() == (["tuku"], [])
    assert world.imports.imported == dict.fromkeys(IDS, 1)


def test_readers_who_were_led_back_are_not_led_forward_again_by_what_was_cut_off(world: World) -> None:
    """`tuku rollback` forgets the ledger of the collection that it leads away from."""
    world.two_nights()
    world.dies("drop what is kept no longer", "before", "r2")
    with connected(world.config.milvus) as client:
        forget_shown(client, world.config.milvus, DiskStorage(world.folder / "ledgers"))
        alias.point(client, "tuku", "tuku__r1")
    assert world.load("r3", "rebuild").collection == "tuku__r3"


class Indexes:
    """Milvus Lite with a record of how each field's index was made, which it does not tell."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, alias: bool) -> None:
        self.folder, self.alias = folder, alias
        self.lake = MemoryLake(images(IDS, "n1"))
        self.made = dict[str, Any]()
        create = MilvusClient.create_index

        def recorded(client: MilvusClient, name: str, wanted: Any, **named: Any) -> None:
            create(client, name, wanted, **named)
            self.made |= {each["field_name"]: each["params"]["M"] for each in map(methodcaller("to_dict"), wanted)}

        monkeypatch.setattr(MilvusClient, "create_index", recorded)

    def load(self, run_id: str, links: int) -> LoadReport:
        index = {"params": {"M": links}}
        config = configured(str(self.folder / "milvus.db"), milvus={"index": index}, load={"alias": self.alias})
        return memory_lake.run(config, self.lake, self.folder / "ledgers", run_id)

    def dies(self, owner: Any, name: str, when: str, links: int) -> None:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(owner, name, dying(getattr(owner, name), when))
            with pytest.raises(KilledError):
                self.load("r1", links)


BUILD = [(collection_index, "note"), (MilvusClient, "create_index")]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("owner", "name"), BUILD)
def test_an_index_of_a_load_that_died_is_not_taken_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, when: str
) -> None:
    indexes = Indexes(tmp_path, monkeypatch, alias=True)
    indexes.dies(owner, name, when, links=4)
    assert indexes.load("r2", links=64).collection == "tuku__r1"
    assert indexes.made == {"image_embedding": 64, "text_embedding": 64}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("owner", "name"), [*BUILD, (MilvusClient, "drop_index")])
def test_an_index_whose_exchange_was_cut_off_is_exchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, when: str
) -> None:
    indexes = Indexes(tmp_path, monkeypatch, alias=False)
    indexes.load("r0", links=4)
    indexes.dies(owner, name, when, links=64)
    assert indexes.load("r2", links=64).strategy == "upsert"
    assert indexes.made == {"image_embedding": 64, "text_embedding": 64}
