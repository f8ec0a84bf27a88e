from __future__ import annotations

import pytest

from tuku.providers.api.meter import Meter, Tokens, tokens_of
from tuku.terms import Price


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"input_tokens": 100, "output_tokens": 20, "image_tokens": 80}, Tokens(100, 20)),
        ({"input_tokens": 10, "image_tokens": 896}, Tokens(906)),
        ({"text_tokens": 10, "image_tokens": 896, "image_count": 1, "duration": 0}, Tokens(906)),
        ({"input_tokens": 100, "output_tokens": 20, "total_tokens": 120, "input_tokens_details": {}}, Tokens(100, 20)),
        ({"total_tokens": 120}, Tokens(120)),
        ({"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}, Tokens(7, 3)),
        ({"input_tokens": 0, "output_tokens": 0, "characters": 0}, None),
        ({"input_tokens": None, "output_tokens": "many"}, None),
        ({"input_tokens": float("nan"), "output_tokens": -3}, None),
        ({}, None),
        (None, None),
        ([1, 2], None),
    ],
)
def test_usage_in_every_shape(usage, tokens):
    assert tokens_of(usage) == tokens


def test_the_bill_is_what_the_server_says():
    meter = Meter(Price(input_per_1k=1.0, output_per_1k=10.0, currency="EUR"))
    meter.sent(again=False)
    meter.sent(again=True)
    meter.throttled()
    used = meter.answered(Tokens(500, 50), Tokens(1000, 100))
    assert (used.tokens, used.cost) == (1100, pytest.approx(2.0))
    usage = meter.take_usage()
    assert (usage.requests, usage.retries, usage.throttled) == (2, 1, 1)
    assert (usage.input_tokens, usage.output_tokens, usage.cost) == (1000, 100, pytest.approx(2.0))
    assert usage.currency == "EUR"
    assert meter.take_usage().requests == 0


def test_guesses_learn_from_what_was_used():
    meter, guess = Meter(Price(input_per_1k=1.0)), Tokens(100)
    assert meter.charge(guess).tokens == 100
    for _ in range(200):
        meter.answered(guess, Tokens(150))
    assert meter.charge(guess).tokens == 100  # the quota corrects tokens, for all who share it
    assert meter.charge(guess).cost == pytest.approx(0.15, rel=0.01)
    assert meter.answered(guess, None).tokens == 150  # what nobody counted is billed as guessed


def test_one_absurd_count_does_not_carry_the_guess_away():
    meter = Meter(Price(input_per_1k=1.0))
    meter.answered(Tokens(100), Tokens(10**9))
    assert meter.charge(Tokens(100)).cost < 0.2
