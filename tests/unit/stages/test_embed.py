"""Embed: the vectors that are configured, of pictures and captions, and no pixels any more."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from fakes.models import DIM, FakeCaptioner, FakeEmbedder, Meter
from fakes.tables import decoded_rows, failure
from tuku.errors import RowError, StoppedError
from tuku.schemas import EMBEDDED
from tuku.stages.caption import caption_batch
from tuku.stages.embed import embed_batch

RED, BLUE = (250, 10, 0), (0, 10, 250)
REFUSED = RowError("too_long", "The model takes no more than 8 words.")
NOT_FOUND = RowError("not_found", "No such file.")
BOTH = ("image", "text")


def captioned(*colours: tuple[int, int, int] | RowError) -> pa.Table:
    return caption_batch(decoded_rows(*colours), FakeCaptioner(), "c")


@pytest.mark.parametrize("vectors", [("image",), ("text",), BOTH])
def test_the_vectors_that_are_configured_are_filled(vectors: tuple[str, ...]) -> None:
    after = embed_batch(captioned(RED, BLUE), FakeEmbedder(), vectors, "e")
    assert after.schema.equals(EMBEDDED)
    for name in BOTH:
        column = after[f"{name}_embedding"].to_pylist()
        if name not in vectors:
            assert column == [None, None]
            continue
        assert [len(vector) for vector in column] == [DIM, DIM]
        assert np.linalg.norm(column, axis=1) == pytest.approx(1, abs=1e-6)
        assert column[0] != column[1]
    assert after["embed_model"].to_pylist() == ["fake/colour-embedder@1"] * 2
    assert after["embedding_fingerprint"].to_pylist() == ["e", "e"]


def test_vectors_arrive_as_the_model_gave_them() -> None:
    batch = captioned(RED, BLUE)
    after = embed_batch(batch, FakeEmbedder(), BOTH, "e")
    texts = FakeEmbedder().embed_passages(batch["caption"].to_pylist())
    assert np.array_equal(np.asarray(after["text_embedding"].to_pylist(), np.float32), np.asarray(texts))


@pytest.mark.parametrize("key", ["sha-1", "A blue picture"])
def test_a_row_needs_all_its_vectors(key: str) -> None:
    after = embed_batch(captioned(RED, BLUE, RED), FakeEmbedder(failures={key: REFUSED}), BOTH, "e")
    expected = failure("embed", REFUSED)
    assert after.slice(1, 1).select(list(expected)).to_pylist() == [expected]
    assert after["code"].to_pylist() == [None, "too_long", None]
    for name in ("image_embedding", "text_embedding", "embed_model"):
        assert [value is None for value in after[name].to_pylist()] == [False, True, False]


def test_rows_that_failed_before_are_passed_on() -> None:
    after = embed_batch(captioned(NOT_FOUND, BLUE), FakeEmbedder(failures={"sha-0": REFUSED}), BOTH, "e")
    assert after["code"].to_pylist() == ["not_found", None]
    assert after["image_id"].to_pylist() == ["id-0", "id-1"]


def test_a_batch_without_a_living_row_costs_no_call() -> None:
    embedder = FakeEmbedder()
    after = embed_batch(captioned(NOT_FOUND, NOT_FOUND), embedder, BOTH, "e")
    assert embedder.take_usage().requests == 0
    assert after.schema.equals(EMBEDDED)
    assert after["image_embedding"].null_count == 2


def test_what_stops_the_job_is_no_dead_letter() -> None:
    embedder = FakeEmbedder(meter=Meter(stops_with=StoppedError("The budget is spent."), stops_after=1))
    with pytest.raises(StoppedError, match="budget"):
        embed_batch(captioned(RED), embedder, BOTH, "e")
