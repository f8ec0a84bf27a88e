"""Models at any endpoint that speaks OpenAI's chat protocol: one's own vLLM, or a service. Imports no SDK."""

from __future__ import annotations

import json
import os
from functools import partial

from tuku.config import CaptionConfig, RerankConfig
from tuku.errors import ConfigError
from tuku.protocols import Captioner, ModelDescription, PictureSize
from tuku.protocols_ranking import VisionRanker
from tuku.providers.api.environment import key_from_environment, required_access, service_address
from tuku.providers.api.parameters import refuse
from tuku.providers.api.prompts import instructions
from tuku.providers.api.proxy import proxy_for
from tuku.providers.api.ranking_prompt import SIDE_PX, ranking_terms
from tuku.providers.factory import Access, Factory
from tuku.terms import Terms

NAME = "openai"
KEY_VARIABLE = "OPENAI_API_KEY"
ADDRESS_VARIABLE = "OPENAI_BASE_URL"  # the SDK's own
DEFAULT_SIDE_PX = 768

# Nothing is known of a model by its name: no limit and no price unless the configuration says. Tokens of a picture are
# estimated as Qwen3-VL counts them, and corrected by what the server says it used.
UNKNOWN_TERMS = Terms(patch_px=32, answer_tokens=80)


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


def describe_captioner(config: CaptionConfig) -> ModelDescription:
    """The configured model, whatever its name.

    Raises:
        ConfigError: there is no name, or a parameter that is not sent along.
    """
    model = _model("caption", config)
    asked = instructions(config, model)
    answer_tokens = min(UNKNOWN_TERMS.answer_tokens, config.max_tokens or UNKNOWN_TERMS.answer_tokens)
    terms = Terms(patch_px=UNKNOWN_TERMS.patch_px, prompt_tokens=asked.tokens, answer_tokens=answer_tokens)
    return _description(model, config.max_side_px or DEFAULT_SIDE_PX, asked.settings, terms)


def describe_reranker(config: RerankConfig) -> ModelDescription:
    """The configured model, whatever its name, as one that looks at all candidates at once.

    Raises:
        ConfigError: as for `describe_captioner`.
    """
    model = _model("rerank", config)
    terms = ranking_terms(UNKNOWN_TERMS, config.candidates)
    settings = (("parameters", json.dumps(config.parameters, sort_keys=True, ensure_ascii=False)),)
    return _description(model, config.max_side_px or SIDE_PX, settings, terms)


def _model(section: str, config: CaptionConfig | RerankConfig) -> str:
    own = {
        "model": f"{section}.model",
        "max_tokens": f"{section}.max_tokens",
        "base_url": f"{section}.base_url",
        "timeout": "retry.request_timeout_s",
    }
    refuse(section, config.parameters, REFUSED_PARAMETERS, own)
    if config.model is None:
        raise ConfigError(
            f"{section}.model is not set, and provider openai has no default.",
            "Set it to the name under which the endpoint serves its model, such as Qwen/Qwen3-VL-8B-Instruct.",
        )
    return config.model


def _description(model: str, side_px: int, settings: tuple[tuple[str, str], ...], terms: Terms) -> ModelDescription:
    return ModelDescription(
        provider=NAME,
        model=model,
        revision="served",
        picture_size=PictureSize(long_side_px=side_px),
        lane="api",
        settings=settings,
        terms=terms,
        licence="NOASSERTION",
        note="Whatever the endpoint serves under this name: pictures are sent there.",
    )


def _create_captioner(config: CaptionConfig, description: ModelDescription, access: Access | None) -> Captioner:
    key, address = _key_and_address("caption", config)

    from tuku.providers.openai.captioner import OpenAICaptioner

    return OpenAICaptioner(description, config, required_access(access), key, address)


def _create_reranker(config: RerankConfig, description: ModelDescription, access: Access | None) -> VisionRanker:
    key, address = _key_and_address("rerank", config)

    from tuku.providers.openai.ranker import OpenAIRanker

    return OpenAIRanker(description, config, required_access(access), key, address)


def _key_and_address(section: str, config: CaptionConfig | RerankConfig) -> tuple[str, str]:
    address = service_address(f"{section}.base_url", config.base_url, ADDRESS_VARIABLE, os.environ)
    if address is None:
        raise ConfigError(
            f"{section}.base_url is not set, nor is {ADDRESS_VARIABLE}.",
            "Set it to the endpoint's address, such as http://localhost:8000/v1.",
        )
    proxy_for(address)  # one that is none is found here, not by every worker
    advice = "An endpoint of one's own that asks for no key takes any text."
    return key_from_environment(KEY_VARIABLE, f"{section}.provider {NAME}", os.environ, advice=advice), address


CAPTIONER = Factory(
    describe_captioner, _create_captioner, ("openai",), NAME, partial(_key_and_address, "caption"), ADDRESS_VARIABLE
)
RERANKER = Factory(
    describe_reranker, _create_reranker, ("openai",), NAME, partial(_key_and_address, "rerank"), ADDRESS_VARIABLE
)
