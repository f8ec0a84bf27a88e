"""recall@k of the index against an exact search over the lake, in one streaming pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tuku.milvus.fields import ID, LAKE_COLUMN
from tuku.milvus.rows import vector_matrix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

Matrix = npt.NDArray[np.float32]

K = 10
# Two scores this close are one: float32 sums differ in their last digits with the order of adding.
TIE = 1e-6


@dataclass
class Probe:
    """Queries against one vector field, what the index found, and, after `exact_pass`, what is true.

    Attributes:
        label: such as ``image queries on image_embedding``.
        vectors: the vector field that is searched.
        queries: float32 (n, dim).
        found: for each query the ids that the index returned, at most `K`.
        best: float32 (n, K), the highest exact scores so far, best first; -inf where there are fewer rows.
        scores: for each query the exact scores of what was found.
    """

    label: str
    vectors: str
    queries: Matrix
    found: Sequence[Sequence[str]]
    best: Matrix = field(init=False)
    scores: list[dict[str, float]] = field(init=False)

    def __post_init__(self) -> None:
        self.best = np.full((len(self.queries), K), -np.inf, dtype=np.float32)
        self.scores = [{} for _ in self.queries]

    def see(self, ids: Sequence[str], scores: Matrix) -> None:
        """Takes note of a batch: m ids, and the queries' exact scores for them, float32 (n, m)."""
        merged = np.concatenate([self.best, scores], axis=1)
        self.best = -np.sort(-merged, axis=1)[:, :K]
        position = {key: column for column, key in enumerate(ids)}
        for row, keys in enumerate(self.found):
            self.scores[row].update({key: float(scores[row, position[key]]) for key in keys if key in position})

    def recall(self) -> float:
        """Mean share of the exact first K that the index found; equal scores are equally right."""
        if not len(self.queries):
            return 1.0
        return float(np.mean([self._share(row) for row in range(len(self.queries))]))

    def _share(self, row: int) -> float:
        true = self.best[row][np.isfinite(self.best[row])]
        if not len(true):
            return 1.0
        threshold = float(true[-1]) - TIE * max(1.0, abs(float(true[-1])))
        hits = sum(score >= threshold for score in self.scores[row].values())
        return min(1.0, hits / len(true))


def exact_scores(queries: Matrix, vectors: Matrix, metric: str) -> Matrix:
    """Scores as `search.Hit` has them, higher is better: float32 (n queries, m vectors).

    COSINE and IP as they are; L2 as the negative squared distance.
    """
    if metric == "COSINE":
        queries, vectors = _normalised(queries), _normalised(vectors)
    products: Matrix = queries @ vectors.T
    if metric != "L2":
        return products
    squares = np.sum(queries**2, axis=1)[:, None] + np.sum(vectors**2, axis=1)[None, :]
    distances: Matrix = squares - 2.0 * products
    return -distances


def exact_pass(probes: Sequence[Probe], batches: Iterable[pa.Table], dims: Mapping[str, int], metric: str) -> None:
    """Shows every row of the lake to every probe.

    Args:
        probes: they take note.
        batches: the lake's ids and vectors, each row once. Memory is bounded by the largest one.
        dims: length of the vectors in each field.
        metric: COSINE, IP or L2.
    """
    for batch in batches:
        ids = [str(key) for key in batch.column(LAKE_COLUMN[ID]).to_pylist()]
        matrices = {name: vector_matrix(batch, name, dim) for name, dim in dims.items()}
        for probe in probes:
            probe.see(ids, exact_scores(probe.queries, matrices[probe.vectors], metric))


def _normalised(vectors: Matrix) -> Matrix:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Matrix = vectors / np.where(norms == 0, np.float32(1), norms)
    return unit
