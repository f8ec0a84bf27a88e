"""Relevances: how near a document lies to the query."""

from __future__ import annotations

import json
from typing import Any

from fakes.dashscope.answer import Answer, Job
from fakes.dashscope.asked import Item, RerankAsked


def answer_rerank(asked: RerankAsked, job: Job) -> Answer:
    """``output.results``, the most relevant first, each with a score in [0, 1]."""
    query, *documents = asked.items
    towards = job.mind.vector(query.parts)
    scores = [(1 + float(job.mind.vector(document.parts) @ towards)) / 2 for document in documents]
    best = sorted(range(len(documents)), key=lambda index: -scores[index])[: asked.top_n]
    results = [_result(index, scores[index], documents[index], told=asked.return_documents) for index in best]
    usage = {"total_tokens": asked.input_tokens}
    body = {"output": {"results": results}, "usage": usage, "request_id": job.request_id}
    return Answer(json.dumps(body, ensure_ascii=False).encode())


def _result(index: int, score: float, document: Item, *, told: bool) -> dict[str, Any]:
    result: dict[str, Any] = {"index": index, "relevance_score": score}
    if told and document.kind == "text":
        result["document"] = {"text": document.parts[0]}
    return result
