"""The collection as its readers see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuku.errors import ConfigError
from tuku.milvus import alias, collection, index, made_as
from tuku.milvus.address import without_credentials
from tuku.milvus.index_params import require_params

if TYPE_CHECKING:
    from pymilvus import MilvusClient

    from tuku.config import MilvusConfig


def require_readable(client: MilvusClient, config: MilvusConfig) -> str:
    """The collection behind `milvus.collection`, be that an alias or its own name.

    Raises:
        ConfigError: there is neither.
    """
    name = alias.resolve(client, config.collection) or config.collection
    if not collection.exists(client, name):
        raise ConfigError(
            f"There is no collection or alias {config.collection} at {without_credentials(config.uri)}.",
            "Run `tuku ingest` or `tuku load` first, or check milvus.uri and milvus.collection.",
        )
    return name


def require_searchable(client: MilvusClient, config: MilvusConfig, embed_model: str, dim: int) -> str:
    """The collection behind `milvus.collection`, loaded, and filled by this model (``provider/model@revision``).

    Raises:
        ConfigError: there is no such collection, it has other fields or another metric than configured, or
            a parameter of the index is none.
        VectorSpaceError: another model filled it.
        MilvusError: it could not be loaded in time.
    """
    require_params(config.index, dim)
    name = require_readable(client, config)
    collection.require_vector_space(client, name, embed_model, dim)
    collection.check_schema(client, name, config, dim)
    collection.require_metric(client, name, config.index.metric)
    ensure_loaded(client, name, config)
    return name


def ensure_loaded(client: MilvusClient, name: str, config: MilvusConfig) -> None:
    """Load a collection that is not loaded, with as many copies as it was made with.

    Asking for one that is loaded would be refused by a server before 2.5, should the number differ.

    Raises:
        ConfigError: the note of how it was made is not what tuku writes.
        MilvusError: it could not be loaded in time.
    """
    if index.load_state(client, name) != "Loaded":
        copies = made_as.replicas(collection.properties(client, name), config)
        index.load(client, name, config.timeout_s, replicas=copies)
