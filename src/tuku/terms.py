"""On what terms a service is used: its quota, its price, and what one request takes of both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

ThrottleKind = Literal["requests", "tokens", "burst"]
"""What a refused request was too much of; ``burst``: the rate rose too fast, whatever it was."""

_PICTURE_FRAME_TOKENS = 2  # before and after every picture


@dataclass(frozen=True)
class Charge:
    """What one request is expected to use, or did use.

    Attributes:
        tokens: input and output together.
        cost: money, in the currency of the terms.
    """

    tokens: int = 0
    cost: float = 0.0


@dataclass(frozen=True)
class Price:
    """What a thousand tokens cost.

    Attributes:
        input_per_1k: of what is sent, pictures included.
        output_per_1k: of what is answered.
        currency: ISO 4217.
        as_of: ISO date on which this was the price.
    """

    input_per_1k: float = 0.0
    output_per_1k: float = 0.0
    currency: str = "CNY"
    as_of: str = ""

    def of(self, input_tokens: int, output_tokens: int = 0) -> float:
        """What so many tokens cost."""
        return (input_tokens * self.input_per_1k + output_tokens * self.output_per_1k) / 1000


@dataclass(frozen=True)
class Terms:
    """A model's terms: defaults of its description, overridden by the configuration.

    Attributes:
        requests_per_min: most requests a minute of one account; None: no limit is known. Likewise `tokens_per_min`.
        price: for the bill, and for the estimate before it.
        patch_px: a picture of w × h px is ⌈w / patch_px⌉ · ⌈h / patch_px⌉ + 2 tokens; None: counted otherwise.
        prompt_tokens: typical, of one request beside its pictures.
        answer_tokens: typical, of one answer.
        pictures_per_request: most pictures in one request. Likewise `texts_per_request`.
        items_per_request: most pictures and texts together.
        concurrency: requests in flight for each worker.
    """

    requests_per_min: int | None = None
    tokens_per_min: int | None = None
    price: Price = Price()
    patch_px: int | None = None
    prompt_tokens: int = 0
    answer_tokens: int = 0
    pictures_per_request: int = 1
    texts_per_request: int = 1
    items_per_request: int = 1
    concurrency: int = 64

    def picture_tokens(self, width: int, height: int) -> int:
        """Estimate for one picture of `width` × `height` px; 0 where pictures are not counted in tokens."""
        if self.patch_px is None:
            return 0
        return math.ceil(width / self.patch_px) * math.ceil(height / self.patch_px) + _PICTURE_FRAME_TOKENS
