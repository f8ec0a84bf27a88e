"""The addresses that are served: to add one is one more entry here."""

from __future__ import annotations

from typing import Any

from fakes.dashscope.answer import Endpoint
from fakes.dashscope.answer_caption import answer_compatible, answer_native
from fakes.dashscope.answer_embedding import answer_embedding
from fakes.dashscope.answer_pooled import answer_pooled
from fakes.dashscope.answer_rerank import answer_rerank
from fakes.dashscope.errors import compatible_body, native_body, vllm_body
from fakes.dashscope.luck import CAPTION_FAULTS, EMBEDDING_FAULTS, TRANSPORT_FAULTS
from fakes.dashscope.read_caption import read_compatible, read_native
from fakes.dashscope.read_embedding import read_embedding
from fakes.dashscope.read_pooled import read_pooled
from fakes.dashscope.read_rerank import read_rerank

NATIVE_ROOT = "/api/v1"
COMPATIBLE_ROOT = "/compatible-mode/v1"
_SERVICES = f"{NATIVE_ROOT}/services"

ENDPOINTS: tuple[Endpoint[Any], ...] = (
    Endpoint(
        "caption",
        f"{_SERVICES}/aigc/multimodal-generation/generation",
        read_native,
        answer_native,
        native_body,
        TRANSPORT_FAULTS + CAPTION_FAULTS,
    ),
    Endpoint(
        "chat",
        f"{COMPATIBLE_ROOT}/chat/completions",
        read_compatible,
        answer_compatible,
        compatible_body,
        TRANSPORT_FAULTS + CAPTION_FAULTS,
    ),
    Endpoint(
        "embedding",
        f"{_SERVICES}/embeddings/multimodal-embedding/multimodal-embedding",
        read_embedding,
        answer_embedding,
        native_body,
        TRANSPORT_FAULTS + EMBEDDING_FAULTS,
    ),
    Endpoint(
        "pooled",
        f"{COMPATIBLE_ROOT}/embeddings",
        read_pooled,
        answer_pooled,
        vllm_body,
        TRANSPORT_FAULTS + EMBEDDING_FAULTS,
    ),
    Endpoint(
        "rerank",
        f"{_SERVICES}/rerank/text-rerank/text-rerank",
        read_rerank,
        answer_rerank,
        native_body,
        TRANSPORT_FAULTS,
    ),
)
