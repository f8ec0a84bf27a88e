"""The loader, or the Milvus server, is killed at each step of a load: the next `tuku load` ends as if nothing had been.

The server has come back when the next load begins, 10 s after it was killed.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from load_world import LoadWorld, add_run
from milvus_server import MilvusServer
from support import Ran
from tuku.milvus import alias
from tuku.milvus.connect import connected

pytestmark = [pytest.mark.milvus, pytest.mark.long, pytest.mark.timeout(600)]

SEED = int(os.environ.get("KILL_SEED", "0"))
ROWS = 6_000
DOWN_S = 10.0
BULK = ("load.file_mb=1", "load.stall_s=240")
INSERT = ("load.bulk_import=never", "load.batch_rows=200", "load.requests_in_flight=2")
STEPS = [
    ("load", BULK),
    ("import", BULK),
    ("index", BULK),
    ("memory", BULK),
    ("verify", BULK),
    ("insert", INSERT),
    ("index", INSERT),
]
NAMES = [f"{step}, {'bulk' if chosen is BULK else 'inserts'}" for step, chosen in STEPS]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    # Milvus 2.3.5 keeps an import that was under way when it died, and all others behind it, until this is over.
    settings = {"rootCoord.importTaskExpiration": 20}
    with MilvusServer(tmp_path_factory.mktemp("milvus") / "server", settings) as running:
        yield running


@pytest.fixture
def world(server: MilvusServer, tmp_path: Path) -> Iterator[LoadWorld]:
    made = LoadWorld(tmp_path, server)
    add_run(made.lake, 0, ROWS)
    yield made
    drop_all(made)


def drop_all(world: LoadWorld) -> None:
    with connected(world.config.milvus, create=False) as client:
        if alias.resolve(client, "tuku") is not None:
            client.drop_alias("tuku")
        for name in client.list_collections():
            client.drop_collection(name)


def wait_for(step: str, loader: subprocess.Popen[str]) -> list[str]:
    """Read what the loader says until it has entered a step (``load`` is its begin)."""
    assert loader.stderr is not None
    said: list[str] = []
    for line in loader.stderr:
        said.append(line)
        if f"tuku {step}" in line:
            return said
    raise AssertionError(f"it ended before {step}: {''.join(said)}")


def settings(world: LoadWorld, chosen: tuple[str, ...]) -> None:
    world.settings = [f"load.staging_uri={world.folder / 'staged'}", *chosen]


def require_as_undisturbed(world: LoadWorld, *, of: int = 1) -> None:
    """Everything of the lake once, and nothing else on the server or in the staging folder."""
    assert world.differences() == []
    assert len(world.collections()) == of
    assert world.left_behind() == []


@pytest.mark.parametrize(("step", "chosen"), STEPS, ids=NAMES)
def test_the_loader_is_killed(world: LoadWorld, step: str, chosen: tuple[str, ...]) -> None:
    chance = random.Random(f"{step} {chosen} {SEED}")
    settings(world, chosen)
    for _ in range(2):  # the second one may be killed while it goes on from the first
        with world.started("load") as loader:
            wait_for(step, loader)
            time.sleep(chance.uniform(0.0, 2.0))
            loader.send_signal(signal.SIGKILL)
    last = world("load")
    assert last.code == 0, last.err
    require_as_undisturbed(world)


def test_the_loader_is_killed_at_the_swap_and_after_it(world: LoadWorld) -> None:
    settings(world, BULK)
    assert world("load").code == 0
    add_run(world.lake, 0, ROWS)
    for delay_s in (0.0, 0.15, 0.3, 0.6, 1.0):
        with world.started("load", "--strategy", "rebuild") as loader:
            wait_for("verify", loader)
            time.sleep(delay_s)
            loader.send_signal(signal.SIGKILL)
    last = world("load")
    assert last.code == 0, last.err
    assert world.differences() == []
    alone = world("load", "--strategy", "rebuild", "--set", "load.keep=0")
    assert alone.code == 0, alone.err
    require_as_undisturbed(world)


class Heard:
    """What a loader says, while it says it."""

    def __init__(self, loader: subprocess.Popen[str]) -> None:
        self._loader = loader
        self._lines: list[str] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def said(self) -> str:
        return "".join(self._lines)

    def steps(self) -> list[str]:
        """Those that it has entered, in order."""
        return [step for step in re.findall(r"^\S+Z tuku (\w+)", self.said, re.MULTILINE) if step != "end"]

    def wait_for(self, step: str) -> None:
        """Until it has entered a step."""
        while step not in self.steps():
            assert self._thread.is_alive(), f"it ended before {step}: {self.said}"
            time.sleep(0.005)

    def to_the_end(self) -> str:
        """All that it said."""
        self._loader.wait(400)
        self._thread.join()
        return self.said

    def _listen(self) -> None:
        assert self._loader.stderr is not None
        for line in self._loader.stderr:
            self._lines.append(line)


@pytest.mark.timeout(1200)  # an import that Milvus 2.3.5 does not end any more takes the whole of load.stall_s
@pytest.mark.parametrize(("step", "chosen"), STEPS[1:], ids=NAMES[1:])
def test_the_server_is_killed(world: LoadWorld, step: str, chosen: tuple[str, ...]) -> None:
    """Before the step is over: a kill that came too late is survived as well, and another one comes sooner."""
    chance = random.Random(f"server {step} {chosen} {SEED}")
    settings(world, chosen)
    hits = False
    for latest_s in (2.0, 1.0, 0.5, 0.2, 0.0):
        drop_all(world)
        hits = _hits(world, step, chance.uniform(0.0, latest_s))
        last = world("load", "--json")
        assert last.code == 0, last.err
        print(last.out)  # noqa: T201  `pytest -rP` shows who survived what
        require_as_undisturbed(world)
        if hits:
            break
    assert hits


def _hits(world: LoadWorld, step: str, delay_s: float) -> bool:
    """Kill the server so long after a loader has entered a step. Returns whether the loader could not finish it."""
    with world.started("load") as loader:
        heard = Heard(loader)
        heard.wait_for(step)
        time.sleep(delay_s)
        world.server.kill()
        time.sleep(DOWN_S)
        hits = heard.steps()[-1] == step and loader.poll() != 0
        world.server.start()
        said = heard.to_the_end()
    print(f"{delay_s:.2f} s after it began: {hits}\n{said}")  # noqa: T201
    assert "Traceback" not in said, said
    assert loader.returncode in {0, 1, 4}, said  # it has waited for the server, or ends with a message
    return hits


def test_in_place_the_loader_is_killed_before_there_is_an_index(world: LoadWorld) -> None:
    """Nobody can count what is not indexed; the next load fills it anew all the same."""
    settings(world, (*INSERT, "load.alias=false"))
    with world.started("load") as loader:
        wait_for("insert", loader)
        loader.send_signal(signal.SIGKILL)
    last = world("load")
    assert last.code == 0, last.err
    require_as_undisturbed(world)


def test_the_loader_is_killed_while_it_upserts_and_deletes(world: LoadWorld) -> None:
    """What readers see is changed in place: rows that came twice, or not at all, would stay."""
    chance = random.Random(f"upsert {SEED}")
    settings(world, (*INSERT, "load.strategy=upsert"))
    assert world("load", "--strategy", "rebuild").code == 0
    gone = [f"i{n}" for n in range(ROWS - 500, ROWS)]
    add_run(world.lake, 0, ROWS // 2, gone=gone)
    for _ in range(3):
        with world.started("load") as loader:
            wait_for("insert", loader)
            time.sleep(chance.uniform(0.0, 1.0))
            loader.send_signal(signal.SIGKILL)
    last = world("load", "--json")
    assert last.code == 0, last.err
    assert last.json["load"]["strategy"] == "upsert"
    assert last.json["load"]["deleted"] in {0, len(gone)}  # the last of those that were killed may have been through
    require_as_undisturbed(world)


def test_the_loader_is_killed_while_it_exchanges_an_index_in_place(world: LoadWorld) -> None:
    settings(world, (*INSERT, "load.alias=false"))
    assert world("load").code == 0
    other = ("milvus.index.type=IVF_FLAT", "milvus.index.params={nlist: 64}", "milvus.index.search_params={nprobe: 64}")
    settings(world, (*INSERT, "load.alias=false", *other))
    for tenths in range(30):  # until one was killed between the old index and the new one
        with world.started("load") as loader:
            wait_for("load", loader)
            time.sleep(tenths / 10)
            loader.send_signal(signal.SIGKILL)
        with connected(world.config.milvus, create=False) as client:
            built = client.describe_index("tuku", "image_embedding") or {"index_type": "none"}
            state = client.get_load_state("tuku")["state"].name
        if (built["index_type"], state) != ("HNSW", "Loaded"):
            break
    assert (built["index_type"], state) not in {("HNSW", "Loaded"), ("IVF_FLAT", "Loaded")}
    last = world("load", "--json")
    assert last.code == 0, last.err
    assert last.json["load"]["strategy"] == "upsert"
    require_as_undisturbed(world)
    with connected(world.config.milvus, create=False) as client:
        assert client.describe_index("tuku", "image_embedding")["index_type"] == "IVF_FLAT"


def test_the_proof_sees_a_row_that_came_twice(world: LoadWorld) -> None:
    """A server keeps both, counts both, and answers with one of them."""
    settings(world, INSERT)
    assert world("load").code == 0
    with connected(world.config.milvus, create=False) as client:
        fields = ["*", "image_embedding"]
        [row] = client.query("tuku", filter='id == "i7"', output_fields=fields, consistency_level="Strong")
        client.insert("tuku", [row])
    doubled = world("verify", "--json")
    assert doubled.code == 4
    assert failed(doubled)[0] == ("rows", ROWS, ROWS + 1)
    with connected(world.config.milvus, create=False) as client:
        client.delete("tuku", filter='id == "i8"')  # now their number is right
    lacking = world("verify", "--json")
    assert lacking.code == 4
    assert failed(lacking)[0][0] == "keys"


def failed(ran: Ran) -> list[tuple[str, object, object]]:
    checks = ran.json["verify"]["checks"]
    return [(check["name"], check["expected"], check["actual"]) for check in checks if not check["passed"]]
