"""What a Milvus cannot do is refused before any work; what only a fresh collection can have is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from pymilvus.exceptions import MilvusException

from tuku.config import Config, MilvusConfig
from tuku.errors import ConfigError
from tuku.milvus import capabilities
from tuku.milvus.capabilities import Capabilities, ask, require_able
from tuku.milvus.made_as import MADE_AS, changes, made_as_note, replicas
from tuku.milvus.target import check_target

LITE = Capabilities(lite=True, version=(3, 2), said="3.2.2", imports=None)


def server(said: str, **about: Any) -> Capabilities:
    major, minor = said.removeprefix("v").split(".")[:2]
    return Capabilities(lite=False, version=(int(major), int(minor)), said=said, imports="grpc", **about)


OLD = server("v2.3.5")


def test_every_default_can_be_had_everywhere() -> None:
    for able in (LITE, server("v2.4.0"), server("v2.6.2")):
        require_able(able, MilvusConfig(), 1_024)
    require_able(OLD, MilvusConfig(vectors=("image",)), 1_024)


@pytest.mark.parametrize(
    ("able", "config", "says"),
    [
        (OLD, {}, r"milvus\.vectors has 2 entries.*2\.4"),
        (OLD, {"vectors": ["image"], "index": {"type": "HNSW_SQ"}}, r"milvus\.index\.type is HNSW_SQ.*v2\.3\.5"),
        (server("v2.3.5-lite"), {"vectors": ["image"], "index": {"type": "DISKANN"}}, "DISKANN"),
        (
            OLD,
            {"vectors": ["image"], "indexed_metadata": {"c": "varchar"}, "partition_key": "c"},
            r"milvus\.partition_key is set.*wrong partition.*2\.4",
        ),
        (LITE, {"index": {"type": "IVF_PQ"}}, "IVF_PQ.*Milvus Lite"),
        (LITE, {"index": {"type": "DISKANN"}}, "DISKANN.*Milvus Lite"),
        (LITE, {"index": {"params": {"M": 1}}}, r"milvus\.index\.params\.M is 1"),
        (LITE, {"index": {"search_params": {"nprobe": 1}}}, r"milvus\.index\.search_params\.nprobe"),
        (LITE, {"shards": 2}, r"milvus\.shards is 2.*Milvus Lite"),
        (LITE, {"replicas": 2}, r"milvus\.replicas is 2.*Milvus Lite"),
        (LITE, {"mmap": True}, r"milvus\.mmap is true.*Milvus Lite"),
        (LITE, {"indexed_metadata": {"Interval": "double"}}, r"indexed_metadata\.Interval.*Milvus Lite"),
        (
            LITE,
            {"indexed_metadata": {"c": "varchar"}, "partition_key": "c", "partitions": 4},
            r"milvus\.partitions is 4.*Milvus Lite",
        ),
        (server("v2.5.1", query_nodes=1), {"replicas": 2}, r"milvus\.replicas is 2.*1 query node"),
    ],
)
def test_what_cannot_be_had_is_refused(able: Capabilities, config: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        require_able(able, MilvusConfig.model_validate(config), 16)


@pytest.mark.parametrize(
    ("able", "config"),
    [
        (OLD, {"vectors": ["image"], "index": {"type": "DISKANN"}}),
        (OLD, {"vectors": ["image"], "index": {"type": "IVF_PQ"}}),
        (server("v2.5.1"), {"index": {"type": "HNSW_SQ", "params": {"sq_type": "SQ6"}}, "replicas": 3}),
        (server("v2.5.1", query_nodes=2), {"replicas": 2, "shards": 4, "mmap": True}),
        (server("v2.4.0"), {"indexed_metadata": {"c": "varchar"}, "partition_key": "c", "partitions": 4}),
        (LITE, {"indexed_metadata": {"c": "varchar"}, "partition_key": "c", "consistency": "Strong"}),
    ],
)
def test_what_can_be_had_is_not_refused(able: Capabilities, config: dict) -> None:
    require_able(able, MilvusConfig.model_validate(config), 16)


@pytest.mark.milvus
def test_a_first_run_learns_of_a_wrong_index_before_it_pays(tmp_path: Path) -> None:
    def config(**index: Any) -> Config:
        return Config.model_validate({"milvus": {"uri": str(tmp_path / "new.db"), "index": index}})

    check_target(config(), embed_model="a/b@c", dim=16)
    with pytest.raises(ConfigError, match=r"params\.M is 1"):
        check_target(config(params={"M": 1}), embed_model="a/b@c", dim=16)
    with pytest.raises(ConfigError, match="IVF_PQ"):
        check_target(config(type="IVF_PQ"), embed_model="a/b@c", dim=16)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("able", "kinds"),
    [
        (LITE, ["INVERTED"] * 4),
        (server("v2.4.0"), ["INVERTED"] * 4),
        (OLD, ["Trie", "STL_SORT", "STL_SORT", None]),  # as a server 2.3.5 answered
    ],
)
def test_typed_fields_get_an_index_that_there_is(able: Capabilities, kinds: list) -> None:
    assert [able.scalar_index(kind) for kind in ("varchar", "int64", "double", "bool")] == kinds
    assert able.nulls is (able is LITE)


def test_query_nodes_are_asked_for_only_if_copies_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capabilities, "probe_imports", lambda config: None)
    client = MagicMock()
    client.get_server_version.return_value = "v2.5.1"
    client.describe_resource_group.return_value.num_available_node = 3
    one, two = (Config.model_validate({"milvus": {"uri": "http://h:1", "replicas": count}}) for count in (1, 2))
    assert ask(client, one).query_nodes is None
    assert not client.describe_resource_group.called
    assert ask(client, two).query_nodes == 3
    client.describe_resource_group.side_effect = MilvusException(code=1, message="not for you")
    assert ask(client, two).query_nodes is None


def test_a_change_of_what_is_settled_is_said() -> None:
    made = made_as_note(MilvusConfig(shards=2, replicas=3))
    assert changes(made, MilvusConfig(shards=2, replicas=3)) == ""
    changed = MilvusConfig(consistency="Strong", mmap=False, replicas=3)
    assert changes(made, changed) == (
        "milvus.shards is 1 and was 2, milvus.consistency is Strong and was Bounded, milvus.mmap is false and was null"
    )
    assert replicas(made, MilvusConfig()) == 3


def test_a_collection_of_an_earlier_tuku_is_taken_as_it_is() -> None:
    assert changes({}, MilvusConfig(shards=7)) == ""
    assert replicas({}, MilvusConfig(replicas=2)) == 2
    with pytest.raises(ConfigError, match=MADE_AS):
        changes({MADE_AS: "nonsense"}, MilvusConfig())
