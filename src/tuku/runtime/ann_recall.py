"""What a collection's index misses of what an exact search over the lake finds, filters aside."""

from __future__ import annotations

import numpy as np

from tuku.lake import Lake
from tuku.lake_view import LakeView
from tuku.runtime.retrieving import MilvusRetriever
from tuku.search.evaluate import BOTH, Answered, Evaluation
from tuku.search.quality import K


def look_exactly(evaluation: Evaluation, retriever: MilvusRetriever, lake: Lake) -> None:
    """Give an evaluation its ANN recall, or a note on why it has none.

    Args:
        evaluation: of the collection behind `retriever`.
        retriever: finds what the index finds.
        lake: has the vectors that the collection was filled with, or later ones.

    Raises:
        MilvusError: the collection did not answer.
        StorageError: the lake cannot be read.
    """
    from tuku.milvus.collection import count
    from tuku.milvus.recall import Probe, exact_pass

    view = LakeView.of_one_space(lake) if lake.stamp() is not None else None
    if view is None or view.rows() != count(retriever.client, retriever.config.collection):
        evaluation.notes.append("No ANN recall: the lake does not hold the same rows as the collection.")
        return
    probes = {
        mode: Probe(
            mode,
            _field(mode),
            np.stack([each.vector for each in answered]),
            [_nearest(retriever, each, mode) for each in answered],
        )
        for mode, answered in evaluation.answered.items()
        if mode != BOTH
    }
    dim = len(next(iter(probes.values())).queries[0])
    fields = {probe.vectors for probe in probes.values()}
    batches = view.batches(["image_id", *fields])
    exact_pass(list(probes.values()), batches, dict.fromkeys(fields, dim), retriever.config.index.metric)
    evaluation.ann_recall = {mode: probe.recall() for mode, probe in probes.items()}


def _field(mode: str) -> str:
    """The vectors that are searched in a mode other than `BOTH`."""
    return f"{mode.rpartition('-')[2]}_embedding"


def _nearest(retriever: MilvusRetriever, answered: Answered, mode: str) -> list[str]:
    """The ids that the index finds without the query's filter."""
    if answered.labelled.query.where is None:
        return [result.id for result in answered.results]
    return [result.id for result in retriever.nearest(_field(mode), [answered.vector], K, None)[0]]
