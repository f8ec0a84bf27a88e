"""The ANN index of every vector field: build, wait until it is whole, load."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuku.errors import MilvusError
from tuku.milvus.calls import milvus_errors, wait_until
from tuku.milvus.collection import layout, note, properties
from tuku.milvus.fields import vector_fields
from tuku.milvus.index_params import build_params, wanted_params

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymilvus import MilvusClient

    from tuku.config import IndexConfig, MilvusConfig
    from tuku.milvus.capabilities import Capabilities

# Not every Milvus tells an index's parameters (Lite does not): what was asked for is noted on the collection.
INDEX = "tuku.index"


@dataclass(frozen=True)
class IndexState:
    """How far the index of one vector field is, in rows."""

    field: str
    total: int
    indexed: int
    pending: int

    @property
    def whole(self) -> bool:
        """Nothing is pending: by the rows, for Milvus' `state` says Finished while some still are."""
        return self.pending == 0 and self.indexed == self.total

    def __str__(self) -> str:
        return f"{self.indexed} of {self.total} rows indexed, {self.pending} pending"


def index_fits(client: MilvusClient, name: str, config: MilvusConfig) -> bool:
    """Whether every vector field has the index that the configuration asks for."""
    noted = properties(client, name).get(INDEX)
    # A server that crashed may have lost the note, which is written anew when a load has been proven.
    if noted is not None and noted != _asked_for(config.index):
        return False
    return all(_has_index(client, name, field, config.index) for field in vector_fields(config))


def build_indexes(client: MilvusClient, name: str, config: MilvusConfig, rows: int, able: Capabilities) -> bool:
    """Gives every vector field and every typed field its index; an equal one stays, another one is dropped first.

    Args:
        client: an open client.
        name: the collection. It is released while an index of it is exchanged.
        config: type, metric and parameters of the index.
        rows: in the collection; an IVF index gets no more clusters than that.
        able: which index a typed field can have.

    Returns:
        Whether an index was exchanged: nobody can search the collection until it is loaded again.
    """
    _index_metadata(client, name, config, able)
    if index_fits(client, name, config):
        return False
    params = build_params(config.index, rows, layout(client, name).dim)
    # pymilvus sends each parameter by itself, which servers want; Milvus Lite reads none but a dictionary of them.
    sent = {"params": params} if able.lite else params
    with milvus_errors(f"building the indexes of collection {name}"):
        exchanged = _drop_indexes(client, name, config)
        # While there is no index: cut off anywhere, one that is there is the one that is noted.
        note(client, name, index_note(config.index))
        for field in vector_fields(config):
            wanted = client.prepare_index_params()
            wanted.add_index(
                field,
                index_name=field,
                index_type=config.index.type,
                metric_type=config.index.metric,
                params=sent,
            )
            # sync waits for `state`, which proves nothing, and asks Lite for an RPC that it does not have.
            client.create_index(name, wanted, timeout=config.timeout_s, sync=False)
    return exchanged


def _drop_indexes(client: MilvusClient, name: str, config: MilvusConfig) -> bool:
    """Drop those of the vector fields, for which the collection is released. Returns whether there were any."""
    there = any(client.list_indexes(name, field_name=field) for field in vector_fields(config))
    if there:
        client.release_collection(name)
    for field in vector_fields(config):
        for old in client.list_indexes(name, field_name=field):
            client.drop_index(name, old)
    return there


def _index_metadata(client: MilvusClient, name: str, config: MilvusConfig, able: Capabilities) -> None:
    """Give every typed field its index, if this Milvus has one for it and it is not there yet."""
    with milvus_errors(f"indexing the metadata of collection {name}"):
        for field, kind in config.indexed_metadata.items():
            scalar = able.scalar_index(kind)
            if scalar and not client.list_indexes(name, field_name=field):
                wanted = client.prepare_index_params()
                wanted.add_index(field, index_name=field, index_type=scalar)
                client.create_index(name, wanted, timeout=config.timeout_s, sync=False)


def unindexed_metadata(client: MilvusClient, name: str, config: MilvusConfig) -> list[str]:
    """Typed fields without the index that filters by them use; of truth values no older server has one."""
    with milvus_errors(f"listing the indexes of collection {name}"):
        return [
            field
            for field, kind in config.indexed_metadata.items()
            if kind != "bool" and not client.list_indexes(name, field_name=field)
        ]


def index_states(client: MilvusClient, name: str, config: MilvusConfig) -> list[IndexState]:
    """How far each vector field's index is; a field without an index has indexed nothing."""
    states = []
    for field in vector_fields(config):
        with milvus_errors(f"describing the index of {name}.{field}"):
            about = client.describe_index(name, field) or {
                "total_rows": 0,
                "indexed_rows": 0,
                "pending_index_rows": -1,
            }
        numbers = (int(about[key]) for key in ("total_rows", "indexed_rows", "pending_index_rows"))
        states.append(IndexState(field, *numbers))
    return states


def settled_states(client: MilvusClient, name: str, config: MilvusConfig, timeout_s: float) -> list[IndexState]:
    """As `index_states`, once no rows are pending, or at the deadline: a compaction has rows indexed anew."""
    states: list[IndexState] = []

    def pending() -> str:
        states[:] = index_states(client, name, config)
        return "; ".join(f"index of {state.field}: {state}" for state in states if state.pending > 0)

    with suppress(MilvusError):  # what is still pending is for the caller to judge
        wait_until(pending, timeout_s)
    return states or index_states(client, name, config)  # no answer at all is an error, not a proof without a check


def wait_indexed(client: MilvusClient, name: str, config: MilvusConfig, rows: int, timeout_s: float) -> None:
    """Waits until every vector field's index covers the rows.

    Args:
        client: an open client.
        name: the collection, flushed.
        config: which vector fields it has.
        rows: at least so many must be indexed. (After upserts Milvus counts old versions too, until it
            compacts.)
        timeout_s: the deadline.

    Raises:
        MilvusError: rows were still pending at the deadline.
    """

    def missing() -> str:
        states = index_states(client, name, config)
        return "; ".join(
            f"index of {state.field}: {state}, {rows} expected"
            for state in states
            if not state.whole or state.total < rows
        )

    wait_until(missing, timeout_s)


def load_state(client: MilvusClient, name: str) -> str:
    """``Loaded``, ``Loading``, ``NotLoad`` or ``NotExist``."""
    with milvus_errors(f"asking for the load state of {name}"):
        return str(client.get_load_state(name)["state"].name)


def load(client: MilvusClient, name: str, timeout_s: float, *, replicas: int | None = None) -> None:
    """Loads the collection into memory, so that it can be searched; done at once if it is.

    Args:
        client: an open client.
        name: the collection or alias.
        timeout_s: the deadline.
        replicas: copies of it; None: one. A server before 2.5 refuses another number than it is loaded with.

    Raises:
        MilvusError: it was not loaded at the deadline.
    """
    with milvus_errors(f"loading collection {name}"):
        copies = {} if replicas in {None, 1} else {"replica_number": replicas}
        client.load_collection(name, timeout=timeout_s, **copies)

    def missing() -> str:
        state = load_state(client, name)
        return "" if state == "Loaded" else f"load state of {name} is {state}"

    wait_until(missing, timeout_s)


def _has_index(client: MilvusClient, name: str, field: str, index: IndexConfig) -> bool:
    with milvus_errors(f"describing the index of {name}.{field}"):
        if field not in client.list_indexes(name, field_name=field):
            return False
        about = client.describe_index(name, field)
    return bool(about["index_type"] == index.type and about["metric_type"] == index.metric)


def index_note(index: IndexConfig) -> dict[str, str]:
    """What was asked for, as a collection's property."""
    return {INDEX: _asked_for(index)}


def noted(notes: Mapping[str, str]) -> dict[str, Any]:
    """What was asked for, of a collection with these properties; empty if they do not tell."""
    with suppress(ValueError, KeyError, TypeError, RecursionError):
        asked = json.loads(notes.get(INDEX, ""))
        kind, metric, params = asked["type"], asked["metric"], asked["params"]
        if isinstance(kind, str) and isinstance(metric, str) and isinstance(params, dict):
            return {"type": kind, "metric": metric, "params": params}
    return {}


def index_of(client: MilvusClient, name: str, config: MilvusConfig) -> IndexConfig:
    """The index that a collection has; where it does not tell, as configured.

    Raises:
        MilvusError: it did not answer.
    """
    asked = noted(properties(client, name))
    return config.index.model_copy(update={**asked, "search_params": {}} if asked else {})


def _asked_for(index: IndexConfig) -> str:
    asked = {"type": index.type, "metric": index.metric, "params": wanted_params(index)}
    return json.dumps(asked, sort_keys=True)
