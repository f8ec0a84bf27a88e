from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any

import pytest

from tuku.config import CaptionConfig, Config, EmbedConfig, PriceConfig, QuotaConfig, RerankConfig, RetryConfig
from tuku.errors import ConfigError, TukuError
from tuku.protocols import PictureSize
from tuku.providers.dashscope.parameters import CAPTION_PARAMETERS, EMBED_PARAMETERS, RERANK_PARAMETERS
from tuku.providers.dashscope.provider import CAPTIONER, EMBEDDER, RERANKER
from tuku.providers.factory import Access
from tuku.providers.registry import create_captioner, describe_captioner, describe_embedder
from tuku.stages.fingerprints import caption_fingerprint, embedding_fingerprint
from tuku.terms import Charge, ThrottleKind

VARIABLES = ("DASHSCOPE_API_KEY", "DASHSCOPE_HTTP_BASE_URL")


class FreeQuota:
    """Gives leave at once. No request is sent in these tests."""

    halted: TukuError | None = None

    async def acquire(self, charge: Charge) -> None: ...
    def settle(self, charge: Charge, used: Charge) -> None: ...
    def throttled(self, charge: Charge, kind: ThrottleKind, retry_after_s: float | None) -> None: ...
    def halt(self, error: TukuError) -> None: ...


ACCESS = Access(FreeQuota(), RetryConfig())


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def caption(**values: Any) -> CaptionConfig:
    return CaptionConfig(provider="dashscope", **values)


def embed(**values: Any) -> EmbedConfig:
    return EmbedConfig(provider="dashscope", **values)


def rerank(**values: Any) -> RerankConfig:
    return RerankConfig(provider="dashscope", **values)


def test_a_captioner_is_described_without_a_key() -> None:
    description = describe_captioner(caption())
    assert description is not None
    assert description.name == "dashscope/qwen3-vl-flash@stable"
    assert (description.lane, description.dim) == ("api", None)
    assert description.picture_size == PictureSize(long_side_px=448)
    assert description.languages == ("zh", "en")
    assert dict(description.settings)["prompt"].startswith("用一句中文")
    assert "sent" in description.note


def test_a_snapshot_is_another_revision() -> None:
    description = CAPTIONER.describe(caption(model="qwen3-vl-flash-2025-10-15"))
    assert description.name == "dashscope/qwen3-vl-flash-2025-10-15@2025-10-15"


def test_configuration_overrides_the_terms() -> None:
    changed = caption(quota=QuotaConfig(requests_per_min=60), price=PriceConfig(output_per_1k=1.0), concurrency=3)
    usual, ours = CAPTIONER.describe(caption()).terms, describe_captioner(changed)
    assert usual is not None
    assert ours is not None
    assert ours.terms is not None
    assert (ours.terms.requests_per_min, ours.terms.concurrency, ours.terms.price.output_per_1k) == (60, 3, 1.0)
    assert ours.terms.tokens_per_min == usual.tokens_per_min
    assert ours.terms.price.input_per_1k == usual.price.input_per_1k


def test_what_a_request_takes_follows_the_prompt_and_the_longest_answer() -> None:
    usual = CAPTIONER.describe(caption()).terms
    other = CAPTIONER.describe(caption(prompt="说" * 500, max_tokens=20)).terms
    assert usual is not None
    assert other is not None
    assert 80 < usual.prompt_tokens < 130
    assert (other.prompt_tokens > 500, other.answer_tokens) == (True, 20)


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "qwen-vl-plus"},
        {"model": "qwen3-vl-flash-2025-10-15"},
        {"prompt": "Describe it."},
        {"max_tokens": 99},
        {"max_side_px": 768},
        {"parameters": {"temperature": 0.1}},
    ],
)
def test_whatever_changes_the_captions_redoes_them(changed: dict[str, Any]) -> None:
    usual = caption_fingerprint(CAPTIONER.describe(caption()))
    assert caption_fingerprint(CAPTIONER.describe(caption(**changed))) != usual


@pytest.mark.parametrize(
    "unchanged",
    [
        {"model": "qwen3-vl-flash"},
        {"base_url": "http://127.0.0.1:1/api/v1"},
        {"concurrency": 1},
        {"quota": QuotaConfig(requests_per_min=1)},
        {"price": PriceConfig(input_per_1k=1.0)},
    ],
)
def test_address_quota_and_price_redo_nothing(unchanged: dict[str, Any]) -> None:
    usual = caption_fingerprint(describe_captioner(caption()))
    assert caption_fingerprint(describe_captioner(caption(**unchanged))) == usual


def test_an_embedder_makes_the_length_that_is_asked_for() -> None:
    assert EMBEDDER.describe(embed()).dim == 1152
    assert describe_embedder(embed(dim=512)).dim == 512
    assert describe_embedder(embed(model="multimodal-embedding-v1", dim=1024)).dim == 1024
    with pytest.raises(ConfigError, match=r"embed\.dim is 512.*multimodal-embedding-v1.*length 1024\."):
        describe_embedder(embed(model="multimodal-embedding-v1", dim=512))
    usual, other = (embedding_fingerprint(EMBEDDER.describe(embed(dim=dim)), ["image"]) for dim in (None, 512))
    assert usual != other


def test_a_parameter_of_the_embedder_redoes_the_vectors() -> None:
    usual, other = EMBEDDER.describe(embed()), EMBEDDER.describe(embed(parameters={"instruct": "x"}))
    assert embedding_fingerprint(usual, ["image"]) != embedding_fingerprint(other, ["image"])


@pytest.mark.parametrize(
    "name",
    [
        *("stream", "incremental_output", "result_format", "n", "session", "api_key", "base_address", "model"),
        *("messages", "request_timeout", "task", "task_group", "headers", "form", "resources", "is_service"),
        *("api_protocol", "http_method", "input", "function", "user", "user_agent", "workspace", "async_request"),
        *("query", "flattened_output", "extra_url_parameters", "task_id", "enable_encryption", "enable_search"),
        *("max_tokens", "dimension", "output_type", "enable_fusion", "ws_stream_mode", "sdk_module"),
    ],
)
def test_no_parameter_steers_the_sdk(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"caption\.parameters\.{name} "):
        CAPTIONER.describe(caption(parameters={name: "x"}))
    with pytest.raises(ConfigError, match=rf"embed\.parameters\.{name} "):
        EMBEDDER.describe(embed(parameters={name: "x"}))
    with pytest.raises(ConfigError, match=rf"rerank\.parameters\.{name} "):
        RERANKER.describe(rerank(parameters={name: "x"}))
    with pytest.raises(ConfigError, match=rf"rerank\.parameters\.{name} "):
        RERANKER.describe(rerank(model="qwen3-vl-rerank", parameters={name: "x"}))


def test_a_length_among_the_parameters_names_its_key() -> None:
    with pytest.raises(ConfigError, match=r"Set embed\.dim instead"):
        EMBEDDER.describe(embed(parameters={"dimension": 64}))


def test_what_may_be_sent_is_what_the_sdk_takes_for_the_model_or_passes_on() -> None:
    """No allowed name is one of the SDK's own: those of its request builder, which takes them out of the parameters."""
    from dashscope.api_entities.api_request_factory import _build_api_request

    own = set(inspect.signature(_build_api_request).parameters)
    assert own >= {"stream", "base_address", "session"}
    assert not own & (CAPTION_PARAMETERS | EMBED_PARAMETERS | RERANK_PARAMETERS)


@pytest.mark.parametrize("proxy", ["not a proxy", "socks5://127.0.0.1:1080"])
def test_a_proxy_that_is_none_is_found_before_any_work(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-abcDEF123")
    CAPTIONER.require(caption())
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    for factory, config in ((CAPTIONER, caption()), (EMBEDDER, embed())):
        with pytest.raises(ConfigError, match="HTTPS_PROXY"):
            factory.require(config)


def test_a_reranker_is_described_too() -> None:
    description = RERANKER.describe(rerank(model="qwen3-vl-rerank"))
    assert (description.name, description.dim) == ("dashscope/qwen3-vl-rerank@stable", None)
    assert description.picture_size == PictureSize(long_side_px=448)
    with pytest.raises(ConfigError, match=r"rerank\.model is 'gte-rerank'.*qwen3-vl-flash.*qwen3-vl-rerank"):
        RERANKER.describe(rerank(model="gte-rerank"))


def test_a_model_that_looks_and_ranks_is_the_default_and_sees_more_at_once() -> None:
    description = RERANKER.describe(rerank())
    assert description.name == "dashscope/qwen3-vl-flash@stable"
    assert description.picture_size == PictureSize(long_side_px=1536)
    few, many = (RERANKER.describe(rerank(candidates=count)).terms for count in (5, 50))
    assert few is not None
    assert many is not None
    assert (many.answer_tokens, many.prompt_tokens > few.prompt_tokens) == (10 * few.answer_tokens, True)
    assert RERANKER.describe(rerank(parameters={"temperature": 0.1})).settings != description.settings


def test_models_are_made_with_a_key_only() -> None:
    with pytest.raises(ConfigError, match=r"caption\.provider dashscope needs a key.*export DASHSCOPE_API_KEY"):
        create_captioner(caption(), ACCESS)
    with pytest.raises(ConfigError, match=r"embed\.provider dashscope needs a key"):
        EMBEDDER.create(embed(), EMBEDDER.describe(embed()), ACCESS)


def test_the_address_for_another_protocol_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-abcDEF123")
    address = "https://dashscope.example/compatible-mode/v1"
    with pytest.raises(ConfigError, match=r"OpenAI's protocol.*provider openai") as caught:
        create_captioner(caption(base_url=address), ACCESS)
    assert "abcDEF123" not in str(caught.value)


def test_the_key_is_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-abcDEF123")
    captioner = create_captioner(caption(base_url="http://127.0.0.1:1/api/v1"), ACCESS)
    embedder = EMBEDDER.create(embed(), EMBEDDER.describe(embed()), ACCESS)
    config = rerank(model="qwen3-vl-rerank")
    reranker = RERANKER.create(config, RERANKER.describe(config), ACCESS)
    ranker = RERANKER.create(rerank(), RERANKER.describe(rerank()), ACCESS)
    assert captioner is not None
    assert captioner.description.model == "qwen3-vl-flash"
    assert embedder.description.dim == 1152
    assert reranker.description.model == "qwen3-vl-rerank"
    assert "abcDEF123" not in f"{captioner!r} {embedder!r} {reranker!r} {ranker!r} {Config()!r}"


def test_a_description_loads_no_sdk() -> None:
    program = """
import sys
from tuku.config import CaptionConfig, EmbedConfig, RerankConfig
from tuku.providers.dashscope.provider import CAPTIONER, EMBEDDER, RERANKER
import tuku.providers.openai.provider
CAPTIONER.describe(CaptionConfig()), EMBEDDER.describe(EmbedConfig()), RERANKER.describe(RerankConfig())
print({"dashscope", "openai", "httpx", "requests", "aiohttp"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"
