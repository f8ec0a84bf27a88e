"""Lake → embedded Milvus → proof → alias, on a real Milvus Lite."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from fakes import memory_lake
from fakes.memory_lake import DIM, MODEL, NASTY_IDS, MemoryLake, configured, failed, images
from tuku.errors import ConfigError, LeaseLostError, MilvusError, VectorSpaceError
from tuku.milvus import alias, collection, index
from tuku.milvus.capabilities import ask
from tuku.milvus.connect import connected
from tuku.milvus.filters import ids_in, quoted
from tuku.milvus.load import flush, upsert
from tuku.milvus.loaded_runs import MAX_LISTED
from tuku.milvus.reader import require_searchable
from tuku.milvus.search import everything, search
from tuku.milvus.target import check_target
from tuku.milvus.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pymilvus import MilvusClient

    from tuku.config import Config
    from tuku.milvus.job import LoadReport

pytestmark = pytest.mark.milvus


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "deeper" / "milvus.db")


def run(config: Config, lake: MemoryLake, run_id: str = "r1", **changes) -> LoadReport:
    """Load it, the ledgers being kept beside Milvus' file."""
    return memory_lake.run(config, lake, Path(config.milvus.uri).parent / "ledgers", run_id, **changes)


def killed_in(wanted: str) -> Callable[[str, int, int], None]:
    def progress(phase: str, done: int, total: int) -> None:
        if phase == wanted:
            raise KeyboardInterrupt

    return progress


def delete(client: MilvusClient, name: str, ids: Sequence[str]) -> None:
    client.delete(name, filter=ids_in(ids))


@pytest.fixture
def lake() -> MemoryLake:
    return MemoryLake(images([*NASTY_IDS, *(f"i{n}" for n in range(493))], "r1"))


def small_lake() -> MemoryLake:
    """So small that every row is in the sample."""
    return MemoryLake(images([*NASTY_IDS, *(f"i{n}" for n in range(93))], "r1"))


def test_a_first_load_fills_proves_and_promotes(uri: str, lake: MemoryLake) -> None:
    phases: list[tuple[str, int, int]] = []
    report = run(configured(uri), lake, progress=lambda *event: phases.append(event))
    assert failed(report) == []
    assert (report.strategy, report.inserted, report.alias, report.collection) == (
        "rebuild",
        500,
        "tuku",
        "tuku__r1",
    )
    assert report.seconds > 0
    names = [check.name for check in report.checks]
    assert names == [
        "rows sent",
        "rows",
        "keys",
        "index of image_embedding",
        "index of text_embedding",
        "load state",
        "vector space",
        "sampled keys found once",
        "sampled texts and metadata",
        "sampled vectors",
        "self-retrieval in image_embedding",
        "self-retrieval in text_embedding",
        "recall@10, image queries on image_embedding",
        "recall@10, image queries on text_embedding",
        "recall@10, text queries on image_embedding",
        "recall@10, text queries on text_embedding",
    ]
    assert phases[-6:] == [(phase, rows, 500) for phase in ("index", "memory", "verify") for rows in (0, 500)]
    assert ("insert", 500, 500) in phases
    json.dumps([check.actual for check in report.checks])
    with connected(configured(uri).milvus) as client:
        assert alias.resolve(client, "tuku") == "tuku__r1"
        assert collection.vector_space(client, "tuku") == MODEL


def test_a_second_load_sends_nothing_and_proves_again(uri: str, lake: MemoryLake) -> None:
    run(configured(uri), lake)
    report = run(configured(uri), lake, "r2")
    assert (report.strategy, report.inserted, report.collection) == ("upsert", 0, "tuku__r1")
    assert failed(report) == []


def test_the_proof_alone_is_given_in_a_process_that_has_just_opened_the_file(uri: str, lake: MemoryLake) -> None:
    config = configured(uri)
    run(config, lake)
    with connected(config.milvus) as client:
        assert index.load_state(client, "tuku") == "NotLoad"
        checks = verify(client, "tuku", lake, config.milvus, config.verify, embed_model=MODEL, dim=DIM)
    assert len(checks) == 15
    assert all(check.passed for check in checks)


def test_a_collection_that_is_not_loaded_fails_on_that(uri: str, lake: MemoryLake, monkeypatch) -> None:
    config = configured(uri)
    run(config, lake)
    monkeypatch.setattr("tuku.milvus.verify.is_local", lambda uri: False)  # as on a server: nobody loads it here
    with connected(config.milvus) as client:
        [check] = verify(client, "tuku", lake, config.milvus, config.verify, embed_model=MODEL, dim=DIM)
    assert (check.name, check.actual, check.passed) == ("load state", "NotLoad", False)


def test_a_load_whose_lake_was_taken_over_changes_nothing_that_readers_see(uri: str) -> None:
    lake, asked = small_lake(), []
    run(configured(uri), lake, require_lease=lambda: asked.append("again"))

    def lost_after(times: int) -> Callable[[], None]:
        left = iter(range(times))

        def require() -> None:
            if next(left, None) is None:
                raise LeaseLostError("Another has taken over the lake.")

        return require

    config = configured(uri, load={"strategy": "rebuild"})
    with pytest.raises(LeaseLostError):
        run(
            config, lake, "r2", require_lease=lost_after(len(asked) - 2)
        )  # before the last steps: the promotion, and forgetting the ledger
    lake.add(images(["new"], "r3"))
    with pytest.raises(LeaseLostError):
        run(configured(uri), lake, "r3", require_lease=lost_after(0))  # an upsert in place
    with connected(config.milvus) as client:
        assert alias.resolve(client, "tuku") == "tuku__r1"
        assert "tuku__r2" in client.list_collections()
        assert collection.count(client, "tuku") == lake.rows() - 1


@pytest.mark.parametrize("with_alias", [True, False])
def test_changed_and_new_rows_are_upserted_in_place(uri: str, with_alias: bool) -> None:
    lake = small_lake()
    config = configured(uri, load={"alias": with_alias}, verify={"sample": 100})
    first = run(config, lake)
    assert failed(first) == []
    lake.add(images([*NASTY_IDS, "new-1", "new-2"], "r2", seed=5))
    config = configured(uri, load={"alias": with_alias}, verify={"sample": 102})
    report = run(config, lake, "r2")
    assert failed(report) == []
    assert (report.strategy, report.inserted, report.collection) == ("upsert", 9, first.collection)
    assert first.collection == ("tuku__r1" if with_alias else "tuku")
    assert run(config, lake, "r3").inserted == 0


def test_rebuilding_in_place_refills_the_collection(uri: str, lake: MemoryLake) -> None:
    first = run(configured(uri, load={"alias": False}), lake)
    assert first.readers_cut_off_s == 0.0  # there was nothing to read
    report = run(configured(uri, load={"alias": False, "strategy": "rebuild"}), lake, "r2")
    assert 0 < report.readers_cut_off_s < report.seconds
    assert (report.strategy, report.inserted, report.collection, report.alias) == (
        "rebuild",
        500,
        "tuku",
        None,
    )
    assert failed(report) == []


def test_rebuilding_keeps_the_last_collections_and_drops_older_ones(uri: str, lake: MemoryLake) -> None:
    config = configured(uri, load={"strategy": "rebuild", "keep": 1})
    reports = [run(config, lake, run_id) for run_id in ("r1", "r1", "r2")]
    assert [report.collection for report in reports] == ["tuku__r1", "tuku__r1_2", "tuku__r2"]
    with connected(config.milvus) as client:
        assert sorted(client.list_collections()) == ["tuku__r1_2", "tuku__r2"]
        assert alias.resolve(client, "tuku") == "tuku__r2"


def test_what_a_killed_load_left_is_dropped_and_nothing_else(uri: str, lake: MemoryLake) -> None:
    config = configured(uri)

    with pytest.raises(KeyboardInterrupt):
        run(config, lake, "r0", progress=killed_in("insert"))
    with connected(config.milvus) as client:
        assert client.list_collections() == ["tuku__r0"]
        assert alias.resolve(client, "tuku") is None
        collection.create(client, "tuku__other__r0", config.milvus, DIM, MODEL, notes={alias.ALIAS: "tuku__other"})
    assert failed(run(config, lake)) == []
    with connected(config.milvus) as client:
        assert sorted(client.list_collections()) == ["tuku__other__r0", "tuku__r1"]


@pytest.mark.parametrize("with_alias", [True, False])
def test_a_collection_that_was_filled_when_the_load_was_killed_is_gone_on_with(
    uri: str, lake: MemoryLake, with_alias: bool
) -> None:
    config = configured(uri, load={"alias": with_alias})
    with pytest.raises(KeyboardInterrupt):
        run(config, lake, "r0", progress=killed_in("index"))
    report = run(config, lake, progress=killed_in("insert"))
    assert failed(report) == []
    assert (report.collection, report.inserted) == ("tuku__r0" if with_alias else "tuku", 500)


def test_a_collection_that_was_filled_with_what_the_lake_held_then_is_dropped(uri: str, lake: MemoryLake) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(configured(uri), lake, "r0", progress=killed_in("index"))
    lake.add(images(["new"], "r1"))
    report = run(configured(uri), lake)
    assert failed(report) == []
    assert (report.collection, report.inserted) == ("tuku__r1", 501)
    with connected(configured(uri).milvus) as client:
        assert client.list_collections() == ["tuku__r1"]


def test_without_an_alias_the_next_load_drops_what_one_with_an_alias_was_killed_over(
    uri: str, lake: MemoryLake
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(configured(uri), lake, "r0", progress=killed_in("index"))
    in_place = configured(uri, load={"alias": False})
    assert failed(run(in_place, lake)) == []
    with connected(in_place.milvus) as client:
        assert client.list_collections() == ["tuku"]


def test_a_filled_collection_that_failed_its_proof_is_not_gone_on_with(
    uri: str, lake: MemoryLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("tuku.milvus.verify.collection.count", lambda client, name: 7)
        assert failed(run(configured(uri), lake, "r0")) == ["rows"]
    report = run(configured(uri), lake)
    assert failed(report) == []
    assert report.collection == "tuku__r1"


def test_a_load_in_place_that_was_killed_starts_over(uri: str, lake: MemoryLake) -> None:
    config = configured(uri, load={"alias": False})

    def killed(phase: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(config, lake, progress=killed)
    report = run(config, lake)
    assert (report.strategy, report.inserted) == ("rebuild", 500)
    assert failed(report) == []


def test_a_row_lost_before_the_proof_keeps_the_alias_where_it_was(uri: str, lake: MemoryLake) -> None:
    config = configured(uri, load={"strategy": "rebuild"})
    run(config, lake)

    def tampering(phase: str, done: int, total: int) -> None:
        if (phase, done) == ("verify", 0):
            with connected(config.milvus) as client:
                delete(client, "tuku__r2", ["i7"])

    report = run(config, lake, "r2", progress=tampering)
    assert {"rows", "index of image_embedding"} <= set(failed(report))
    [indexed] = [check for check in report.checks if check.name == "index of image_embedding"]
    assert indexed.expected == "500 of 500 rows indexed, 0 pending"
    with connected(config.milvus) as client:
        assert alias.resolve(client, "tuku") == "tuku__r1"


def test_a_changed_vector_is_seen(uri: str) -> None:
    lake = small_lake()
    config = configured(uri, verify={"sample": 100})
    run(config, lake)
    with connected(config.milvus) as client:
        upsert(client, "tuku", [images(["i7"], "r1", seed=99)], 100)
    report = run(config, lake, "r2")
    assert failed(report) == ["sampled texts and metadata", "sampled vectors"]
    [vectors] = [check for check in report.checks if check.name == "sampled vectors"]
    assert (vectors.expected, vectors.actual) == (100, 99)


@pytest.mark.parametrize(("strategy", "heals"), [("auto", True), ("upsert", False)])
def test_a_missing_row_is_seen_and_auto_rebuilds(uri: str, lake: MemoryLake, strategy: str, heals: bool) -> None:
    config = configured(uri, load={"strategy": strategy})
    run(config, lake)
    with connected(config.milvus) as client:
        delete(client, "tuku", [NASTY_IDS[0]])
    report = run(config, lake, "r2")
    assert (failed(report) == []) is heals
    assert report.collection == ("tuku__r2" if heals else "tuku__r1")
    if heals:
        assert "row count was wrong" in report.reason
    else:
        assert "rows" in failed(report)


def test_vectors_of_another_model_are_refused(uri: str, lake: MemoryLake) -> None:
    run(configured(uri), lake)
    other = {"embed_model": "other/model@2"}
    with pytest.raises(VectorSpaceError, match=r"tuku ingest --set load\.strategy=rebuild"):
        run(configured(uri, load={"strategy": "upsert"}), lake, "r2", **other)
    with pytest.raises(VectorSpaceError, match=r"tuku ingest --set load\.strategy=rebuild"):
        run(configured(uri), MemoryLake(images(["a"], "of another lake")), "r2", **other)
    rebuilt = run(configured(uri, load={"strategy": "rebuild"}), lake, "r2", **other)
    assert failed(rebuilt) == []


def test_auto_moves_readers_to_another_model_by_a_fresh_collection(uri: str, lake: MemoryLake) -> None:
    run(configured(uri), lake)
    report = run(configured(uri), lake, "r2", embed_model="other/model@2")
    assert failed(report) == []
    assert (report.strategy, report.collection) == ("rebuild", "tuku__r2")
    assert "holds vectors of fake/embedder@1; the configuration says other/model@2" in report.reason


def test_auto_rebuilds_when_much_has_changed(uri: str, lake: MemoryLake) -> None:
    config = configured(uri, load={"rebuild_fraction": 0.1})
    run(config, lake)
    lake.add(images([f"i{n}" for n in range(50)], "r2", seed=1))
    assert run(config, lake, "r2").strategy == "upsert"
    lake.add(images([f"i{n}" for n in range(51)], "r3", seed=2))
    report = run(config, lake, "r3")
    assert failed(report) == []
    assert (report.strategy, report.collection) == ("rebuild", "tuku__r3")
    assert report.reason == "51 of 500 rows have changed, more than load.rebuild_fraction of them"


def test_each_load_proves_other_rows_and_the_same_load_the_same(uri: str) -> None:
    lake, seeds = small_lake(), []
    sample = lake.sample
    lake.sample = lambda size, seed: seeds.append(seed) or sample(size, seed)
    for run_id in ("r1", "r2", "r2"):
        run(configured(uri), lake, run_id)
    assert seeds[0] != seeds[1] == seeds[2]


def test_a_target_that_is_not_there_is_fine_and_not_made(uri: str, tmp_path: Path) -> None:
    check_target(configured(uri), embed_model=MODEL, dim=DIM)
    assert not list(tmp_path.iterdir())
    with connected(configured(uri).milvus):
        pass
    check_target(configured(uri), embed_model=MODEL, dim=DIM)
    with connected(configured(uri).milvus) as client:
        assert client.list_collections() == []


def test_a_target_that_does_not_fit_is_refused_before_the_load(uri: str) -> None:
    config = configured(uri)
    run(config, small_lake())
    check_target(config, embed_model=MODEL, dim=DIM)
    check_target(configured(uri, load={"strategy": "rebuild"}), embed_model="other/model@2", dim=8)
    with pytest.raises(VectorSpaceError, match="other/model@2"):
        check_target(config, embed_model="other/model@2", dim=DIM)
    with pytest.raises(ConfigError, match="length 16, not 8"):
        check_target(config, embed_model=MODEL, dim=8)
    with pytest.raises(ConfigError, match=r"load\.alias: false"):
        check_target(configured(uri, milvus={"collection": "tuku__r1"}), embed_model=MODEL, dim=DIM)


def test_a_schema_that_does_not_fit_is_refused(uri: str, lake: MemoryLake) -> None:
    run(configured(uri, milvus={"vectors": ["image"]}), lake)
    in_place = {"load": {"strategy": "upsert"}}
    with pytest.raises(ConfigError, match=r"lacks text_embedding.*tuku ingest --set load\.strategy=rebuild"):
        run(configured(uri, **in_place), lake, "r2")
    with pytest.raises(ConfigError, match="length 16, not 8"):
        run(configured(uri, milvus={"vectors": ["image"]}, **in_place), lake, "r2", dim=8)
    assert "lacks text_embedding" in run(configured(uri), lake, "r2").reason


@pytest.mark.parametrize("kind", ["HNSW", "HNSW_SQ", "IVF_FLAT", "IVF_SQ8", "FLAT", "AUTOINDEX"])
@pytest.mark.parametrize("metric", ["COSINE", "IP", "L2"])
def test_every_index_type_and_metric_passes_the_proof(uri: str, lake: MemoryLake, kind: str, metric: str) -> None:
    report = run(configured(uri, milvus={"index": {"type": kind, "metric": metric}}), lake)
    assert failed(report) == []
    with connected(configured(uri).milvus) as client:
        about = client.describe_index("tuku", "image_embedding")
        assert (about["index_type"], about["metric_type"]) == (kind, metric)


def test_a_coarse_index_fails_on_recall_alone(uri: str, lake: MemoryLake) -> None:
    coarse = {"type": "IVF_FLAT", "params": {"nlist": 100}, "search_params": {"nprobe": 1}}
    report = run(configured(uri, milvus={"index": coarse}), lake)
    assert failed(report) == [check.name for check in report.checks if check.name.startswith("recall")]


@pytest.mark.parametrize("with_alias", [True, False])
def test_another_index_is_built_where_the_old_one_was(uri: str, lake: MemoryLake, with_alias: bool) -> None:
    load = {"alias": with_alias}
    run(configured(uri, load=load), lake)
    report = run(configured(uri, load=load, milvus={"index": {"type": "FLAT"}}), lake, "r2")
    assert failed(report) == []
    assert report.collection == ("tuku__r2" if with_alias else "tuku")
    assert (report.readers_cut_off_s == 0.0) is with_alias
    with connected(configured(uri).milvus) as client:
        assert client.describe_index(report.collection, "text_embedding")["index_type"] == "FLAT"
        before = index.index_states(client, report.collection, configured(uri).milvus)
        assert [state.indexed for state in before] == [500, 500]


@pytest.mark.parametrize("other", [{"type": "FLAT"}, {"type": "HNSW", "params": {"M": 8}}])
def test_behind_an_alias_no_upsert_exchanges_the_index_that_readers_use(
    uri: str, lake: MemoryLake, other: dict
) -> None:
    run(configured(uri), lake)
    with connected(configured(uri).milvus) as client:
        before = collection.properties(client, "tuku")
    changed = configured(uri, load={"strategy": "upsert"}, milvus={"index": other})
    with pytest.raises(ConfigError, match=r"milvus\.index.*only a rebuild changes that.*tuku load --strategy rebuild"):
        run(changed, lake, "r2")
    with connected(configured(uri).milvus) as client:
        assert client.describe_index("tuku", "text_embedding")["index_type"] == "HNSW"
        assert collection.properties(client, "tuku") == before


@pytest.mark.parametrize("with_alias", [True, False])
def test_an_empty_lake_makes_an_empty_collection(uri: str, with_alias: bool) -> None:
    lake, config = MemoryLake(), configured(uri, load={"alias": with_alias})
    report = run(config, lake)
    assert report.inserted == 0
    assert failed(report) == []
    lake.add(images(["a", "b"], "r2"))
    assert failed(run(config, lake, "r2")) == []


def test_one_vector_field(uri: str, lake: MemoryLake) -> None:
    report = run(configured(uri, milvus={"vectors": ["text"]}), lake)
    assert failed(report) == []
    assert "recall@10, image queries on text_embedding" in [check.name for check in report.checks]


def test_names_that_are_taken_are_refused_with_a_way_out(uri: str, lake: MemoryLake) -> None:
    run(configured(uri, load={"alias": False}), lake)
    with pytest.raises(ConfigError, match=r"load\.alias: false"):
        run(configured(uri), lake)
    run(configured(uri, milvus={"collection": "other"}), lake)
    with pytest.raises(ConfigError, match=r"load\.alias: true"):
        run(configured(uri, milvus={"collection": "other"}, load={"alias": False}), lake)


def test_a_collection_that_is_not_tukus_is_not_touched(uri: str, lake: MemoryLake) -> None:
    config = configured(uri, load={"alias": False, "strategy": "rebuild"})
    with connected(config.milvus) as client:
        client.create_collection("tuku", dimension=4)
    with pytest.raises(ConfigError, match="not made by tuku"):
        run(config, lake)
    with connected(config.milvus) as client:
        assert client.list_collections() == ["tuku"]


def test_a_collection_that_an_alias_stands_for_is_not_dropped_for_a_rebuild_in_place(
    uri: str, lake: MemoryLake
) -> None:
    run(configured(uri, load={"alias": False}), lake)
    in_place = configured(uri, load={"alias": False, "strategy": "rebuild"})
    with connected(in_place.milvus) as client:
        client.create_alias("tuku", "release_tag")
    with pytest.raises(ConfigError, match="release_tag stands for it"):
        run(in_place, lake, "r2")
    with connected(in_place.milvus) as client:
        assert alias.resolve(client, "release_tag") == "tuku"
        client.drop_alias("release_tag")
    assert failed(run(in_place, lake, "r2")) == []


@pytest.mark.parametrize("strategy", ["auto", "upsert", "rebuild"])
def test_an_alias_of_somebody_elses_collection_is_not_taken_over(uri: str, lake: MemoryLake, strategy: str) -> None:
    config = configured(uri, load={"strategy": strategy})
    with connected(config.milvus) as client:
        client.create_collection("their_products", dimension=4)
        client.create_alias("their_products", "tuku")
    with pytest.raises(ConfigError, match=r"their_products was not made by tuku.*milvus\.collection.*alias"):
        run(config, lake)
    with connected(config.milvus) as client:
        assert alias.resolve(client, "tuku") == "their_products"
        assert client.list_collections() == ["their_products"]


def test_of_rows_with_one_id_the_last_wins(uri: str) -> None:
    config = configured(uri)
    with connected(config.milvus) as client:
        collection.create(client, "c", config.milvus, DIM, MODEL)
        first, last = images(["a", "b"], "r1"), images(["a"], "r2", seed=3)
        assert upsert(client, "c", [pa.concat_tables([first, last])], 100) == 2
        flush(client, "c", 10)
        index.build_indexes(client, "c", config.milvus, 2, ask(client, config))
        index.load(client, "c", 10)
        assert collection.count(client, "c") == 2
        both = MemoryLake(first, last)
        checks = verify(client, "c", both, config.milvus, config.verify, embed_model=MODEL, dim=DIM)
        assert all(check.passed for check in checks)
        [row] = client.query("c", filter=ids_in(["a"]), output_fields=["run_id"])
        assert row["run_id"] == "r2"


def test_waiting_for_rows_that_never_come_ends_with_the_numbers(uri: str, lake: MemoryLake) -> None:
    config = configured(uri)
    run(config, lake)
    with (
        connected(config.milvus) as client,
        pytest.raises(MilvusError, match=r"500 of 500 rows indexed.*501 expected"),
    ):
        index.wait_indexed(client, "tuku", config.milvus, 501, timeout_s=0.3)


@pytest.mark.parametrize("metric", ["COSINE", "IP", "L2"])
def test_search_returns_the_best_first_with_everything_known(uri: str, lake: MemoryLake, metric: str) -> None:
    config = configured(uri, milvus={"index": {"metric": metric}})
    run(config, lake)
    queries = np.stack([lake.view[key]["image_embedding"] for key in ("i3", NASTY_IDS[0])]).astype(np.float32)
    with connected(config.milvus) as client:
        index.load(client, "tuku", 10)  # another process opens the file
        found = search(
            client, "tuku", "image_embedding", queries, config.milvus.index, limit=5, output=everything(config.milvus)
        )
        assert [hits[0].id for hits in found] == ["i3", NASTY_IDS[0]]
        assert all([hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True) for hits in found)
        assert found[0][0].score == pytest.approx(0.0 if metric == "L2" else 1.0, abs=1e-5)
        fields = found[0][0].fields
        assert fields["price"] == 5.0
        assert fields["meta_id"] == 10
        assert fields["tags"] == {"a": [1, None]}
        assert list(fields["keywords"]) == ["猫", "10"]
        assert "image_embedding" not in fields
        second = search(
            client, "tuku", "image_embedding", queries, config.milvus.index, limit=2, offset=1, output=["id"]
        )
        assert [hit.id for hit in second[0]] == [hit.id for hit in found[0][1:3]]
        where = f"price < 1 and caption_model == {quoted('fake/captioner@1')}"
        cheap = search(client, "tuku", "image_embedding", queries, config.milvus.index, where=where, output=["price"])
        assert {hit.fields["price"] for hit in cheap[0]} == {0.0, 0.5}


def test_a_file_that_another_process_has_open_is_named(uri: str, lake: MemoryLake, capfd) -> None:
    config = configured(uri)
    script = (
        "import sys; from tuku.config import MilvusConfig; from tuku.milvus.connect import connect\n"
        "client = connect(MilvusConfig(uri=sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(
        [sys.executable, "-c", script, uri], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as other:
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(MilvusError, match="open in another process"):
            run(config, lake)
        other.stdin.close()
        assert other.wait(20) == 0
    assert capfd.readouterr().err == ""
    assert failed(run(config, lake)) == []


@pytest.mark.parametrize(
    ("rows", "strategy", "refused"), [(0, "rebuild", True), (8, "auto", True), (19, "auto", False)]
)
def test_a_lake_that_has_shrunk_does_not_empty_the_collection(
    uri: str, rows: int, strategy: str, refused: bool
) -> None:
    ids = [f"id-{number}" for number in range(20)]
    run(configured(uri), MemoryLake(images(ids, "r1")))
    shrunk = MemoryLake(images(ids[:rows], "r1"))
    config = configured(uri, load={"strategy": strategy})
    if refused:
        with pytest.raises(ConfigError, match="max_deleted_fraction"):
            run(config, shrunk, "r2")
    else:
        assert run(config, shrunk, "r2").strategy == "rebuild"
    with connected(config.milvus) as client:
        assert collection.count(client, "tuku") == (20 if refused else rows)


@pytest.mark.parametrize("strategy", ["auto", "upsert", "rebuild"])
def test_a_lake_whose_images_have_all_gone_empties_the_collection_if_so_many_may(uri: str, strategy: str) -> None:
    ids = [f"id-{number}" for number in range(20)]
    lake = MemoryLake(images(ids, "r1"))
    run(configured(uri), lake)
    lake.remove(ids, "r2")
    with pytest.raises(ConfigError, match=r"--set limits\.max_deleted_fraction=1"):
        run(configured(uri, load={"strategy": strategy}), lake, "r2")
    allowed = configured(uri, load={"strategy": strategy}, limits={"max_deleted_fraction": 1})
    assert failed(run(allowed, lake, "r3")) == []
    with connected(allowed.milvus) as client:
        index.load(client, "tuku", 20)
        assert collection.count(client, "tuku") == 0


def test_another_metric_is_refused_in_place_and_by_search(uri: str, lake: MemoryLake) -> None:
    made = {"load": {"alias": False}, "milvus": {"index": {"metric": "L2"}}}
    run(configured(uri, **made), lake)
    changed = configured(uri, load={"alias": False}, milvus={"index": {"metric": "IP"}})
    with pytest.raises(ConfigError, match="metric"):
        run(changed, lake, "r2")
    with connected(changed.milvus) as client, pytest.raises(ConfigError, match="metric"):
        require_searchable(client, changed.milvus, MODEL, DIM)


def test_images_that_left_the_catalogue_leave_the_collection(uri: str, lake: MemoryLake) -> None:
    config = configured(uri)
    run(config, lake)
    lake.remove([*NASTY_IDS, "i1"], "r2")
    report = run(config, lake, "r2")
    assert (report.strategy, report.deleted, report.inserted) == ("upsert", len(NASTY_IDS) + 1, 0)
    assert not failed(report)
    assert run(config, lake, "r3").deleted == 0


def test_another_lake_does_not_take_the_place_of_one_with_very_many_runs(uri: str, lake: MemoryLake) -> None:
    """Of those the collection lists the newest, and one bound for all others."""
    lake.committed |= {f"s{n:03d}" for n in range(MAX_LISTED + 2)}
    run(configured(uri), lake)
    older = MemoryLake(images([f"j{n}" for n in range(500)], "r0"))
    with pytest.raises(ConfigError, match=r"tuku__r1 was filled from another lake"):
        run(configured(uri), older, "r2")


@pytest.mark.parametrize("strategy", ["auto", "upsert"])
def test_another_lake_does_not_take_the_place_of_this_one_by_itself(uri: str, lake: MemoryLake, strategy: str) -> None:
    run(configured(uri), lake)
    other = MemoryLake(images([f"j{n}" for n in range(500)], "s1"))
    with pytest.raises(ConfigError, match=r"tuku__r1 was filled from another lake"):
        run(configured(uri, load={"strategy": strategy}), other, "s1")
    with connected(configured(uri).milvus) as client:
        assert alias.resolve(client, "tuku") == "tuku__r1"
        assert collection.count(client, "tuku") == 500
    assert failed(run(configured(uri, load={"strategy": "rebuild"}), other, "s1")) == []


@pytest.mark.parametrize("wrong", [{"indexed_metadata": {"tags": "int64"}}, {"index": {"params": {"M": 1}}}])
def test_a_mistake_in_the_configuration_takes_nothing_from_readers_in_place(
    uri: str, lake: MemoryLake, wrong: dict
) -> None:
    in_place = {"alias": False, "strategy": "rebuild"}
    run(configured(uri, load=in_place), lake)
    with pytest.raises(ConfigError):
        run(configured(uri, milvus=wrong, load=in_place), lake, "r2")
    with connected(configured(uri).milvus) as client:
        assert collection.count(client, "tuku") == 500


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": {}}', '{"files": {"a": {"colour": 1}}}'])
def test_a_ledger_that_cannot_be_read_is_passed_over(uri: str, lake: MemoryLake, content: str) -> None:
    ledgers = Path(uri).parent / "ledgers" / "loads"
    ledgers.mkdir(parents=True)
    (ledgers / "tuku__r0.json").write_text(content)
    assert failed(run(configured(uri), lake)) == []


def test_a_proof_without_an_answer_about_the_index_is_none(
    uri: str, lake: MemoryLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(configured(uri), lake)

    def silent(*_: object) -> None:
        raise MilvusError("describing the index failed")

    monkeypatch.setattr(index, "index_states", silent)
    with connected(configured(uri).milvus) as client, pytest.raises(MilvusError, match="describing the index"):
        index.settled_states(client, "tuku", configured(uri).milvus, 0.1)
