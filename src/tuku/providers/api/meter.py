"""What requests to one model used: read from the server's answers, counted, and guessed beforehand."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuku.protocols import Usage
from tuku.terms import Charge, Price

_NEWEST_SHARE = 0.05  # of the newest answer in what is learned from all: some tens of answers decide
_WIDEST = 10.0  # no answer makes the guess this many times larger or smaller: a server may count nonsense


@dataclass(frozen=True)
class Tokens:
    """Of one request: what is sent, pictures included, and what is answered."""

    sent: int
    answered: int = 0

    @property
    def total(self) -> int:
        """Both together."""
        return self.sent + self.answered


def tokens_of(usage: object) -> Tokens | None:
    """What a server's `usage` says, in any of its shapes; None if it says nothing, or only zeros.

    Seen are ``input_tokens`` and ``output_tokens`` (OpenAI: ``prompt_tokens`` and ``completion_tokens``), with or
    without ``total_tokens``; ``total_tokens`` alone; ``image_tokens`` beside ``text_tokens``; and ``image_tokens``
    beside an ``input_tokens`` that has them in it or, for multimodal-embedding-v1, does not (then it is the smaller).
    """
    if not isinstance(usage, Mapping):
        return None
    answered = _count(usage, "output_tokens") or _count(usage, "completion_tokens")
    sent = _count(usage, "input_tokens") or _count(usage, "prompt_tokens")
    pictures, total = _count(usage, "image_tokens"), _count(usage, "total_tokens")
    if total > answered:
        sent = total - answered
    elif not sent:
        sent = pictures + _count(usage, "text_tokens")
    elif pictures > sent:
        sent += pictures
    return Tokens(sent, answered) if sent or answered else None


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return int(value) if isinstance(value, int | float) and 0 < value < float("inf") else 0


class Meter:
    """Counts and prices the requests to one model. Safe to use from any thread.

    It learns how far guesses of cost are off: all later ones are corrected by the running mean of used to guessed
    tokens. Tokens are charged as guessed: the quota corrects them itself, for all who share it.
    """

    def __init__(self, price: Price) -> None:
        self._price = price
        self._lock = threading.Lock()
        self._usage = Usage(currency=price.currency)
        self._correction = 1.0

    def charge(self, guess: Tokens) -> Charge:
        """What a request is expected to use."""
        return Charge(guess.total, self._price.of(guess.sent, guess.answered) * self._correction)

    def sent(self, *, again: bool) -> None:
        """A request goes out, for the first time or `again`."""
        self._add(Usage(requests=1, retries=int(again), currency=self._price.currency))

    def throttled(self) -> None:
        """A request was refused for being one too many."""
        self._add(Usage(throttled=1))

    def answered(self, guess: Tokens, used: Tokens | None) -> Charge:
        """A request was answered: what it used and cost; the corrected guess where the server does not say."""
        if used is None:
            factor = self._correction
            used = Tokens(round(guess.sent * factor), round(guess.answered * factor))
        elif guess.total:
            ratio = min(_WIDEST, max(1 / _WIDEST, used.total / guess.total))
            self._correction += _NEWEST_SHARE * (ratio - self._correction)
        cost = self._price.of(used.sent, used.answered)
        self._add(Usage(input_tokens=used.sent, output_tokens=used.answered, cost=cost))
        return Charge(used.total, cost)

    def take_usage(self) -> Usage:
        """Everything since this was last asked."""
        with self._lock:
            usage, self._usage = self._usage, Usage(currency=self._price.currency)
        return usage

    def _add(self, usage: Usage) -> None:
        with self._lock:
            self._usage += usage
