"""The proof: what Milvus serves is what the lake holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tuku.milvus import collection
from tuku.milvus.address import is_local
from tuku.milvus.fields import ID, LAKE_COLUMN, vector_fields
from tuku.milvus.index import load, load_state, settled_states, unindexed_metadata
from tuku.milvus.keys import KeyDigest, all_ids
from tuku.milvus.recall import K, Probe, exact_pass, exact_scores
from tuku.milvus.rows import vector_matrix
from tuku.milvus.sampled import Proof, check, content_checks, find_rows, partition_checks
from tuku.milvus.search import search
from tuku.report import Check

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from pymilvus import MilvusClient

    from tuku.config import MilvusConfig, VerifyConfig

__all__ = ["COUNT", "Check", "LakeReader", "verify"]

COUNT = "rows"
# Scores of identical vectors may differ by this much after quantisation and summing.
SELF_TIE = 1e-5


class LakeReader(Protocol):
    """What the proof reads of the lake: its current view, each id once, deleted rows left out."""

    def rows(self) -> int:
        """Rows in the current view."""
        ...

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The current view, these columns of `schemas.IMAGES`, in tables of bounded size."""
        ...

    def sample(self, size: int, seed: int) -> pa.Table:
        """At most `size` rows of the current view, in `schemas.IMAGES`; the same ones for the same seed."""
        ...


def verify(
    client: MilvusClient,
    name: str,
    lake: LakeReader,
    config: MilvusConfig,
    limits: VerifyConfig,
    *,
    embed_model: str,
    dim: int,
    seed: int = 0,
) -> list[Check]:
    """Compares a loaded collection with the lake; writes nothing.

    Args:
        client: an open client.
        name: the collection or alias.
        lake: what it must equal.
        config: its vectors and index.
        limits: how many rows are compared one by one, and the least recall.
        embed_model: ``provider/model@revision`` of the lake's vectors.
        dim: their length.
        seed: of the sample.

    Returns:
        Every check, passed or not, always in the same order; only the load state if nothing can be asked.

    Raises:
        MilvusError: Milvus did not answer. (A wrong answer is a check that failed.)
    """
    if is_local(config.uri):
        load(client, name, config.timeout_s)  # an embedded Milvus loads anew in each process
    proof = Proof(client, name, config, dim, lake.sample(limits.sample, seed))
    loaded = _load_check(proof)
    return _all_checks(proof, lake, loaded, limits, embed_model) if loaded.passed else [loaded]


def _all_checks(proof: Proof, lake: LakeReader, loaded: Check, limits: VerifyConfig, embed_model: str) -> list[Check]:
    rows, actual = lake.rows(), collection.count(proof.client, proof.name)
    return [
        check(COUNT, rows, actual, actual == rows),
        *_key_checks(proof, lake, limits),
        *_index_checks(proof, rows),
        loaded,
        _vector_space_check(proof, embed_model),
        *content_checks(proof),
        *partition_checks(proof),
        *_self_retrieval_checks(proof, limits.min_recall),
        *_recall_checks(proof, lake, limits.min_recall),
    ]


def _key_checks(proof: Proof, lake: LakeReader, limits: VerifyConfig) -> Iterator[Check]:
    """Every key of the lake is there, and no other: with the row count, each of them once."""
    if not limits.keys:
        return
    expected, actual = KeyDigest(), KeyDigest()
    for table in lake.batches([LAKE_COLUMN[ID]]):
        expected.add(table.column(LAKE_COLUMN[ID]).to_pylist())
    for ids in all_ids(proof.client, proof.name):
        actual.add(ids)
    yield check("keys", str(expected), str(actual), expected == actual)


def _index_checks(proof: Proof, rows: int) -> Iterator[Check]:
    for state in settled_states(proof.client, proof.name, proof.config, proof.config.timeout_s):
        least = max(rows, state.total)
        expected = f"{least} of {least} rows indexed, 0 pending"
        # More than the rows: after upserts a server counts what they replaced too, until it compacts.
        yield check(f"index of {state.field}", expected, str(state), state.whole and state.total >= rows)
    if proof.config.indexed_metadata:
        lacking = unindexed_metadata(proof.client, proof.name, proof.config)
        yield check("indexes of metadata", "all", f"none of {', '.join(lacking)}" if lacking else "all", not lacking)


def _load_check(proof: Proof) -> Check:
    state = load_state(proof.client, proof.name)
    return check("load state", "Loaded", state, state == "Loaded")


def _vector_space_check(proof: Proof, embed_model: str) -> Check:
    notes = collection.properties(proof.client, proof.name)
    keys = (collection.EMBED_MODEL, collection.DIM, collection.METRIC)
    expected = f"{embed_model}, {proof.dim}-d, {proof.config.index.metric}"
    model, dim, metric = (notes.get(key, "?") for key in keys)
    actual = f"{model}, {dim}-d, {metric}"
    return check("vector space", expected, actual, actual == expected)


def _self_retrieval_checks(proof: Proof, min_recall: float) -> Iterator[Check]:
    """Sampled rows find themselves or an identical vector; whether content is right has its own check."""
    for field in vector_fields(proof.config):
        queries = vector_matrix(proof.sample, field, proof.dim)
        found = _found(proof, field, queries, thorough=True)
        missed = [row for row, key in enumerate(proof.ids) if key not in found[row]]
        nearest = find_rows(proof, [found[row][0] for row in missed if found[row]])
        twins = 0
        for row in missed:
            hits = nearest.get(found[row][0], []) if found[row] else []
            others = np.asarray([hit[field] for hit in hits] + [queries[row]], dtype=np.float32)
            scores = exact_scores(queries[row : row + 1], others, proof.config.index.metric)[0]
            twins += len(hits) > 0 and bool(scores[0] >= scores[-1] - SELF_TIE)
        least = int(np.ceil(min_recall * len(queries)))
        number = len(queries) - len(missed) + twins
        yield check(f"self-retrieval in {field}", f">= {least} of {len(queries)}", number, number >= least)


def _recall_checks(proof: Proof, lake: LakeReader, min_recall: float) -> Iterator[Check]:
    """Image and text queries against every field: text queries suffer more from a coarse index."""
    fields = vector_fields(proof.config)
    probes = []
    for kind in ("image", "text"):
        column = proof.sample.column(f"{kind}_embedding")
        if column.null_count:
            continue  # vectors of this kind are not configured, so nobody searches with them
        queries = vector_matrix(proof.sample, f"{kind}_embedding", proof.dim)
        probes += [
            Probe(f"{kind} queries on {field}", field, queries, _found(proof, field, queries)) for field in fields
        ]
    if len(proof.sample):
        exact_pass(
            probes,
            lake.batches([LAKE_COLUMN[ID], *fields]),
            dict.fromkeys(fields, proof.dim),
            proof.config.index.metric,
        )
    for probe in probes:
        recall = probe.recall()
        yield check(f"recall@{K}, {probe.label}", f">= {min_recall:g}", round(recall, 4), recall >= min_recall)


def _found(proof: Proof, field: str, queries: Any, *, thorough: bool = False) -> list[list[str]]:
    if not len(queries):
        return []
    hits = search(
        proof.client,
        proof.name,
        field,
        queries,
        proof.config.index,
        limit=K,
        output=[ID],
        thorough=thorough,
        strong=True,
        timeout_s=proof.config.timeout_s,
    )
    return [[hit.id for hit in row] for row in hits]
