"""The parameters of an endpoint's models: which are not sent along with a question, and which shape a vector."""

from __future__ import annotations

from collections.abc import Mapping

from tuku.providers.api.instruction import INSTRUCTION_PARAMETERS

# Of the chat endpoint's fields (the signature of `create` in the SDK's resources/chat/completions, and vLLM's "extra
# parameters") those that say what is asked, how many answers there are and what they look like, or who asks.
REFUSED_PARAMETERS = frozenset(
    {
        *("messages", "audio", "modalities", "functions", "function_call", "tools", "tool_choice"),
        *("parallel_tool_calls", "web_search_options", "n", "best_of", "stream", "stream_options", "echo"),
        *("logprobs", "top_logprobs", "prompt_logprobs", "response_format", "return_token_ids"),
        *("add_generation_prompt", "continue_final_message", "chat_template", "store", "background", "metadata"),
        *("user", "safety_identifier", "headers", "extra_headers", "extra_query", "extra_body", "http_client"),
        *("max_retries", "organization", "project", "input", "prompt", "session", "request_id"),
    }
)

EMBED_PARAMETERS = INSTRUCTION_PARAMETERS | {"dimensions", "padding"}


def own_keys(section: str) -> Mapping[str, str]:
    """By the name of a parameter, the configuration's key that says the same.

    Args:
        section: ``caption``, ``embed`` or ``rerank``.
    """
    keys = {
        "model": f"{section}.model",
        "base_url": f"{section}.base_url",
        "timeout": "retry.request_timeout_s",
    }
    if section == "embed":
        return {**keys, "dim": "embed.dim", "dimension": "embed.dim"}
    return {**keys, "max_tokens": f"{section}.max_tokens"}
