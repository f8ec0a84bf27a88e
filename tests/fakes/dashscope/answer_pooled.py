"""One vector, good or bad, in vLLM's shape."""

from __future__ import annotations

import json

from fakes.dashscope.answer import Answer, Job
from fakes.dashscope.answer_embedding import spoilt, written
from fakes.dashscope.asked import EmbedAsked
from fakes.dashscope.usage import compatible_usage, shape_for

_ONLY_ITEM = frozenset({0})


def answer_pooled(asked: EmbedAsked, job: Job) -> Answer:
    """``data``, with one entry. What the model was told counts as tokens and has no say in the vector."""
    vector = written(job.mind.vector(asked.items[0].parts), asked.dim)
    if job.fault == "bad_vector":
        vector = spoilt(vector, job.dice)
    data = "" if job.fault == "missing" else f'{{"index":0,"object":"embedding","embedding":[{vector}]}}'
    usage = compatible_usage(asked, 0, shape_for(job.settings.usage_shape, job.dice))
    told = "" if usage is None else f',"usage":{json.dumps(usage)}'
    head = json.dumps({"id": f"embd-{job.request_id}", "object": "list", "created": 1_760_000_000})[:-1]
    body = f'{head},"model":{json.dumps(asked.model.name)},"data":[{data}]{told}}}'
    return Answer(body.encode(), 0, _ONLY_ITEM if job.fault in ("missing", "bad_vector") else frozenset())
