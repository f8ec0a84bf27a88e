"""Relevance by DashScope's multimodal reranker."""

from __future__ import annotations

import concurrent.futures
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tuku.config import RerankConfig
from tuku.errors import RowError, StoppedError
from tuku.protocols import ModelDescription, Picture, PictureSize, Usage
from tuku.providers.api.caller import Answer, Caller
from tuku.providers.api.loop import service_loop, wait_all
from tuku.providers.api.meter import Tokens
from tuku.providers.api.picture import encode_picture
from tuku.providers.api.prompts import cut_to_tokens, text_tokens
from tuku.providers.api.ranker import overdue
from tuku.providers.dashscope.client import DashScopeClient
from tuku.providers.dashscope.models import RERANKERS, find_model
from tuku.providers.dashscope.text_guard import guarded
from tuku.providers.factory import Access
from tuku.terms import Terms


@dataclass(frozen=True)
class _Part:
    """A query or a document as it is sent, with a guess of its tokens."""

    content: dict[str, str]
    tokens: int

    @property
    def is_picture(self) -> bool:
        return "image" in self.content


class DashScopeReranker:
    """Implements `tuku.protocols_ranking.Reranker`.

    Args:
        description: of the model, with its terms.
        config: what is sent along.
        access: to the service.
        key: of the account.
        base_url: of the service; None: the SDK's own.
    """

    def __init__(
        self, description: ModelDescription, config: RerankConfig, access: Access, key: str, base_url: str | None
    ) -> None:
        self._description = description
        self._model = find_model("rerank.model", description.model, RERANKERS)
        self._terms = description.terms or Terms()
        self._size = description.picture_size or PictureSize()
        self._parameters: dict[str, Any] = {**config.parameters, "return_documents": False}
        self._client = DashScopeClient(description.model, key, base_url, access.retry.request_timeout_s)
        self._caller = Caller(description, access)

    @property
    def description(self) -> ModelDescription:
        """The model, as it was configured."""
        return self._description

    def rerank(
        self, query: str | Picture, documents: Sequence[str | Picture], timeout_s: float | None = None
    ) -> list[float | RowError]:
        """One relevance in [0, 1] for each document, in order; in as many requests as the model's limits ask for."""
        asked = self._part(query)
        if isinstance(asked, RowError):
            return [asked] * len(documents)
        outcomes: list[float | RowError | None] = [None] * len(documents)
        parts: list[tuple[int, _Part]] = []
        for place, document in enumerate(documents):
            part = self._part(document)
            if isinstance(part, RowError):
                outcomes[place] = part
            else:
                parts.append((place, part))
        chunks = self._chunks(parts)
        futures = [service_loop().submit(self._relevances(asked, [part for _, part in chunk])) for chunk in chunks]
        try:
            answers = wait_all(futures, timeout_s)
        except concurrent.futures.TimeoutError:
            return [overdue(timeout_s or 0.0)] * len(documents)
        for chunk, relevances in zip(chunks, answers, strict=True):
            for (place, _), relevance in zip(chunk, relevances, strict=True):
                outcomes[place] = relevance
        return [outcome for outcome in outcomes if outcome is not None]

    def take_usage(self) -> Usage:
        """What was used since this was last asked."""
        return self._caller.meter.take_usage()

    def _part(self, content: str | Picture) -> _Part | RowError:
        if isinstance(content, str):
            text = guarded(cut_to_tokens(content, self._model.text_tokens))
            return _Part({"text": text}, text_tokens(text))
        encoded = encode_picture(content, self._size, self._model.limits)
        if isinstance(encoded, RowError):
            return encoded
        return _Part({"image": encoded.data_uri}, self._terms.picture_tokens(encoded.width, encoded.height))

    def _chunks(self, parts: Sequence[tuple[int, _Part]]) -> list[list[tuple[int, _Part]]]:
        chunks: list[list[tuple[int, _Part]]] = []
        pictures = 0
        for place, part in parts:
            pictures += part.is_picture
            most_pictures = pictures > self._terms.pictures_per_request
            if not chunks or len(chunks[-1]) == self._terms.items_per_request or most_pictures:
                chunks.append([])
                pictures = int(part.is_picture)
            chunks[-1].append((place, part))
        return chunks

    async def _relevances(self, query: _Part, documents: Sequence[_Part]) -> list[float | RowError]:
        guess = Tokens(query.tokens + sum(document.tokens for document in documents))
        send = partial(self._send, query, documents)
        outcome = await self._caller.ask(guess, send, partial(relevances_by_index, count=len(documents)))
        return [outcome] * len(documents) if isinstance(outcome, RowError) else outcome

    async def _send(
        self, query: _Part, documents: Sequence[_Part]
    ) -> Answer[Mapping[str, Any]] | RowError | StoppedError:
        asked = query.content if query.is_picture else query.content["text"]
        return await self._client.rerank(asked, [document.content for document in documents], self._parameters)


def relevances_by_index(output: Mapping[str, Any], count: int) -> list[float | RowError] | RowError:
    """The relevances of an answer in the order of the request; a fault if one is missing or no number in [0, 1].

    Args:
        output: with ``results``, each with its ``index`` and ``relevance_score``.
        count: documents in the request.
    """
    found: dict[int, float | RowError] = {}
    results = output.get("results")
    for result in results if isinstance(results, list) else []:
        if not isinstance(result, Mapping):
            continue
        index, relevance = result.get("index"), result.get("relevance_score")
        if isinstance(index, int) and isinstance(relevance, int | float) and math.isfinite(relevance):
            found[index] = min(1.0, max(0.0, float(relevance)))
    if len(found) < count or set(found) != set(range(count)):
        return RowError("missing_relevance", "the answer does not say how relevant each document is", retryable=True)
    return [found[index] for index in range(count)]
