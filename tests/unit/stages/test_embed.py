"""Embed: the vectors that are configured, of pictures and captions, and no pixels any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fakes.models import DIM, FakeCaptioner, FakeEmbedder, Meter
from fakes.tables import decoded_rows, failure, paid_answers
from tuku.errors import RowError, StoppedError
from tuku.schemas import EMBEDDED
from tuku.stages.caption import caption_batch
from tuku.stages.embed import embed_batch
from tuku.stages.paid import PaidAnswers

RED, BLUE, GREY = (250, 10, 0), (0, 10, 250), (128, 128, 128)
REFUSED = RowError("too_long", "The model takes no more than 8 words.")
NOT_FOUND = RowError("not_found", "No such file.")
BOTH = ("image", "text")


def captioned(*colours: tuple[int, int, int] | RowError) -> pa.Table:
    return caption_batch(decoded_rows(*colours), FakeCaptioner(), "c", PaidAnswers())


@pytest.mark.parametrize("vectors", [("image",), ("text",), BOTH])
def test_the_vectors_that_are_configured_are_filled(vectors: tuple[str, ...]) -> None:
    after = embed_batch(captioned(RED, BLUE), FakeEmbedder(), vectors, "e", PaidAnswers())
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
    after = embed_batch(batch, FakeEmbedder(), BOTH, "e", PaidAnswers())
    texts = FakeEmbedder().embed_passages(batch["caption"].to_pylist())
    assert np.array_equal(np.asarray(after["text_embedding"].to_pylist(), np.float32), np.asarray(texts))


def check_second_failed(after: pa.Table, gained: list[str]) -> None:
    expected = failure("embed", REFUSED)
    assert after.slice(1, 1).select(list(expected)).to_pylist() == [expected]
    assert after["code"].to_pylist() == [None, "too_long", None]
    for name in ("image_embedding", "text_embedding", "embed_model"):
        assert [value is None for value in after[name].to_pylist()] == [False, name not in gained, False]


def test_a_row_without_its_pictures_vector_fails_and_its_caption_is_not_asked_for() -> None:
    embedder = FakeEmbedder(failures={"sha-1": REFUSED})
    asked: list[str] = []
    embed_passages = embedder.embed_passages
    embedder.embed_passages = lambda texts, heard: asked.extend(texts) or embed_passages(texts)  # type: ignore[method-assign]
    check_second_failed(embed_batch(captioned(RED, BLUE, RED), embedder, BOTH, "e", PaidAnswers()), [])
    assert asked == ["A red picture", "A red picture"]


def test_a_row_without_its_captions_vector_fails_and_keeps_the_other_which_was_paid_for() -> None:
    embedder = FakeEmbedder(failures={"A blue picture": REFUSED})
    after = embed_batch(captioned(RED, BLUE, RED), embedder, BOTH, "e", PaidAnswers())
    check_second_failed(after, ["image_embedding", "embed_model"])


def test_vectors_that_were_paid_for_are_not_asked_for_again() -> None:
    batch, embedder = captioned(RED, BLUE), FakeEmbedder()
    [row] = embed_batch(captioned(RED), embedder, BOTH, "e", PaidAnswers()).to_pylist()
    picture, text = (np.asarray(row[name], np.float32)[::-1] for name in ("image_embedding", "text_embedding"))
    known = {"image_embedding": picture, "text_embedding": text, "embedding_fingerprint": "e"}
    paid = PaidAnswers.of([paid_answers({"content_sha256": "sha-0", "caption": row["caption"], **known})])
    after = embed_batch(batch, embedder, BOTH, "e", paid).to_pylist()
    assert np.array_equal(np.asarray(after[0]["image_embedding"], np.float32), picture)
    assert np.array_equal(np.asarray(after[0]["text_embedding"], np.float32), text)
    fresh = embed_batch(batch, embedder, BOTH, "e", PaidAnswers()).to_pylist()
    assert after[1] == fresh[1]
    assert embed_batch(batch, embedder, BOTH, "other", paid).to_pylist()[0]["image_embedding"] == row["image_embedding"]


def test_rows_that_failed_before_are_passed_on() -> None:
    after = embed_batch(captioned(NOT_FOUND, BLUE), FakeEmbedder(failures={"sha-0": REFUSED}), BOTH, "e", PaidAnswers())
    assert after["code"].to_pylist() == ["not_found", None]
    assert after["image_id"].to_pylist() == ["id-0", "id-1"]


def test_a_batch_without_a_living_row_costs_no_call() -> None:
    embedder = FakeEmbedder()
    after = embed_batch(captioned(NOT_FOUND, NOT_FOUND), embedder, BOTH, "e", PaidAnswers())
    assert embedder.take_usage().requests == 0
    assert after.schema.equals(EMBEDDED)
    assert after["image_embedding"].null_count == 2


def test_what_stops_the_job_is_no_dead_letter() -> None:
    embedder = FakeEmbedder(meter=Meter(stops_with=StoppedError("The budget is spent."), stops_after=1))
    with pytest.raises(StoppedError, match="budget"):
        embed_batch(captioned(RED), embedder, BOTH, "e", PaidAnswers())


def test_vectors_are_kept_as_they_come_and_are_found_again_by_what_they_answer() -> None:
    kept: list[Mapping[str, Any]] = []
    embedder = FakeEmbedder(failures={"sha-1": REFUSED, "A grey picture": REFUSED})
    after = embed_batch(captioned(NOT_FOUND, BLUE, RED, GREY), embedder, BOTH, "e", PaidAnswers(), kept.append)
    pictures, texts = kept[:2], kept[2:]
    assert [answer["content_sha256"] for answer in pictures] == ["sha-2", "sha-3"]
    assert [(answer["content_sha256"], answer["caption"]) for answer in texts] == [("sha-2", "A red picture")]
    embedder, paid = FakeEmbedder(), PaidAnswers.of([paid_answers(*kept)])
    again = embed_batch(captioned(NOT_FOUND, NOT_FOUND, RED), embedder, BOTH, "e", paid)
    assert embedder.meter.answered == 0
    for name in BOTH:
        assert again[f"{name}_embedding"][2] == after[f"{name}_embedding"][2]


def test_what_is_known_is_not_kept_again() -> None:
    kept: list[Mapping[str, Any]] = []
    embed_batch(captioned(RED, BLUE), FakeEmbedder(), BOTH, "e", PaidAnswers(), kept.append)
    known = PaidAnswers.of([paid_answers(*kept[:1])])
    embed_batch(captioned(RED, BLUE), FakeEmbedder(), BOTH, "e", known, kept.append)
    assert [("image_embedding" in answer, answer["content_sha256"]) for answer in kept[4:]] == [
        (True, "sha-1"),
        (False, "sha-0"),
        (False, "sha-1"),
    ]
