"""What a long piece of work asks and tells whoever started it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Steps:
    """Called between the steps of housekeeping.

    Attributes:
        require: before each step that two processes must not do; raises if the lake is not ours any more.
        told: with what is being done, such as ``compact`` and ``12,000 of 50,000 rows``.
    """

    require: Callable[[], None]
    told: Callable[[str, str], None]
