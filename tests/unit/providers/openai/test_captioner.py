from __future__ import annotations

import logging
import traceback

import pytest

from fakes.colours import plain_picture, plain_pictures
from fakes.dashscope import DashScopeServer, Faults, Settings
from fakes.recording_quota import RecordingQuota
from tuku.config import CaptionConfig, RetryConfig
from tuku.errors import RowError
from tuku.protocols import Caption, Captioner
from tuku.providers.factory import Access
from tuku.providers.registry import create_captioner

KEY = "sk-2b7c1d55e8f94a01a3c6"
MODEL = "qwen3-vl-flash"


@pytest.fixture(scope="module")
def shared_server():
    with DashScopeServer(Settings(keys=(KEY,))) as server:
        yield server


@pytest.fixture
def server(shared_server):
    shared_server.configure(faults=Faults(), fatal=None, usage_shape="split", limits={"requests_per_min": None})
    shared_server.reset()
    return shared_server


@pytest.fixture
def quota():
    return RecordingQuota()


@pytest.fixture
def captioner_of(server, quota, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def make(attempts=5, request_timeout_s=1.0, max_outage_s=900.0, **config):
        retry = RetryConfig(
            first_wait_s=0.01, attempts=attempts, request_timeout_s=request_timeout_s, max_outage_s=max_outage_s
        )
        config = {"model": MODEL, "base_url": server.compatible_url, **config}
        return create_captioner(CaptionConfig(provider="openai", **config), Access(quota, retry))

    return make


def requests(server):
    return server.counters()["models"][MODEL]["requests"]


def test_captions_come_in_order_and_are_counted(captioner_of, quota):
    captioner, pictures = captioner_of(), plain_pictures(12)
    assert isinstance(captioner, Captioner)
    together = captioner.caption(pictures)
    assert [type(outcome) for outcome in together] == [Caption] * 12
    assert [together[5]] == captioner.caption([pictures[5]])
    usage = captioner.take_usage()
    assert (usage.requests, usage.retries) == (13, 0)
    assert usage.input_tokens > usage.output_tokens > 0
    assert quota.unsettled == 0


def test_parameters_are_sent_along(captioner_of):
    captioner = captioner_of(parameters={"temperature": 0.2, "top_k": 3}, max_tokens=50)
    assert isinstance(captioner.caption([plain_picture(1)])[0], Caption)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("internal_error", "server_error"),
        ("truncated_json", "bad_answer"),
        ("bad_item", "content_refused"),
        ("exclamations", "repeated_caption"),
    ],
)
def test_each_try_is_one_request(captioner_of, server, quota, fault, code):
    server.configure(faults={fault: 1.0})
    (outcome,) = captioner_of().caption([plain_picture(1)])
    assert isinstance(outcome, RowError)
    assert outcome.code == code
    assert requests(server) == len(quota.acquired) == outcome.attempts
    assert quota.unsettled == 0


@pytest.mark.parametrize("fault", ["unavailable_html", "reset_before"])
def test_an_endpoint_that_is_down_for_everybody_stops_the_run(captioner_of, server, quota, fault):
    server.configure(faults={fault: 1.0})
    (outcome,) = captioner_of(max_outage_s=1.0).caption([plain_picture(1)])
    assert outcome.code == "stopped"
    assert "retry.max_outage_s" in quota.halted.remedy
    assert requests(server) == len(quota.acquired)
    assert quota.unsettled == 0


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_no_request_takes_longer_than_it_may(captioner_of, server, fault):
    server.configure(faults={fault: 1.0})
    (outcome,) = captioner_of(attempts=1, request_timeout_s=0.5).caption([plain_picture(1)])
    assert (outcome.code, outcome.attempts) == ("timeout", 1)


def test_being_throttled_costs_no_row(captioner_of, server, quota):
    server.configure(limits={"requests_per_min": 600, "burst_s": 0.1})
    outcomes = captioner_of().caption(plain_pictures(12))
    assert [type(outcome) for outcome in outcomes] == [Caption] * 12
    assert {kind for _, kind, _ in quota.refused} == {"requests"}


def test_a_refused_key_halts_the_run_and_is_not_shown(captioner_of, quota, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    captioner = captioner_of()
    monkeypatch.setenv("OPENAI_API_KEY", wrong := KEY[::-1])
    refused = captioner_of()
    (outcome,) = refused.caption([plain_picture(1)])
    assert outcome.code == "stopped"
    shown = [repr(outcome), repr(quota.halted), "".join(traceback.format_exception(quota.halted)), repr(refused)]
    assert wrong not in "\n".join([*shown, caplog.text])
    assert captioner.caption([plain_picture(1)])[0].code == "stopped"
