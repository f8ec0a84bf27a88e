"""What a Milvus can do: asked of it where it can be asked, and told by its version where not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Literal

from tuku.errors import ConfigError
from tuku.milvus.address import is_local
from tuku.milvus.calls import milvus_errors
from tuku.milvus.fields import vector_fields
from tuku.milvus.imports import probe_imports
from tuku.milvus.index_params import require_params

if TYPE_CHECKING:
    from pymilvus import MilvusClient

    from tuku.config import Config, MilvusConfig

Version = tuple[int, int]

_NUMBERS = re.compile(r"(\d+)\.(\d+)")
_EVERYWHERE = frozenset({"FLAT", "IVF_FLAT", "IVF_SQ8", "HNSW", "AUTOINDEX"})
# By which version of a server an index type came (Milvus' release notes).
_SINCE: dict[str, Version] = {"IVF_PQ": (2, 0), "DISKANN": (2, 2), "HNSW_SQ": (2, 5)}
_SEVERAL_VECTORS: Version = (2, 4)
_NULLS: Version = (2, 5)
_PARTITION_KEYS: Version = (2, 4)
_INVERTED: Version = (2, 4)
_PATTERNS: Version = (2, 4)
_LITE_PARTITIONS = 16
"""By a partition key Lite keeps so many, whatever it is asked for."""
_LITE_NAMES = frozenset({"_seq", "_partition", "iso", "interval"})
_DEFAULT_GROUP = "__default_resource_group"
"""Of query nodes: where everything is that has not been put elsewhere."""


@dataclass(frozen=True)
class Capabilities:
    """What follows from what answers at `milvus.uri`.

    Attributes:
        lite: embedded Milvus, in this process.
        version: major and minor, of the server or of what a managed service is compatible with.
        said: the version as it was told.
        imports: how bulk imports are started; None where they cannot be.
        query_nodes: that copies of a collection can be on; None if it was not asked or does not say.
    """

    lite: bool
    version: Version
    said: str
    imports: Literal["grpc", "rest"] | None
    query_nodes: int | None = None

    @property
    def several_vectors(self) -> bool:
        """Whether a collection can have more than one vector field."""
        return self.lite or self.version >= _SEVERAL_VECTORS

    @property
    def partition_keys(self) -> bool:
        """Whether rows that are upserted are found by their partition key (tried: not in 2.3.5, but in Lite)."""
        return self.lite or self.version >= _PARTITION_KEYS

    @property
    def nulls(self) -> bool:
        """Whether a typed field can be null."""
        return self.lite or self.version >= _NULLS

    @property
    def index_types(self) -> frozenset[str]:
        """Types of a vector index that can be built."""
        if self.lite:
            return _EVERYWHERE | {"HNSW_SQ"}
        since = {kind for kind, version in _SINCE.items() if self.version >= version}
        # The server in the package `milvus` (2.3.5-lite) is built without DISKANN, and would try for ever.
        return _EVERYWHERE | (since - {"DISKANN"} if self.said.endswith("-lite") else since)

    @property
    def parallel_writes(self) -> bool:
        """Whether several requests at once are faster than one after the other."""
        return not self.lite

    def scalar_index(self, kind: str) -> str | None:
        """The type of the index of a typed field (``varchar``, ``int64``, ``double``, ``bool``); None if it has none.

        Asked of Lite 3.2.2, which has INVERTED only, and of a server 2.3.5.
        """
        if self.lite or self.version >= _INVERTED:
            return "INVERTED"
        if kind == "bool":
            return None
        return "Trie" if kind == "varchar" else "STL_SORT"

    def lines(self) -> list[str]:
        """What follows, for people."""
        vectors = "several vector fields" if self.several_vectors else "one vector field in a collection"
        imports = f"bulk import by {_API[self.imports]}" if self.imports else "no bulk import"
        return [vectors, imports, f"indexes {', '.join(sorted(self.index_types))}"]


_API = {"grpc": "gRPC", "rest": "REST"}


def ask(client: MilvusClient, config: Config) -> Capabilities:
    """Ask a Milvus what it is.

    Args:
        client: an open client.
        config: `milvus` says where it is, `load` how bulk imports would be started.

    Raises:
        MilvusError: it does not answer.
    """
    said = _said(client)
    if is_local(config.milvus.uri):
        return Capabilities(lite=True, version=_version(said), said=said, imports=None)
    nodes = _query_nodes(client) if config.milvus.replicas > 1 else None
    return Capabilities(lite=False, version=_version(said), said=said, imports=probe_imports(config), query_nodes=nodes)


def matches_patterns(client: MilvusClient, config: MilvusConfig) -> bool:
    """Whether ``like`` takes any pattern; a server 2.3 takes beginnings alone (tried).

    Raises:
        MilvusError: it does not answer.
    """
    return is_local(config.uri) or _version(_said(client)) >= _PATTERNS


def embedded() -> Capabilities:
    """What an embedded Milvus can do that has not been opened."""
    said = metadata.version("milvus-lite")
    return Capabilities(lite=True, version=_version(said), said=said, imports=None)


def require_able(able: Capabilities, config: MilvusConfig, dim: int) -> None:
    """Whether the configured collection can exist there.

    Args:
        able: what this Milvus can do.
        config: the collection, its fields and its index.
        dim: length of the vectors.

    Raises:
        ConfigError: naming the key, what is allowed, and the version that was found.
    """
    here = f"Milvus Lite {able.said}" if able.lite else f"Milvus {able.said}"
    if len(vector_fields(config)) > 1 and not able.several_vectors:
        raise ConfigError(
            f"milvus.vectors has {len(config.vectors)} entries, and a collection of {here} has one vector field.",
            "Set milvus.vectors to [image] or to [text], or use Milvus 2.4 or newer.",
        )
    if config.index.type not in able.index_types:
        raise ConfigError(
            f"milvus.index.type is {config.index.type}, which {here} does not have.",
            f"Choose one of {', '.join(sorted(able.index_types))}.",
        )
    require_params(config.index, dim, able)
    if config.partition_key is not None and not able.partition_keys:
        raise ConfigError(
            f"milvus.partition_key is set, and {here} files upserted rows under the wrong partition (milvus #30607):"
            " filters by it would miss them.",
            "Leave it out (a filter by a field of milvus.indexed_metadata works), or use Milvus 2.4 or newer.",
        )
    if able.lite:
        _require_lite(config)
    if able.query_nodes is not None and config.replicas > able.query_nodes:
        raise ConfigError(
            f"milvus.replicas is {config.replicas}, and {here} has {able.query_nodes} query nodes,"
            " each of which holds one copy of a collection.",
            f"Set it to {able.query_nodes} at most, or add query nodes.",
        )


def _require_lite(config: MilvusConfig) -> None:
    """What is for servers: Milvus Lite 3.2.2 passes over it without a word, or refuses a field's name."""
    asked = {
        "shards": config.shards > 1,
        "replicas": config.replicas > 1,
        "mmap": config.mmap is not None,
        "partitions": config.partitions not in {None, _LITE_PARTITIONS},
    }
    for key in (key for key, is_asked in asked.items() if is_asked):
        raise ConfigError(
            f"milvus.{key} is {str(getattr(config, key)).lower()}, and Milvus Lite has nothing of the kind.",
            "Leave it out, or set milvus.uri to a server.",
        )
    for name in config.indexed_metadata:
        if name.casefold() in _LITE_NAMES:
            raise ConfigError(
                f"milvus.indexed_metadata.{name}: Milvus Lite has no field of this name.",
                "Leave it out (it is then found as a dynamic field), rename the column, or use a server.",
            )


def _query_nodes(client: MilvusClient) -> int | None:
    from pymilvus.exceptions import MilvusException

    try:
        return int(client.describe_resource_group(_DEFAULT_GROUP).num_available_node)
    except MilvusException:  # a managed service has no such call, and not every user may ask
        return None


def _said(client: MilvusClient) -> str:
    with milvus_errors("asking for its version"):
        return str(client.get_server_version()).removeprefix("milvus_lite-")


def _version(said: str) -> Version:
    # A managed service says, for example, "Zilliz Cloud Vector Database(Compatible with Milvus 2.5)".
    found = _NUMBERS.search(said)
    return (int(found[1]), int(found[2])) if found else (2, 0)
