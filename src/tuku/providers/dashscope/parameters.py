"""The parameters of DashScope's models that may be sent along.

By the vendor's pages "Qwen API reference" (section DashScope, ``parameters``) and "Multimodal-Embedding API". Left out
is what changes how many answers there are or how they look (n, stream, incremental_output, result_format, output_type,
enable_fusion), what is billed beside tokens (enable_search), and what is for sound or video. The SDK takes its own
options by the same way: see `call` in its ``aigc/multimodal_conversation.py`` and in its
``embeddings/multimodal_embedding.py``, and `_build_api_request` in ``api_entities/api_request_factory.py``.
"""

from __future__ import annotations

CAPTION_PARAMETERS = frozenset(
    {
        "enable_thinking",
        "frequency_penalty",
        "presence_penalty",
        "repetition_penalty",
        "seed",
        "stop",
        "temperature",
        "thinking_budget",
        "top_k",
        "top_p",
        "vl_high_resolution_images",
    }
)
EMBED_PARAMETERS = frozenset({"auto_truncation", "instruct", "res_level"})
RERANK_PARAMETERS = frozenset({"instruct"})

CAPTION_KEYS = {
    "max_tokens": "caption.max_tokens",
    "model": "caption.model",
    "base_address": "caption.base_url",
    "request_timeout": "retry.request_timeout_s",
}
EMBED_KEYS = {
    "dimension": "embed.dim",
    "model": "embed.model",
    "base_address": "embed.base_url",
    "request_timeout": "retry.request_timeout_s",
}
RERANK_KEYS = {
    "max_tokens": "rerank.max_tokens",
    "model": "rerank.model",
    "base_address": "rerank.base_url",
    "request_timeout": "retry.request_timeout_s",
    "top_n": "rerank.candidates",
}
"""What has a key of its own."""
