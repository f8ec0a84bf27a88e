"""Exact search and recall, against a plain computation."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tuku.milvus.recall import K, Probe, exact_pass, exact_scores

RNG = np.random.default_rng(7)


def lake(vectors: np.ndarray) -> pa.Table:
    ids = [f"i{n}" for n in range(len(vectors))]
    return pa.table({"image_id": ids, "image_embedding": pa.array(list(vectors), pa.list_(pa.float32()))})


def batches(table: pa.Table, rows: int = 37) -> list[pa.Table]:
    return [table.slice(start, rows) for start in range(0, len(table), rows)]


def recall_of(vectors: np.ndarray, queries: np.ndarray, found: list[list[str]], metric: str) -> float:
    probe = Probe("queries", "image_embedding", queries, found)
    exact_pass([probe], batches(lake(vectors)), {"image_embedding": vectors.shape[1]}, metric)
    return probe.recall()


@pytest.mark.parametrize("metric", ["COSINE", "IP", "L2"])
def test_the_true_neighbours_have_recall_one_and_the_farthest_zero(metric: str) -> None:
    vectors = RNG.normal(size=(200, 8)).astype(np.float32)
    queries = RNG.normal(size=(5, 8)).astype(np.float32)
    order = np.argsort(-exact_scores(queries, vectors, metric), axis=1)
    nearest = [[f"i{n}" for n in row[:K]] for row in order]
    assert recall_of(vectors, queries, nearest, metric) == 1.0
    assert recall_of(vectors, queries, [[f"i{n}" for n in row[-K:]] for row in order], metric) == 0.0
    half = [[*row[:5], *[f"i{n}" for n in other[-5:]]] for row, other in zip(nearest, order, strict=True)]
    assert recall_of(vectors, queries, half, metric) == 0.5


def test_scores_are_those_of_the_metric() -> None:
    query, vector = np.array([[3.0, 4.0]], np.float32), np.array([[0.0, 2.0]], np.float32)
    assert exact_scores(query, vector, "COSINE")[0, 0] == pytest.approx(0.8)
    assert exact_scores(query, vector, "IP")[0, 0] == pytest.approx(8.0)
    assert exact_scores(query, vector, "L2")[0, 0] == pytest.approx(-13.0)


def test_equal_scores_are_equally_right() -> None:
    vectors = np.repeat(np.eye(2, dtype=np.float32), 30, axis=0)  # thirty twins of each of two vectors
    other_twins = [[f"i{n}" for n in range(20, 30)]]
    assert recall_of(vectors, vectors[:1], other_twins, "COSINE") == 1.0


def test_fewer_rows_than_k() -> None:
    vectors = RNG.normal(size=(3, 4)).astype(np.float32)
    assert recall_of(vectors, vectors[:1], [["i0", "i1", "i2"]], "COSINE") == 1.0
    assert recall_of(vectors, vectors[:1], [["i0"]], "COSINE") == pytest.approx(1 / 3)


def test_an_id_that_the_lake_does_not_have_is_no_hit() -> None:
    vectors = RNG.normal(size=(3, 4)).astype(np.float32)
    assert recall_of(vectors, vectors[:1], [["i0", "ghost", "i1"]], "COSINE") == pytest.approx(2 / 3)


def test_no_rows_and_no_queries() -> None:
    assert recall_of(np.empty((0, 4), np.float32), np.empty((0, 4), np.float32), [], "COSINE") == 1.0
