"""Sampled rows of a collection, asked for by key, against the lake's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuku.milvus import collection
from tuku.milvus.calls import milvus_errors
from tuku.milvus.fields import ID, KEYWORDS, LAKE_COLUMN, vector_fields
from tuku.milvus.filters import ids_in, literal
from tuku.milvus.rows import milvus_rows
from tuku.report import Check

if TYPE_CHECKING:
    import pyarrow as pa
    from pymilvus import MilvusClient

    from tuku.config import MilvusConfig

Row = dict[str, Any]

# A query answers with both vectors of each row: small enough for one gRPC message.
QUERY_IDS = 100


@dataclass(frozen=True)
class Proof:
    """What all checks look at.

    Attributes:
        client: an open client.
        name: of the collection, or an alias.
        config: its fields and its index.
        dim: length of the vectors.
        sample: rows of the lake, in `schemas.IMAGES`.
    """

    client: MilvusClient
    name: str
    config: MilvusConfig
    dim: int
    sample: pa.Table

    @property
    def ids(self) -> list[str]:
        """Of the sampled rows."""
        return [str(key) for key in self.sample.column(LAKE_COLUMN[ID]).to_pylist()]


def check(name: str, expected: Any, actual: Any, passed: bool) -> Check:
    """One line of the proof."""
    return Check(name=name, expected=expected, actual=actual, passed=passed)


def content_checks(proof: Proof) -> list[Check]:
    """Sampled rows, asked for by key: there once, and equal to Parquet field by field."""
    vectors = vector_fields(proof.config)
    expected = milvus_rows(proof.sample, collection.layout(proof.client, proof.name))
    found = find_rows(proof, proof.ids)
    pairs = [(row, found[row[ID]][0]) for row in expected if row[ID] in found]
    once = sum(len(found.get(row[ID], [])) == 1 for row in expected)
    same_texts = sum(_texts(row, vectors) == _texts(other, vectors) for row, other in pairs)
    same_vectors = sum(all(_equal(row[field], other[field]) for field in vectors) for row, other in pairs)
    return [
        check(f"sampled {what}", len(expected), number, number == len(expected))
        for what, number in (
            ("keys found once", once),
            ("texts and metadata", same_texts),
            ("vectors", same_vectors),
        )
    ]


def partition_checks(proof: Proof) -> Iterator[Check]:
    """Sampled rows are found by their partition key: asked for by it, Milvus looks in one partition only."""
    field = proof.config.partition_key
    if field is None:
        return
    rows = milvus_rows(proof.sample, collection.layout(proof.client, proof.name))
    ids: dict[Any, list[str]] = {}
    for row in rows:
        ids.setdefault(row[field], []).append(row[ID])
    number = sum(len(find_rows(proof, some, f"{field} == {literal(value)}")) for value, some in ids.items())
    yield check(f"sampled rows found by {field}", len(rows), number, number == len(rows))


def find_rows(proof: Proof, ids: Sequence[str], where: str = "") -> dict[str, list[Row]]:
    """Rows of the collection by key, strongly consistent; `where`: only those for which that filter holds, too."""
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
