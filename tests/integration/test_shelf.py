"""The collections behind the alias on a real Milvus Lite: which there are, going back, and what the next load does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import memory_lake
from fakes.lease_process import LeaseProcess
from fakes.memory_lake import DIM, MODEL, MemoryLake, configured, failed, images, unit_vectors
from fakes.tables import dead_letter_rows, image_rows
from support import Ran, Tuku
from tuku.config import Config
from tuku.errors import ConfigError, LeaseLostError, VectorSpaceError
from tuku.lake import Lake, Stamp
from tuku.load_ledger import LoadLedger
from tuku.milvus import alias, collection, index, shelf
from tuku.milvus.connect import connected
from tuku.milvus.identity import target
from tuku.providers.registry import describe_embedder
from tuku.storage import DiskStorage

pytestmark = pytest.mark.milvus

IDS = [f"i{n}" for n in range(60)]
REBUILD = {"strategy": "rebuild"}


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "milvus.db")


@pytest.fixture
def lake() -> MemoryLake:
    return MemoryLake(images(IDS, "n1"))


def load(uri: str, lake: MemoryLake, run_id: str, load: dict | None = None, **changes):
    """One load, whose proof must hold."""
    sections = {"milvus": changes.pop("milvus")} if "milvus" in changes else {}
    config = configured(uri, load=load or REBUILD, **sections)
    report = memory_lake.run(config, lake, Path(uri).parent / "ledgers", run_id, **changes)
    assert failed(report) == []
    return report


def three(uri: str, lake: MemoryLake) -> Config:
    for run_id in ("r1", "r2", "r3"):
        load(uri, lake, run_id)
    return configured(uri)


def go_back(config: Config, to: str | None = None, **changes) -> tuple[str, str]:
    with connected(config.milvus) as client:
        return shelf.roll_back(client, config, changes.pop("embed_model", MODEL), DIM, to, **changes)


def live(config: Config) -> str | None:
    with connected(config.milvus) as client:
        return alias.resolve(client, "tuku")


def names(config: Config) -> list[str]:
    with connected(config.milvus) as client:
        return [each.name for each in shelf.shelved(client, config)]


def test_a_collection_that_the_alias_was_pointed_at_by_hand_is_among_them(uri: str, lake: MemoryLake) -> None:
    load(uri, lake, "r1")
    config = configured(uri)
    with connected(config.milvus) as client:
        client.create_collection("theirs", dimension=4)
        client.alter_alias("theirs", "tuku")
        found = shelf.shelved(client, config)
    assert {each.name: (each.live, each.proven_at is None) for each in found} == {
        "theirs": (True, True),
        "tuku__r1": (False, False),
    }


def test_what_is_known_of_each_collection(uri: str, lake: MemoryLake) -> None:
    flat = {"vectors": ["image"], "index": {"type": "FLAT", "metric": "IP"}}
    load(uri, lake, "r1", milvus=flat)
    lake.add(images(["new"], "n2"))
    load(uri, lake, "r2")
    with connected(configured(uri).milvus) as client:
        index.load(client, "tuku__r2", 20)
        second, first = shelf.shelved(client, configured(uri))
    assert (first.name, first.run, first.rows, first.live, first.before) == ("tuku__r1", "r1", 60, False, "")
    assert (second.name, second.run, second.rows, second.live, second.before) == (
        *("tuku__r2", "r2", 61, True),
        "tuku__r1",
    )
    assert (first.loaded, second.loaded) == ("NotLoad", "Loaded")
    assert first.counted
    assert first.index == {"type": "FLAT", "metric": "IP", "params": {}}
    assert second.index["params"] == {"M": 16, "efConstruction": 200}
    assert first.vector_space == f"{MODEL}, {DIM}"
    assert first.proven_at < second.proven_at


def test_back_and_back_again_and_forward(uri: str, lake: MemoryLake) -> None:
    config = three(uri, lake)
    assert names(config) == ["tuku__r3", "tuku__r2", "tuku__r1"]
    assert go_back(config) == ("tuku__r3", "tuku__r2")
    assert go_back(config) == ("tuku__r2", "tuku__r1")
    with pytest.raises(ConfigError, match=r"no earlier collection than tuku__r1.*Newer ones: tuku__r3, tuku__r2"):
        go_back(config)
    assert go_back(config, "tuku__r3") == ("tuku__r1", "tuku__r3")
    assert live(config) == "tuku__r3"
    with connected(config.milvus) as client:
        assert collection.vector_space(client, "tuku") == MODEL


def test_what_cannot_be_gone_back_to_is_told_and_nothing_changes(uri: str, lake: MemoryLake) -> None:
    config = configured(uri)
    with pytest.raises(ConfigError, match=r"no alias tuku.*tuku load"):
        go_back(config)
    load(uri, lake, "r1")
    with pytest.raises(ConfigError, match=r"no earlier collection than tuku__r1\. load\.keep says how many[^N]*$"):
        go_back(config)
    load(uri, lake, "r2")
    with pytest.raises(ConfigError, match=r"tuku__r9 is not a proven collection of tuku\. .*: tuku__r1\."):
        go_back(config, "tuku__r9")
    with pytest.raises(ConfigError, match="Readers see tuku__r2 already"):
        go_back(config, "tuku__r2")
    with pytest.raises(ConfigError, match=r"load\.alias is false"):
        go_back(configured(uri, load={"alias": False}))
    with pytest.raises(VectorSpaceError, match="other/model@2"):
        go_back(config, embed_model="other/model@2")
    with pytest.raises(ConfigError, match=r"made for the metric COSINE; milvus\.index\.metric is L2"):
        go_back(configured(uri, milvus={"index": {"metric": "L2"}}))
    with pytest.raises(LeaseLostError):
        go_back(config, require_lease=_taken_over)
    assert live(config) == "tuku__r2"


def _taken_over() -> None:
    raise LeaseLostError("Another has taken over the lake.")


def killed_in(wanted: str) -> Callable[[str, int, int], None]:
    def progress(phase: str, done: int, total: int) -> None:
        if phase == wanted:
            raise KeyboardInterrupt

    return progress


def test_a_collection_that_is_not_proven_is_listed_and_never_gone_back_to(uri: str, lake: MemoryLake) -> None:
    load(uri, lake, "r1")
    with pytest.raises(KeyboardInterrupt):
        load(uri, lake, "r2", progress=killed_in("verify"))
    config = configured(uri)
    with connected(config.milvus) as client:
        unfinished, _ = shelf.shelved(client, config)
    assert (unfinished.name, unfinished.proven_at, unfinished.live) == ("tuku__r2", None, False)
    for to in (None, "tuku__r2"):
        with pytest.raises(ConfigError, match=r"no earlier collection|not a proven collection"):
            go_back(config, to)


def upserted_badly(uri: str, lake: MemoryLake, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A load in place whose proof does not hold."""
    with monkeypatch.context() as patched:
        patched.setattr("tuku.milvus.verify.collection.count", lambda client, name: 7)
        config = configured(uri, load={"strategy": "upsert"})
        assert failed(memory_lake.run(config, lake, Path(uri).parent / "ledgers", run_id)) == ["rows"]


def test_readers_are_not_led_back_to_what_failed_its_last_proof(
    uri: str, lake: MemoryLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(uri, lake, "r1")
    upserted_badly(uri, lake, "r2", monkeypatch)
    load(uri, lake, "r3")
    config = configured(uri)
    with connected(config.milvus) as client:
        assert [(each.name, each.proven_at is None) for each in shelf.shelved(client, config)] == [
            ("tuku__r1", True),
            ("tuku__r3", False),
        ]
    for to in (None, "tuku__r1"):
        with pytest.raises(ConfigError, match=r"no earlier collection|not a proven collection"):
            go_back(config, to)
    load(uri, lake, "r4")
    assert names(config) == ["tuku__r4", "tuku__r3"]  # and it does not stay


def test_away_from_what_failed_its_last_proof_it_is_back_to_what_was_seen_before(
    uri: str, lake: MemoryLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = three(uri, lake)
    go_back(config)
    upserted_badly(uri, lake, "r4", monkeypatch)
    assert go_back(config) == ("tuku__r2", "tuku__r1")
    with connected(config.milvus) as client:
        collection.note(client, "tuku__r3", {alias.BEFORE: "", alias.UNPROVEN: "r5"})
        alias.point(client, "tuku", "tuku__r3")
    assert go_back(config) == ("tuku__r3", "tuku__r1")  # by the time


@pytest.mark.parametrize("phase", ["index", "verify"])
def test_a_load_in_place_that_was_killed_leaves_nothing_proven_and_the_next_one_proves_it(
    uri: str, lake: MemoryLake, phase: str
) -> None:
    load(uri, lake, "r1")
    config = configured(uri)
    with connected(config.milvus) as client:
        first = shelf.shelved(client, config)[0].proven_at
    lake.add(images(["new"], "n2"))
    in_place = {"strategy": "upsert"}
    with pytest.raises(KeyboardInterrupt):
        load(uri, lake, "r2", in_place, progress=killed_in(phase))
    with connected(config.milvus) as client:
        assert shelf.shelved(client, config)[0].proven_at is None
    load(uri, lake, "r3", in_place)
    with connected(config.milvus) as client:
        assert shelf.shelved(client, config)[0].proven_at == first is not None


def test_two_lakes_that_fill_one_alias_leave_each_other_alone_and_the_later_one_is_told(
    uri: str, lake: MemoryLake, tmp_path: Path
) -> None:
    other = MemoryLake(images([f"j{n}" for n in range(60)], "m1"))
    config = configured(uri, load=REBUILD)

    def meanwhile(phase: str, _done: int, _total: int) -> None:
        if phase == "verify" and live(config) is None:
            assert failed(memory_lake.run(config, other, tmp_path / "others", "m1")) == []

    with pytest.raises(ConfigError, match=r"saw nothing when this load began, and see tuku__m1 now"):
        load(uri, lake, "r1", progress=meanwhile)
    assert live(config) == "tuku__m1"
    assert names(config) == ["tuku__r1", "tuku__m1"]  # it was not dropped while it was being filled
    load(uri, lake, "r2")  # goes on with what the first one has filled
    assert names(config) == ["tuku__r1", "tuku__m1"]


@pytest.mark.parametrize("proven_at", ["yesterday", "9" * 26])
def test_notes_that_nobody_can_read_are_passed_over(uri: str, lake: MemoryLake, proven_at: str) -> None:
    config = three(uri, lake)
    with connected(config.milvus) as client:
        notes = {alias.PROVEN_AT: proven_at, index.INDEX: "{", "tuku.runs": "[]"}
        client.alter_collection_properties("tuku__r2", properties=notes)
        found = {each.name: each for each in shelf.shelved(client, config)}
    assert (found["tuku__r2"].proven_at, found["tuku__r2"].index) == (None, {})
    assert go_back(config) == ("tuku__r3", "tuku__r1")


def test_a_note_of_the_runs_that_nobody_can_read_switches_no_guard_off(uri: str, lake: MemoryLake) -> None:
    load(uri, lake, "r1")
    config = configured(uri)
    with connected(config.milvus) as client:
        client.alter_collection_properties("tuku__r1", properties={"tuku.runs": "{"})
    with pytest.raises(ConfigError, match=r"tuku__r1 has a note .* cannot read it"):
        load(uri, lake, "r2", {"strategy": "auto"})
    with pytest.raises(ConfigError, match=r"more would vanish"):
        load(uri, MemoryLake(), "r3")
    load(uri, lake, "r4")


def test_a_plain_collection_is_listed_alone_and_stands_in_the_way_of_an_alias(uri: str, lake: MemoryLake) -> None:
    plain = configured(uri, load={"alias": False})
    assert names(plain) == []
    load(uri, lake, "r1", {"alias": False})
    with connected(plain.milvus) as client:
        [only] = shelf.shelved(client, plain)
    assert (only.name, only.live, only.rows) == ("tuku", True, 60)
    assert only.proven_at is not None
    for act in (names, go_back):
        with pytest.raises(ConfigError, match=r"stands where the alias of that name would go.*load\.alias: false"):
            act(configured(uri))


def test_a_plain_collection_of_an_earlier_tuku_is_proven_by_the_next_load(
    uri: str, lake: MemoryLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = configured(uri, load={"alias": False})
    with monkeypatch.context() as patched:
        patched.setattr(alias, "proven_now", dict)
        load(uri, lake, "r1", {"alias": False})
    with connected(plain.milvus) as client:
        assert shelf.shelved(client, plain)[0].proven_at is None
        load(uri, lake, "r2", {"alias": False})
        proven_at = shelf.shelved(client, plain)[0].proven_at
        load(uri, lake, "r3", {"alias": False})
        assert shelf.shelved(client, plain)[0].proven_at == proven_at is not None


def test_the_next_load_brings_the_older_collection_up_to_the_lake(uri: str, lake: MemoryLake) -> None:
    load(uri, lake, "r1")
    lake.add(images(["new"], "n2"))
    lake.remove(["i3"], "n3")
    load(uri, lake, "r2")
    config = configured(uri)
    go_back(config)
    with connected(config.milvus) as client:
        index.load(client, "tuku", 20)
        assert collection.count(client, "tuku") == 60
    report = load(uri, lake, "r3", {"strategy": "auto"})
    assert (report.strategy, report.collection, report.inserted, report.deleted) == ("upsert", "tuku__r1", 1, 1)


def test_readers_are_not_led_back_to_what_they_were_led_away_from(uri: str, lake: MemoryLake) -> None:
    config = three(uri, lake)
    go_back(config)
    load(uri, lake, "r4", {**REBUILD, "keep": 1})  # away from r3, which was no good; r2 is what readers saw
    assert names(config) == ["tuku__r4", "tuku__r2"]
    load(uri, lake, "r5")
    go_back(config)
    load(uri, lake, "r6")
    assert names(config) == ["tuku__r6", "tuku__r5", "tuku__r4"]
    assert go_back(config) == ("tuku__r6", "tuku__r4")


def test_as_many_are_kept_as_were_asked_for(uri: str, lake: MemoryLake) -> None:
    config = three(uri, lake)
    load(uri, lake, "r4", {**REBUILD, "keep": 0})
    assert names(config) == ["tuku__r4"]


def test_what_another_alias_stands_for_is_neither_dropped_nor_released(
    uri: str, lake: MemoryLake, caplog: pytest.LogCaptureFixture
) -> None:
    load(uri, lake, "r1")
    config = configured(uri)
    with pytest.raises(KeyboardInterrupt):
        load(uri, lake, "r2", progress=killed_in("insert"))
    with connected(config.milvus) as client:
        client.create_alias("tuku__r1", "release_tag")
        client.create_alias("tuku__r2", "trial")
    for run_id in ("r3", "r4", "r5"):
        load(uri, lake, run_id, {**REBUILD, "keep": 1})
        assert set(names(config)) >= {"tuku__r1", "tuku__r2"}
    assert "tuku__r1 is not dropped: release_tag stands for it" in caplog.text
    assert "tuku__r2 is not dropped: trial stands for it" in caplog.text
    with connected(config.milvus) as client:
        index.load(client, "tuku__r1", 20)
        assert "tuku__r1" not in alias.release_old(client, "tuku", None)
        client.drop_alias("release_tag")
        client.drop_alias("trial")
    load(uri, lake, "r6", {**REBUILD, "keep": 1})
    assert names(config) == ["tuku__r6", "tuku__r5"]


@pytest.fixture
def loaded(tuku: Tuku) -> Tuku:
    """A lake of two nights, made without models, each of them loaded into a collection of its own."""
    model = describe_embedder(Config().embed)
    lake = Lake.at(str(tuku.lake))
    lake.storage.prepare()
    lake.write_stamp(Stamp(model.name, model.dim, "f"))
    tuku.settings += ["--set", "verify.sample=5"]
    for ids in (IDS, ["new"]):
        run, _ = lake.begin()
        vectors = [[float(x) for x in vector] for vector in _vectors(len(ids), model.dim)]
        about = {"embed_model": model.name, "embedding_fingerprint": "f", "run_id": run.run_id}
        rows = [
            {"image_id": key, "uri": f"/{key}.jpg", "image_embedding": vector, "text_embedding": vector, **about}
            for key, vector in zip(ids, vectors, strict=True)
        ]
        run.write_block("block", image_rows(*rows), dead_letter_rows())
        run.commit()
        assert tuku("load", "--strategy", "rebuild", "--json").code == 0
    return tuku


def _vectors(rows: int, dim: int):
    return unit_vectors(rows * (dim // DIM), rows).reshape(rows, dim) / (dim // DIM) ** 0.5


def one_object(ran: Ran) -> dict:
    assert len(ran.out.splitlines()) == 1
    return json.loads(ran.out)


def test_the_commands(loaded: Tuku) -> None:
    listed = loaded("collections", "--json")
    second, first = one_object(listed)["collections"]
    assert (listed.code, listed.err) == (0, "")
    assert (first["rows"], first["live"], second["rows"], second["live"]) == (60, False, 61, True)
    assert first["proven_at"].endswith("+00:00")

    back = loaded("rollback", "--json")
    assert back.code == 0, back.err
    assert one_object(back) == {"alias": "tuku", "former": second["name"], "collection": first["name"]}
    shown = loaded("collections").out
    assert "HNSW COSINE M=16 efConstruction=200" in shown
    assert next(line for line in shown.splitlines() if first["name"] in line).startswith("readers")

    nothing = loaded("rollback", "--json")
    assert (nothing.code, one_object(nothing)["status"]) == (2, "failed")
    assert "no earlier collection" in nothing.err
    forward = loaded("rollback", "--to", second["name"])
    assert (forward.code, f"Readers of tuku see {second['name']} now" in forward.out) == (0, True)


def test_a_rollback_forgets_that_the_load_of_what_it_leads_away_from_was_cut_off(loaded: Tuku) -> None:
    """Cut off after the alias had moved: the next load would prove that collection again, and lead readers there."""
    second, first = one_object(loaded("collections", "--json"))["collections"]
    storage = DiskStorage(loaded.lake)
    config = configured(str(loaded.folder / "milvus.db"))
    for name in (first["name"], second["name"]):
        LoadLedger(storage, name, target(config.milvus), "content", filled=1).save()
    assert loaded("rollback").code == 0
    assert [ledger.collection for ledger in LoadLedger.all(storage)] == [first["name"]]


def test_not_while_another_run_works_on_the_lake_and_not_without_a_lake(loaded: Tuku) -> None:
    other = LeaseProcess(loaded.lake)
    try:
        refused = loaded("rollback")
        assert (refused.code, "Another run works on the lake" in refused.err) == (2, True)
        assert "tuku ingest" in refused.err
        assert f"process {other.process.pid}" in refused.err
    finally:
        other.close()
    mistyped = loaded("rollback", "--set", f"lake.uri={loaded.folder / 'lkae'}")
    assert (mistyped.code, "There is no lake at" in mistyped.err) == (2, True)
    assert not (loaded.folder / "lkae").exists()
    missing = loaded("collections", "--set", f"milvus.uri={loaded.folder / 'no.db'}", "--json")
    assert (missing.code, one_object(missing)["exit_code"]) == (2, 2)
