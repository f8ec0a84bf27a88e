"""One model's checkup against the local DashScope: what is wrong is said, and nothing is asked for twice."""

from __future__ import annotations

import pytest

from fakes.dashscope import DashScopeServer, Fatal, Faults, Limits, Settings
from tuku.config import CaptionConfig, Config, EmbedConfig, QuotaConfig, QuotaShareConfig, RerankConfig, RetryConfig
from tuku.runtime.doctor_models import ModelCheckup
from tuku.runtime.findings import Diagnosis, Finding, Skipped, find

CAPTION, EMBED, RERANK = "qwen3-vl-flash", "tongyi-embedding-vision-plus", "qwen3-vl-rerank"
MODELS = {"caption": CAPTION, "embed": EMBED, "rerank": RERANK}


@pytest.fixture(scope="module")
def running():
    with DashScopeServer() as server:
        yield server


@pytest.fixture
def server(running, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    running.configure(**Settings().model_dump(mode="json"))
    running.reset()
    return running


def configured(address: str | None = None) -> Config:
    return Config(
        caption=CaptionConfig(provider="dashscope", base_url=address),
        embed=EmbedConfig(provider="dashscope", base_url=address),
        rerank=RerankConfig(provider="dashscope", base_url=address, model=RERANK),
        retry=RetryConfig(request_timeout_s=1.0),
    )


def called(stage: str, config: Config | None = None) -> Finding:
    checkup = ModelCheckup(stage, config or configured())
    checkup.describe()
    checkup.open()
    return find("call", checkup.call)


def requests(server) -> dict[str, int]:
    return {name: page["requests"] for name, page in server.counters()["models"].items() if page["requests"]}


@pytest.mark.parametrize("stage", MODELS)
def test_a_healthy_model_is_called_once(server, stage: str):
    found = called(stage)
    assert (found.status, found.remedy) == ("ok", "")
    assert found.detail.startswith("it answered in ")
    assert "token" in found.detail
    assert requests(server) == {MODELS[stage]: 1}


def test_a_model_that_ranks_by_looking_is_shown_a_picture(server):
    config = configured().model_copy(update={"rerank": RerankConfig(provider="dashscope", model=CAPTION)})
    found = called("rerank", config)
    assert (found.status, found.remedy) == ("ok", "")
    assert requests(server) == {CAPTION: 1}


def test_the_model_and_its_quota_are_named():
    found = ModelCheckup("caption", configured()).describe()
    assert found == f"dashscope/{CAPTION}@stable, quota 1,200 requests a minute and 1,000,000 tokens a minute"


@pytest.mark.parametrize(
    ("code", "detail", "remedy"),
    [
        ("InvalidApiKey", "does not accept the key", "DASHSCOPE_API_KEY"),
        ("Arrearage", "overdue payments", "bills"),
        ("Model.AccessDenied", "may not use this model", "access to the model"),
        ("ModelNotFound", "no such model", "model's name"),
        ("AllocationQuota.FreeTierOnly", "free quota", "console"),
    ],
)
@pytest.mark.parametrize("stage", MODELS)
def test_a_refusal_has_a_cause_and_a_remedy(server, stage: str, code: str, detail: str, remedy: str):
    server.configure(fatal=Fatal(code=code))
    found = called(stage)
    assert found.status == "failed"
    assert detail in found.detail
    assert remedy in found.remedy
    assert requests(server) == {MODELS[stage]: 1}


def test_a_wrong_key_is_not_shown(server, monkeypatch):
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-0123456789abcdef")
    found = called("caption")
    assert "does not accept the key" in found.detail
    assert "0123456789abcdef" not in found.detail + found.remedy


@pytest.mark.parametrize("stage", MODELS)
def test_a_key_that_is_not_there(stage: str, monkeypatch):
    monkeypatch.delenv("DASHSCOPE_API_KEY", raising=False)
    checkup = ModelCheckup(stage, configured())
    checkup.describe()
    found = find("key", checkup.open)
    assert (found.status, found.remedy) == ("failed", "export DASHSCOPE_API_KEY=…")


@pytest.mark.parametrize(
    ("fault", "code", "remedy"),
    [
        ("internal_error", "server_error", "try again later"),
        ("unavailable_html", "service_unavailable", "try again later"),
        ("truncated_json", "bad_answer", "check DASHSCOPE_HTTP_BASE_URL"),
        ("reset_before", "connection_reset", "Check DASHSCOPE_HTTP_BASE_URL"),
        ("hang", "timeout", "retry.request_timeout_s"),
    ],
)
def test_trouble_on_the_way_is_told_apart_and_not_tried_again(server, fault: str, code: str, remedy: str):
    server.configure(faults=Faults(**{fault: 1.0}))
    found = called("caption")
    assert found.status == "failed"
    assert found.detail.startswith(f"{code}: ")
    assert remedy in found.remedy
    assert requests(server) == {CAPTION: 1}


def test_a_quota_that_is_used_up_is_not_waited_for(server):
    server.configure(limits=Limits(requests_per_min=1, burst_s=0.01, retry_after_s=30))
    called("embed")
    found = called("embed")
    assert found.detail.startswith("throttled: ")
    assert "The key works" in found.remedy
    assert requests(server) == {EMBED: 2}


@pytest.mark.parametrize(
    ("address", "detail", "remedy"),
    [
        ("http://127.0.0.1:9/api/v1", "connection_failed", "embed.base_url"),
        ("http://no-such-host.invalid/api/v1", "dns_failed", "name service"),
        ("https://{server}", "tls_failed", "CA certificates"),
        ("http://{server}/elsewhere", "no such address", "base_url"),
    ],
)
def test_a_wrong_address(server, address: str, detail: str, remedy: str):
    host = server.base_url.split("/")[2]
    found = called("embed", configured(address.format(server=host)))
    assert found.status == "failed"
    assert detail in found.detail
    assert remedy in found.remedy


def test_a_quota_smaller_than_one_request_is_wrong():
    config = Config(caption=CaptionConfig(provider="dashscope", quota=QuotaConfig(tokens_per_min=300)))
    found = find("model", ModelCheckup("caption", config).describe)
    assert found.status == "failed"
    assert "caption.quota.tokens_per_min is 300" in found.detail
    assert "at least" in found.remedy


@pytest.mark.parametrize(
    ("quota", "share", "keys"),
    [
        (QuotaConfig(), 1e-9, "embed.quota and quota.share (1e-09)"),
        (QuotaConfig(requests_per_min=10), 0.05, "embed.quota and quota.share (0.05)"),
    ],
)
def test_a_quota_that_hardly_lets_anything_through_is_doubtful(quota: QuotaConfig, share: float, keys: str):
    config = Config(embed=EmbedConfig(provider="dashscope", quota=quota), quota=QuotaShareConfig(share=share))
    found = find("model", ModelCheckup("embed", config).describe)
    assert found.status == "warning"
    assert f"{keys} let one request through in " in found.detail
    assert found.remedy
    assert Diagnosis((found,)).ok


def test_a_model_that_runs_here_needs_no_key_and_answers():
    checkup = ModelCheckup("embed", Config())
    assert str(checkup.describe()).endswith(", runs here")
    assert isinstance(checkup.open(), Skipped)
    assert find("call", checkup.call).status == "ok"


@pytest.mark.parametrize("stage", ["caption", "rerank"])
def test_a_model_that_is_not_wanted_is_not_called_for(stage: str):
    checkup = ModelCheckup(stage, Config(caption=CaptionConfig(provider="none")))
    assert all(isinstance(check(), Skipped) for check in (checkup.describe, checkup.open, checkup.call))


@pytest.mark.parametrize(
    ("changed", "status", "detail", "remedy"),
    [
        ({}, "ok", "it answered in ", ""),
        ({"dim": 1024}, "failed", "2048 numbers instead of 1024", "set embed.dim to that"),
        ({"model": "another"}, "failed", "no such model", "base_url"),
        ({"base_url": "http://127.0.0.1:9/v1"}, "failed", "connection_failed", "Check embed.base_url"),
    ],
)
def test_a_vllm_of_ones_own(server, monkeypatch, changed: dict, status: str, detail: str, remedy: str):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-local")
    vllm = {"model": "Qwen/Qwen3-VL-Embedding-2B", "dim": 2048, "base_url": server.compatible_url}
    embed = EmbedConfig(provider="openai", **{**vllm, **changed})
    found = called("embed", configured().model_copy(update={"embed": embed}))
    assert found.status == status
    assert detail in found.detail
    assert remedy in found.remedy
