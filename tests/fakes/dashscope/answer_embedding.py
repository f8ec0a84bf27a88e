"""Vectors, good and bad."""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Callable

from fakes.dashscope.answer import Answer, Job
from fakes.dashscope.asked import EmbedAsked
from fakes.dashscope.usage import embedding_usage, shape_for
from tuku.protocols import Vector

# Real vectors have no zeros: what follows the telling dimensions is as long to send and to read as they are, but
# weighs nothing.
_FILLING = "1.2345678901234e-06"


def answer_embedding(asked: EmbedAsked, job: Job) -> Answer:
    """``output.embeddings``; written by hand, since `json.dumps` takes a millisecond for a thousand numbers."""
    vectors = [written(job.mind.vector(item.parts), asked.dim) for item in asked.items]
    damaged: frozenset[int] = frozenset()
    if job.fault in ("missing", "bad_vector"):
        damaged = frozenset({job.dice.randrange(len(vectors))})
    order = [index for index in range(len(vectors)) if job.fault != "missing" or index not in damaged]
    if job.fault == "shuffled":
        order = order[1:] + order[:1]  # the surest way to be out of order
    if job.fault == "bad_vector":
        vectors = [spoilt(vector, job.dice) if index in damaged else vector for index, vector in enumerate(vectors)]
    kinds = [item.kind for item in asked.items]
    embeddings = ",".join(
        f'{{"index":{index},"embedding":[{vectors[index]}],"type":"{kinds[index]}"}}' for index in order
    )
    usage = embedding_usage(asked, shape_for(job.settings.usage_shape, job.dice))
    told = "" if usage is None else f'"usage":{json.dumps(usage)},'
    body = f'{{"output":{{"embeddings":[{embeddings}]}},{told}"request_id":"{job.request_id}"}}'
    return Answer(body.encode(), 0, damaged)


def written(vector: Vector, dim: int) -> str:
    """The vector in JSON without its brackets, cut or filled to its length."""
    told = ",".join(map(repr, vector[:dim].tolist()))
    return told + _filling(dim - len(vector))


def spoilt(vector: str, dice: random.Random) -> str:
    """A written vector that is zero, not finite, or too short."""
    return dice.choice(_SPOILT)(vector)


@functools.lru_cache(maxsize=64)
def _filling(count: int) -> str:
    return f",{_FILLING}" * max(0, count)


def _zero(vector: str) -> str:
    return ",".join(["0.0"] * (vector.count(",") + 1))


def _not_a_number(vector: str) -> str:
    return "NaN," + vector.partition(",")[2]


def _null(vector: str) -> str:
    return "null," + vector.partition(",")[2]


def _too_short(vector: str) -> str:
    return vector.rpartition(",")[0]


_SPOILT: tuple[Callable[[str], str], ...] = (_zero, _not_a_number, _null, _too_short)
