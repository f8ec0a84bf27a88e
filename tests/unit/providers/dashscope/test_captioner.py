from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fakes.colours import plain_picture, plain_pictures
from tuku.errors import RowError
from tuku.protocols import Caption, Captioner, Picture


def test_is_a_captioner(captioner_of):
    assert isinstance(captioner_of(), Captioner)


def test_captions_come_in_order_and_are_counted(captioner_of, server, quota):
    captioner, pictures = captioner_of(), plain_pictures(20)
    together = captioner.caption(pictures)
    assert [type(outcome) for outcome in together] == [Caption] * 20
    assert together[7] == captioner_of().caption([pictures[7]])[0]
    usage, served = captioner.take_usage(), server.counters()["models"]["qwen3-vl-flash"]
    assert usage.requests == 20
    assert usage.input_tokens + usage.output_tokens < sum(served["usage"].values())  # one of them was the other's
    assert usage.cost > 0
    assert quota.unsettled == 0


def test_all_pictures_of_a_call_are_asked_for_at_once(captioner_of, server):
    server.configure(latency={"median_s": 0.3})
    try:
        captioner_of().caption(plain_pictures(12))
    finally:
        server.configure(latency={"median_s": 0.0})
    assert server.counters()["models"]["qwen3-vl-flash"]["in_flight_peak"] == 12


def test_no_more_than_so_many_at_once(captioner_of, server):
    server.configure(latency={"median_s": 0.05})
    try:
        captioner_of(concurrency=3).caption(plain_pictures(12))
    finally:
        server.configure(latency={"median_s": 0.0})
    assert server.counters()["models"]["qwen3-vl-flash"]["in_flight_peak"] == 3


def test_equal_pictures_are_asked_for_once(captioner_of, server):
    first, second = captioner_of().caption([plain_picture(1), plain_picture(1)])
    assert first == second
    assert server.counters()["models"]["qwen3-vl-flash"]["requests"] == 1


def test_a_picture_that_the_service_would_refuse_is_not_sent(captioner_of, server):
    outcomes = captioner_of().caption([Picture(np.zeros((5, 5, 3), np.uint8), "a"), plain_picture(1)])
    assert outcomes[0].code == "picture_too_small"
    assert isinstance(outcomes[1], Caption)
    assert server.counters()["models"]["qwen3-vl-flash"]["requests"] == 1


def test_an_answer_without_usage_is_billed_as_guessed(captioner_of, server):
    server.configure(usage_shape="missing")
    captioner = captioner_of()
    captioner.caption([plain_picture(1)])
    usage, terms = captioner.take_usage(), captioner.description.terms
    assert usage.input_tokens == terms.prompt_tokens + terms.picture_tokens(64, 64)
    assert usage.output_tokens == terms.answer_tokens


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("empty_content", "empty_caption"),
        ("length", "cut_caption"),
        ("exclamations", "repeated_caption"),
        ("refused_content", "refused_caption"),
    ],
)
def test_captions_that_are_none_are_asked_for_three_times(captioner_of, server, fault, code):
    server.configure(faults={fault: 1.0})
    (outcome,) = captioner_of().caption([plain_picture(1)])
    assert isinstance(outcome, RowError)
    assert {outcome.code} <= {code, "empty_caption"}  # a filter's answer is empty, too
    assert (outcome.attempts, bool(outcome.request_id)) == (3, True)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("internal_error", "server_error"),
        ("truncated_json", "bad_answer"),
        ("reset_before", "connection_reset"),
        ("reset_middle", "connection_reset"),
    ],
)
def test_transient_faults_are_tried_five_times(captioner_of, server, quota, fault, code):
    server.configure(faults={fault: 1.0})
    (outcome,) = captioner_of().caption([plain_picture(1)])
    assert (outcome.code, outcome.attempts, outcome.retryable) == (code, 5, True)
    # Each of them once, though the SDK would send those again whose connection broke.
    assert server.counters()["models"]["qwen3-vl-flash"]["requests"] == 5
    assert (len(quota.acquired), quota.unsettled) == (5, 0)


def test_a_bad_picture_fails_at_once(captioner_of, server):
    server.configure(faults={"bad_item": 1.0})
    (outcome,) = captioner_of().caption([plain_picture(1)])
    assert (outcome.code, outcome.attempts, outcome.retryable) == ("content_refused", 1, False)


def test_an_error_inside_an_answer_is_judged_by_its_code(captioner_of, server):
    server.configure(faults={"error_inside": 1.0})
    (outcome,) = captioner_of().caption([plain_picture(1)])
    assert outcome.code == "server_error"
    assert outcome.request_id


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_no_request_takes_longer_than_it_may(captioner_of, server, retry_with, fault):
    retry_with(attempts=1, request_timeout_s=0.4)
    server.configure(faults={fault: 1.0})
    (outcome,) = captioner_of().caption([plain_picture(1)])
    assert (outcome.code, outcome.attempts) == ("timeout", 1)


def test_a_fatal_answer_keeps_what_was_answered_before(captioner_of, server, quota):
    server.configure(fatal={"code": "Arrearage", "after_requests": 10})
    outcomes = captioner_of(concurrency=2).caption(plain_pictures(40))
    captions = [outcome for outcome in outcomes if isinstance(outcome, Caption)]
    assert len(captions) == 10
    assert {outcome.code for outcome in outcomes if isinstance(outcome, RowError)} == {"stopped"}
    assert "Arrearage" in str(quota.halted)
    assert server.counters()["models"]["qwen3-vl-flash"]["requests"] <= 12
    assert quota.unsettled == 0


def test_being_throttled_is_told_to_the_quota_and_costs_no_row(captioner_of, server, quota):
    server.configure(limits={"requests_per_min": 600, "burst_s": 0.1})
    captioner = captioner_of()
    outcomes = captioner.caption(plain_pictures(15))
    assert [type(outcome) for outcome in outcomes] == [Caption] * 15
    assert {kind for _, kind, _ in quota.refused} == {"requests"}
    assert captioner.take_usage().throttled == len(quota.refused) > 0


def test_threads_share_one_session(captioner_of, server):
    captioner, pictures = captioner_of(), plain_pictures(24)
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda picture: captioner.caption([picture])[0], pictures))
    assert outcomes == captioner.caption(pictures)
    assert sum("services" in thread.name for thread in threading.enumerate()) == 1


def test_the_prompt_is_never_taken_for_a_file(captioner_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "描述").write_text("secret")
    assert isinstance(captioner_of(prompt="描述").caption([plain_picture(1)])[0], Caption)


@pytest.fixture
def _soon_an_outage(monkeypatch):
    for name in ("QUIET_S", "FIRST_PROBE_S"):
        monkeypatch.setattr(f"tuku.providers.api.outage.{name}", 0.2)


@pytest.mark.usefixtures("_soon_an_outage")
@pytest.mark.parametrize("how", ["503", "close"])
def test_an_outage_is_waited_for_and_costs_no_row(captioner_of, server, quota, how):
    server.configure(outage={"seconds": 1.5, "how": how})
    try:
        outcomes = captioner_of().caption(plain_pictures(60))
    finally:
        server.configure(outage=None)
    assert [type(outcome) for outcome in outcomes] == [Caption] * 60
    assert quota.unsettled == 0


@pytest.mark.usefixtures("_soon_an_outage")
def test_an_outage_costs_not_even_the_last_row_of_a_run(captioner_of, server, retry_with):
    retry_with(attempts=4)
    server.configure(outage={"seconds": 2.0, "how": "503"})
    try:
        (outcome,) = captioner_of().caption([plain_picture(1)])
    finally:
        server.configure(outage=None)
    assert isinstance(outcome, Caption)


@pytest.mark.usefixtures("_soon_an_outage")
def test_an_outage_that_lasts_halts_the_run(captioner_of, server, quota, retry_with):
    retry_with(max_outage_s=1.0)
    server.configure(outage={"seconds": 60.0})
    try:
        outcomes = captioner_of().caption(plain_pictures(30))
    finally:
        server.configure(outage=None)
    assert {outcome.code for outcome in outcomes} == {"stopped"}
    assert "dashscope/qwen3-vl-flash has not answered since" in str(quota.halted)


def test_each_caption_is_told_of_before_the_next_is_asked_for(captioner_of, server):
    heard = []
    pictures = [*plain_pictures(3), plain_picture(0), Picture(np.zeros((5, 5, 3), np.uint8), "a")]
    outcomes = captioner_of(concurrency=1).caption(
        pictures, lambda position, caption: heard.append((server.counters()["arrived"], position, caption))
    )
    assert [arrived for arrived, _, _ in heard] == [1, 2, 3]
    assert all(outcomes[position] == caption for _, position, caption in heard)
    assert {pictures[position].content_sha256 for _, position, _ in heard} == {f"{n:064x}" for n in range(3)}
