"""What becomes of vectors that a self-hosted model gives."""

from __future__ import annotations

import numpy as np
import pytest

from contract.pictures import noise
from tuku.errors import RowError
from tuku.protocols import ModelDescription
from tuku.providers.hosted.embedder import TowersEmbedder

GOOD = np.array([0.6, 0.8], np.float32)


class FakeTowers:
    """Gives what it is told to."""

    def __init__(self, *vectors: np.ndarray) -> None:
        self.vectors = np.stack(vectors)

    def prepare(self, pixels):
        return pixels

    def pictures(self, prepared):
        return self.vectors

    texts = pictures


@pytest.mark.parametrize("bad", [[np.nan, 0], [np.inf, 0], [0, 0]])
def test_a_vector_without_a_direction_fails_its_row_alone(bad: list[float]) -> None:
    towers = FakeTowers(GOOD, np.array(bad, np.float32), GOOD)
    embedder = TowersEmbedder(ModelDescription("hf", "m", "1", dim=2), towers)
    heard: list[int] = []
    outcomes = embedder.embed_pictures([noise(1)] * 3, lambda position, _: heard.append(position))
    assert [isinstance(each, RowError) for each in outcomes] == [False, True, False]
    assert outcomes[1].code == "not_finite"
    assert heard == [0, 2]
    assert [isinstance(each, RowError) for each in embedder.embed_queries(["a"] * 3)] == [False, True, False]
