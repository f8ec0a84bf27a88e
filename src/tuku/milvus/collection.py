"""Collections: create, check against the configuration, and the notes that tuku keeps in their properties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuku.errors import ConfigError, VectorSpaceError
from tuku.milvus.calls import milvus_errors
from tuku.milvus.fields import ID, Layout, collection_schema, scalar_fields, vector_fields
from tuku.milvus.made_as import made_as_note

if TYPE_CHECKING:
    from pymilvus import MilvusClient

    from tuku.config import MilvusConfig

EMBED_MODEL = "tuku.embed_model"
DIM = "tuku.dim"
METRIC = "tuku.metric"
MMAP = "mmap.enabled"
"""Milvus' own property."""

REBUILD = "Run `tuku load --strategy rebuild`."
MOVE = "`tuku ingest --set load.strategy=rebuild` with the whole catalogue"
"""What works where the lake's own vectors do not fit either: `tuku load` could only load those again."""


def exists(client: MilvusClient, name: str) -> bool:
    """Whether a collection (not an alias) bears this name."""
    with milvus_errors("listing collections"):
        return name in client.list_collections()


def properties(client: MilvusClient, name: str) -> dict[str, str]:
    """The collection's properties, tuku's notes among them."""
    with milvus_errors(f"describing collection {name}"):
        return {key: str(value) for key, value in client.describe_collection(name)["properties"].items()}


def note(client: MilvusClient, name: str, notes: dict[str, str]) -> None:
    """Writes properties; keys start with ``tuku.``."""
    with milvus_errors(f"writing the properties of collection {name}"):
        client.alter_collection_properties(name, properties=notes)


def layout(client: MilvusClient, name: str) -> Layout:
    """Which fields it has, beyond those that every collection of tuku has."""
    with milvus_errors(f"describing collection {name}"):
        return Layout.found(client.describe_collection(name))


def vector_space(client: MilvusClient, name: str) -> str | None:
    """The model (``provider/model@revision``) whose vectors the collection holds; None if not tuku's."""
    return properties(client, name).get(EMBED_MODEL)


def count(client: MilvusClient, name: str) -> int:
    """Rows at this moment, strongly consistent (`num_entities` is an estimate)."""
    with milvus_errors(f"counting collection {name}"):
        answer = client.query(name, filter="", output_fields=["count(*)"], consistency_level="Strong")
    return int(answer[0]["count(*)"])


def estimated(client: MilvusClient, name: str) -> int:
    """Rows, without loading it. A server counts those too that were replaced or deleted, until it compacts."""
    with milvus_errors(f"asking for the rows of collection {name}"):
        return int(client.get_collection_stats(name)["row_count"])


def create(
    client: MilvusClient,
    name: str,
    config: MilvusConfig,
    dim: int,
    embed_model: str,
    *,
    nulls: bool = True,
    notes: dict[str, str] | None = None,
) -> None:
    """Creates an empty collection, stamped with its vector space.

    Args:
        client: an open client.
        name: of the collection, not of the alias.
        config: which vectors it has, how it is spread, and what readers see of recent writes.
        dim: length of the vectors.
        embed_model: ``provider/model@revision``.
        nulls: whether this Milvus knows them.
        notes: more properties, from the first moment on.
    """
    stamp = {EMBED_MODEL: embed_model, DIM: str(dim), METRIC: config.index.metric, **made_as_note(config)}
    if config.mmap is not None:
        stamp[MMAP] = str(config.mmap).lower()
    spread: dict[str, int] = {"num_shards": config.shards}
    if config.partitions is not None:
        spread["num_partitions"] = config.partitions
    with milvus_errors(f"creating collection {name}"):
        client.create_collection(
            name,
            schema=collection_schema(Layout.wanted(config, dim, nulls=nulls)),
            properties={**stamp, **(notes or {})},
            consistency_level=config.consistency,
            timeout=config.timeout_s,
            **spread,
        )


def drop(client: MilvusClient, name: str) -> None:
    """Drops a collection; it may be gone already."""
    with milvus_errors(f"dropping collection {name}"):
        client.drop_collection(name)


def require_vector_space(client: MilvusClient, name: str, embed_model: str, dim: int) -> None:
    """Refuses to mix or compare vectors of two models.

    Args:
        client: an open client.
        name: of the collection.
        embed_model: ``provider/model@revision``, as configured.
        dim: length of its vectors, for the message.

    Raises:
        VectorSpaceError: the collection's vectors come from another model.
        ConfigError: the collection is not tuku's.
    """
    notes = properties(client, name)
    present, length = notes.get(EMBED_MODEL), notes.get(DIM, str(dim))
    if present is None:
        raise ConfigError(
            f"The collection {name} was not made by tuku, which will not touch it.",
            "Set milvus.collection to another name, or drop the collection yourself.",
        )
    if present != embed_model:
        there, here = ("", "") if length == str(dim) else (f" of length {length}", f" of length {dim}")
        raise VectorSpaceError(
            f"The collection {name} holds vectors of {present}{there}; the configuration says {embed_model}{here}. "
            "Vectors of two models cannot be compared.",
            f"Set embed.model back, or move everything to the new model: {MOVE}.",
        )


def require_metric(client: MilvusClient, name: str, metric: str) -> None:
    """Refuses to search by, or to build an index of, another metric than the collection was made for.

    Raises:
        ConfigError: it was made for another one.
    """
    present = properties(client, name).get(METRIC)
    if present is not None and present != metric:
        raise ConfigError(
            f"The collection {name} was made for the metric {present}; milvus.index.metric is {metric}.",
            f"Set it back, or change the collection: {REBUILD}",
        )


def check_schema(client: MilvusClient, name: str, config: MilvusConfig, dim: int) -> None:
    """Checks that the collection has the fields, vectors and dimensions of the configuration.

    Raises:
        ConfigError: it has not; the message names the difference and what removes it.
    """
    with milvus_errors(f"describing collection {name}"):
        description = client.describe_collection(name)
    found = {field["name"]: field for field in description["fields"]}
    expected = {*scalar_fields(), *vector_fields(config), *config.indexed_metadata}
    vectors = vector_fields(config)
    lengths = {field: _dim(found[field]) for field in vectors if field in found}
    differences = [f"lacks {field}" for field in sorted(expected - found.keys())]
    # A vector field that a row does not fill is refused by Milvus: one too many is as wrong as one too few.
    differences += [f"has {field}" for field in sorted(found.keys() - expected)]
    differences += [f"has {field} of length {length}, not {dim}" for field, length in lengths.items() if length != dim]
    typed = Layout.found(description).typed
    differences += [
        f"has {field} as {typed[field].kind}, not {kind}"
        for field, kind in config.indexed_metadata.items()
        if field in typed and typed[field].kind != kind
    ]
    partitioned = next((field for field, about in typed.items() if about.partitioned), None)
    if partitioned != config.partition_key:
        differences.append(f"is partitioned by {partitioned}, not {config.partition_key}")
    if ID in found and not found[ID].get("is_primary"):
        differences.append("has another primary key")
    if not description.get("enable_dynamic_field"):
        differences.append("has no dynamic fields")
    if differences:
        new_vectors = len(lengths) < len(vectors) or set(lengths.values()) != {dim}
        raise ConfigError(
            f"The collection {name} does not fit the configuration: it {', '.join(differences)}.",
            f"Set embed.dim and milvus.vectors back, or make the vectors anew: {MOVE}."
            if new_vectors
            else f"The lake has everything to fill a new one. {REBUILD}",
        )


def _dim(field: dict[str, Any]) -> int:
    return int(field.get("params", {}).get("dim", 0))
