"""The proof: what Milvus serves is what the lake holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tuku.milvus import collection
from tuku.milvus.calls import milvus_errors
from tuku.milvus.connect import is_local
from tuku.milvus.fields import ID, KEYWORDS, LAKE_COLUMN, vector_fields
from tuku.milvus.filters import ids_in, literal
from tuku.milvus.index import load, load_state, settled_states, unindexed_metadata
from tuku.milvus.keys import KeyDigest, all_ids
from tuku.milvus.recall import K, Probe, exact_pass, exact_scores
from tuku.milvus.rows import milvus_rows, vector_matrix
from tuku.milvus.search import search
from tuku.report import Check

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from pymilvus import MilvusClient

    from tuku.config import MilvusConfig, VerifyConfig

__all__ = ["COUNT", "Check", "LakeReader", "verify"]

Row = dict[str, Any]

COUNT = "rows"
# A query answers with both vectors of each row: small enough for one gRPC message.
QUERY_IDS = 100
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


@dataclass(frozen=True)
class _Proof:
    """What all checks look at."""

    client: MilvusClient
    name: str
    config: MilvusConfig
    dim: int
    sample: pa.Table

    @property
    def ids(self) -> list[str]:
        return [str(key) for key in self.sample.column(LAKE_COLUMN[ID]).to_pylist()]


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
    proof = _Proof(client, name, config, dim, lake.sample(limits.sample, seed))
    loaded = _load_check(proof)
    return _all_checks(proof, lake, loaded, limits, embed_model) if loaded.passed else [loaded]


def _all_checks(proof: _Proof, lake: LakeReader, loaded: Check, limits: VerifyConfig, embed_model: str) -> list[Check]:
    rows, actual = lake.rows(), collection.count(proof.client, proof.name)
    return [
        _check(COUNT, rows, actual, actual == rows),
        *_key_checks(proof, lake, limits),
        *_index_checks(proof, rows),
        loaded,
        _vector_space_check(proof, embed_model),
        *_content_checks(proof),
        *_partition_checks(proof),
        *_self_retrieval_checks(proof, limits.min_recall),
        *_recall_checks(proof, lake, limits.min_recall),
    ]


def _key_checks(proof: _Proof, lake: LakeReader, limits: VerifyConfig) -> Iterator[Check]:
    """Every key of the lake is there, and no other: with the row count, each of them once."""
    if not limits.keys:
        return
    expected, actual = KeyDigest(), KeyDigest()
    for table in lake.batches([LAKE_COLUMN[ID]]):
        expected.add(table.column(LAKE_COLUMN[ID]).to_pylist())
    for ids in all_ids(proof.client, proof.name):
        actual.add(ids)
    yield _check("keys", str(expected), str(actual), expected == actual)


def _check(name: str, expected: Any, actual: Any, passed: bool) -> Check:
    return Check(name=name, expected=expected, actual=actual, passed=passed)


def _index_checks(proof: _Proof, rows: int) -> Iterator[Check]:
    for state in settled_states(proof.client, proof.name, proof.config, proof.config.timeout_s):
        expected = f"{state.total} of {state.total} rows indexed, 0 pending"
        # More than the rows: after upserts a server counts what they replaced too, until it compacts.
        yield _check(f"index of {state.field}", expected, str(state), state.whole and state.total >= rows)
    if proof.config.indexed_metadata:
        lacking = unindexed_metadata(proof.client, proof.name, proof.config)
        yield _check("indexes of metadata", "all", f"none of {', '.join(lacking)}" if lacking else "all", not lacking)


def _load_check(proof: _Proof) -> Check:
    state = load_state(proof.client, proof.name)
    return _check("load state", "Loaded", state, state == "Loaded")


def _vector_space_check(proof: _Proof, embed_model: str) -> Check:
    notes = collection.properties(proof.client, proof.name)
    keys = (collection.EMBED_MODEL, collection.DIM, collection.METRIC)
    expected = f"{embed_model}, {proof.dim}-d, {proof.config.index.metric}"
    model, dim, metric = (notes.get(key, "?") for key in keys)
    actual = f"{model}, {dim}-d, {metric}"
    return _check("vector space", expected, actual, actual == expected)


def _content_checks(proof: _Proof) -> list[Check]:
    """Sampled rows, asked for by key: there once, and equal to Parquet field by field."""
    vectors = vector_fields(proof.config)
    expected = milvus_rows(proof.sample, collection.layout(proof.client, proof.name))
    found = _query(proof, proof.ids)
    pairs = [(row, found[row[ID]][0]) for row in expected if row[ID] in found]
    once = sum(len(found.get(row[ID], [])) == 1 for row in expected)
    same_texts = sum(_texts(row, vectors) == _texts(other, vectors) for row, other in pairs)
    same_vectors = sum(all(_equal(row[field], other[field]) for field in vectors) for row, other in pairs)
    return [
        _check(f"sampled {what}", len(expected), number, number == len(expected))
        for what, number in (
            ("keys found once", once),
            ("texts and metadata", same_texts),
            ("vectors", same_vectors),
        )
    ]


def _partition_checks(proof: _Proof) -> Iterator[Check]:
    """Sampled rows are found by their partition key: asked for by it, Milvus looks in one partition only."""
    field = proof.config.partition_key
    if field is None:
        return
    rows = milvus_rows(proof.sample, collection.layout(proof.client, proof.name))
    ids: dict[Any, list[str]] = {}
    for row in rows:
        ids.setdefault(row[field], []).append(row[ID])
    number = sum(len(_query(proof, some, f"{field} == {literal(value)}")) for value, some in ids.items())
    yield _check(f"sampled rows found by {field}", len(rows), number, number == len(rows))


def _self_retrieval_checks(proof: _Proof, min_recall: float) -> Iterator[Check]:
    """Sampled rows find themselves or an identical vector; whether content is right has its own check."""
    for field in vector_fields(proof.config):
        queries = vector_matrix(proof.sample, field, proof.dim)
        found = _found(proof, field, queries, thorough=True)
        missed = [row for row, key in enumerate(proof.ids) if key not in found[row]]
        nearest = _query(proof, [found[row][0] for row in missed if found[row]])
        twins = 0
        for row in missed:
            hits = nearest.get(found[row][0], []) if found[row] else []
            others = np.asarray([hit[field] for hit in hits] + [queries[row]], dtype=np.float32)
            scores = exact_scores(queries[row : row + 1], others, proof.config.index.metric)[0]
            twins += len(hits) > 0 and bool(scores[0] >= scores[-1] - SELF_TIE)
        least = int(np.ceil(min_recall * len(queries)))
        number = len(queries) - len(missed) + twins
        yield _check(f"self-retrieval in {field}", f">= {least} of {len(queries)}", number, number >= least)


def _recall_checks(proof: _Proof, lake: LakeReader, min_recall: float) -> Iterator[Check]:
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
        yield _check(f"recall@{K}, {probe.label}", f">= {min_recall:g}", round(recall, 4), recall >= min_recall)


def _found(proof: _Proof, field: str, queries: Any, *, thorough: bool = False) -> list[list[str]]:
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


def _query(proof: _Proof, ids: Sequence[str], where: str = "") -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    keys = list(dict.fromkeys(ids))
    for start in range(0, len(keys), QUERY_IDS):
        with milvus_errors(f"reading rows of {proof.name}"):
            rows = proof.client.query(
                proof.name,
                filter=" and ".join(filter(None, (where, ids_in(keys[start : start + QUERY_IDS])))),
                output_fields=["*", *vector_fields(proof.config)],
                consistency_level="Strong",
                timeout=proof.config.timeout_s,
            )
        for row in rows:
            found.setdefault(row[ID], []).append(row)
    return found


def _texts(row: Row, vectors: Sequence[str]) -> Row:
    texts = {name: value for name, value in row.items() if name not in vectors}
    return {**texts, KEYWORDS: list(texts.get(KEYWORDS) or [])}


def _equal(vector: Any, other: Any) -> bool:
    return np.array_equal(np.asarray(vector, dtype=np.float32), np.asarray(other, dtype=np.float32))
