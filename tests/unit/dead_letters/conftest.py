"""What the tests of dead letters share: a lake, and a way to add runs to it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from fakes.lakes import add_run
from tuku.lake import Lake, Run


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(str(tmp_path / "lake"))


@pytest.fixture
def add(lake: Lake) -> Callable[..., Run]:
    """`add_run` for this lake."""
    return partial(add_run, lake)
