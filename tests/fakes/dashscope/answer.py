"""What an endpoint is made of, and what it makes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fakes.dashscope.asked import Asked
from fakes.dashscope.errors import ApiError
from fakes.dashscope.minds import Mind
from fakes.dashscope.settings import Settings

AskedT = TypeVar("AskedT", bound=Asked)


@dataclass(frozen=True)
class Job:
    """What an answer depends on beside the question; `fault` spoils it."""

    mind: Mind
    settings: Settings
    dice: random.Random
    fault: str | None
    request_id: str


@dataclass(frozen=True)
class Answer:
    """A body, as JSON.

    Attributes:
        damaged: indices of the items for which it is of no use.
    """

    body: bytes
    output_tokens: int = 0
    damaged: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Endpoint(Generic[AskedT]):
    """One address.

    Attributes:
        read: makes of a JSON body what is asked; raises `ApiError`.
        answer: answers that; raises `ApiError` for a picture that turns out to be broken.
        error_body: an error in this endpoint's shape, for a request id.
        faults: what can go wrong with its answers.
    """

    name: str
    path: str
    read: Callable[[dict[str, Any]], AskedT]
    answer: Callable[[AskedT, Job], Answer]
    error_body: Callable[[ApiError, str], dict[str, Any]]
    faults: tuple[str, ...]
