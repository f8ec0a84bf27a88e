from __future__ import annotations

from collections import Counter

import pytest

from fakes.dashscope import Limits
from fakes.dashscope.catalogue import MODELS
from fakes.dashscope.client import CAPTION, caption_body, jpeg, post
from fakes.dashscope.errors import ApiError
from fakes.dashscope.quota import Gate
from fakes.dashscope.windows import SlidingSum

MODEL = MODELS["qwen3-vl-plus"]
_SLOW_RISE = ((4, 0), (4, 5), (7, 10), (9.5, 15))  # requests a second, from this second on
REQUESTS, TOKENS, BURST = "Throttling.RateQuota", "Throttling.AllocationQuota", "Throttling.BurstRate"


class Client:
    """Asks a gate at given times and counts what it says."""

    def __init__(self, limits):
        self.gate, self.limits = Gate(), limits

    def ask(self, now, tokens=1):
        try:
            self.gate.enter(MODEL, self.limits, tokens, now)
        except ApiError as error:
            return error.code if error.status == 429 else "not 429"
        return "in"

    def ask_steadily(self, per_s, start, seconds, tokens=1):
        return Counter(self.ask(start + number / per_s, tokens) for number in range(round(per_s * seconds)))


def test_a_second_holds_a_sixtieth_of_the_minute():
    client = Client(Limits(requests_per_min=600))
    assert [client.ask(100.0) for _ in range(12)] == ["in"] * 10 + [REQUESTS] * 2
    assert [client.ask(100.25) for _ in range(4)] == ["in"] * 2 + [REQUESTS] * 2


def test_the_burst_allowance_is_the_size_of_the_bucket():
    client = Client(Limits(requests_per_min=600, burst_s=0.2))
    assert [client.ask(100.0) for _ in range(3)] == ["in", "in", REQUESTS]
    client.limits = Limits(requests_per_min=6, burst_s=0.2)
    assert client.ask(200.0) == "in"  # one request is always let through by a full bucket


def test_a_minute_holds_no_more_than_its_quota_however_large_the_bucket():
    client = Client(Limits(requests_per_min=600, burst_s=30.0))
    admitted = client.ask_steadily(per_s=20, start=100.0, seconds=60)
    assert admitted == {"in": 600, REQUESTS: 600}
    assert client.ask(159.99) == REQUESTS
    assert client.ask(160.01) == "in"


def test_just_below_the_quota_everything_is_let_in():
    assert Client(Limits(requests_per_min=600)).ask_steadily(per_s=9.8, start=0.0, seconds=180) == {"in": 1764}


def test_tokens_are_limited_likewise_and_answers_leave_a_debt():
    client = Client(Limits(tokens_per_min=6000))
    assert [client.ask(0.0, tokens=40) for _ in range(3)] == ["in", "in", TOKENS]
    client.gate.answered(220, 0.0)
    assert client.ask(2.0, tokens=40) == TOKENS  # 20 left, 220 used by answers, 200 filled in
    assert client.ask(2.5, tokens=40) == "in"
    assert client.ask(60.0, tokens=6000) == TOKENS  # a full bucket, but the minute is not empty
    assert client.ask(130.0, tokens=6000) == "in"


@pytest.mark.parametrize(("counts", "admitted"), [(False, 600), (True, 0)])
def test_refused_calls_lock_a_client_out_where_they_count(counts, admitted):
    client = Client(Limits(requests_per_min=600, refused_calls_count=counts))
    client.ask_steadily(per_s=20, start=0.0, seconds=120)
    late = client.ask_steadily(per_s=20, start=120.0, seconds=60)
    assert late["in"] == pytest.approx(admitted, abs=15)
    quiet = client.ask_steadily(per_s=5, start=240.0, seconds=60)
    assert quiet == {"in": 300}  # a minute later all is forgotten


def test_the_rate_must_not_double_within_seconds():
    client = Client(Limits(requests_per_min=600, burst_rate_above=0.5))
    assert client.ask_steadily(per_s=2, start=0.0, seconds=10) == {"in": 20}
    risen = client.ask_steadily(per_s=10, start=10.0, seconds=5)
    assert risen[BURST] > 10
    assert risen["in"] >= 20
    slow = Client(client.limits)
    rises = [slow.ask_steadily(per_s=rate, start=start, seconds=5) for rate, start in _SLOW_RISE]
    assert all(set(rise) == {"in"} for rise in rises)


def test_documented_limits_are_those_of_the_catalogue():
    client = Client(Limits(requests_per_min="documented"))
    assert client.ask_steadily(per_s=100_000, start=0.0, seconds=0.001)["in"] == 1200 / 60


def test_a_limit_halved_and_restored_applies_at_once():
    client = Client(Limits(requests_per_min=600))
    assert client.ask_steadily(per_s=9, start=0.0, seconds=60) == {"in": 540}
    client.limits = Limits(requests_per_min=300)
    assert client.ask(60.0) == REQUESTS
    client.limits = Limits(requests_per_min=600)
    assert client.ask(60.1) == "in"


def test_a_window_remembers_its_highest_sum():
    window = SlidingSum(1.0)
    for now, amount in ((0.0, 2), (0.9, 3), (1.0, 1), (5.0, 1)):
        window.add(amount, now)
    assert window.peak == 5
    assert window.at(5.5) == 1
    assert window.at(6.0) == 0


def test_each_model_has_its_own_quota_and_refusals_say_when_to_come_again(server):
    server.configure(limits={"requests_per_min": 1, "retry_after_s": 2.5})
    server.configure(model_limits={"qwen3-vl-plus": {"tokens_per_min": 1}})
    first, second = (post(server.base_url + CAPTION, caption_body(jpeg())) for _ in range(2))
    assert (first.status, second.status, second.code) == (200, 429, REQUESTS)
    assert second.headers["Retry-After"] == "2.5"
    other = post(server.base_url + CAPTION, caption_body(jpeg(), model="qwen3-vl-plus"))
    assert (other.status, other.code) == (429, TOKENS)
    models = server.counters()["models"]
    assert models["qwen-vl-plus"]["refused"] == {REQUESTS: 1}
    assert models["qwen3-vl-plus"]["refused"] == {TOKENS: 1}
    server.configure(limits={"requests_per_min": None})
    assert post(server.base_url + CAPTION, caption_body(jpeg())).status == 200
