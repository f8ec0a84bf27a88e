"""The implementation under test, made once for each suite."""

from __future__ import annotations

import pytest

from contract.implementations import CAPTIONERS, EMBEDDERS
from tuku.protocols import Captioner, Embedder


@pytest.fixture(scope="module")
def captioner(request: pytest.FixtureRequest) -> Captioner:
    return CAPTIONERS[request.param]()


@pytest.fixture(scope="module")
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return EMBEDDERS[request.param]()
