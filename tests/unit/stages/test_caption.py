"""Caption: one caption or one reason for each picture, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fakes.models import FakeCaptioner, Meter
from fakes.tables import decoded_rows, failure, paid_answers
from tuku.errors import RowError, StoppedError
from tuku.protocols import Caption
from tuku.schemas import CAPTIONED
from tuku.stages.caption import caption_batch
from tuku.stages.fingerprints import NO_CAPTION
from tuku.stages.paid import PaidAnswers

RED, BLUE = (250, 10, 0), (0, 10, 250)
REFUSED = RowError("content_refused", "The provider will not look at it.", attempts=2, request_id="r-1")
NOT_FOUND = RowError("not_found", "No such file.")


def test_every_picture_gets_its_own_caption() -> None:
    after = caption_batch(decoded_rows(RED, BLUE), FakeCaptioner(), "f", PaidAnswers())
    assert after.schema.equals(CAPTIONED)
    assert after["caption"].to_pylist() == ["A red picture", "A blue picture"]
    assert after["keywords"].to_pylist() == [["red", "picture"], ["blue", "picture"]]
    assert after["caption_model"].to_pylist() == ["fake/colour-captioner@1"] * 2
    assert after["caption_fingerprint"].to_pylist() == ["f", "f"]
    assert after["code"].to_pylist() == [None, None]


def test_a_picture_that_the_model_refuses_fails_alone() -> None:
    after = caption_batch(decoded_rows(RED, BLUE, RED), FakeCaptioner(failures={"sha-1": REFUSED}), "f", PaidAnswers())
    assert after["caption"].to_pylist() == ["A red picture", None, "A red picture"]
    assert after["caption_fingerprint"].to_pylist() == ["f", None, "f"]
    expected = failure("caption", REFUSED)
    assert after.slice(1, 1).select(list(expected)).to_pylist() == [expected]
    assert after["code"].to_pylist() == [None, "content_refused", None]


def test_rows_that_failed_before_are_not_shown_to_the_model() -> None:
    captioner = FakeCaptioner(failures={"sha-0": REFUSED})
    after = caption_batch(decoded_rows(NOT_FOUND, BLUE), captioner, "f", PaidAnswers())
    assert after["code"].to_pylist() == ["not_found", None]
    assert after["stage"].to_pylist() == ["fetch", None]
    assert after["caption"].to_pylist() == [None, "A blue picture"]


def test_a_batch_without_a_living_row_costs_no_call() -> None:
    captioner = FakeCaptioner()
    after = caption_batch(decoded_rows(NOT_FOUND, NOT_FOUND), captioner, "f", PaidAnswers())
    assert captioner.take_usage().requests == 0
    assert after.schema.equals(CAPTIONED)
    assert caption_batch(decoded_rows(), captioner, "f", PaidAnswers()).schema.equals(CAPTIONED)


def test_empty_captions_keep_their_types() -> None:
    captioner = FakeCaptioner(captions={"sha-0": Caption(""), "sha-1": Caption("")})
    after = caption_batch(decoded_rows(RED, BLUE), captioner, "f", PaidAnswers())
    assert after.schema.equals(CAPTIONED)
    assert after["caption"].to_pylist() == ["", ""]
    assert after["keywords"].to_pylist() == [[], []]


def test_a_catalogue_without_captions_has_empty_ones() -> None:
    after = caption_batch(decoded_rows(RED, NOT_FOUND), None, NO_CAPTION, PaidAnswers())
    assert after.schema.equals(CAPTIONED)
    assert after["caption"].to_pylist() == ["", None]
    assert after["keywords"].to_pylist() == [[], None]
    assert after["caption_model"].to_pylist() == [NO_CAPTION, None]


def test_what_stops_the_job_is_no_dead_letter() -> None:
    captioner = FakeCaptioner(meter=Meter(stops_with=StoppedError("The budget is spent.")))
    with pytest.raises(StoppedError, match="budget"):
        caption_batch(decoded_rows(RED), captioner, "f", PaidAnswers())


def test_captions_are_kept_as_they_come_and_are_found_again_by_their_content() -> None:
    kept: list[Mapping[str, Any]] = []
    batch = decoded_rows(NOT_FOUND, RED, BLUE, RED)
    after = caption_batch(batch, FakeCaptioner(failures={"sha-2": REFUSED}), "f", PaidAnswers(), kept.append)
    assert [(answer["content_sha256"], answer["caption"]) for answer in kept] == [
        ("sha-1", "A red picture"),
        ("sha-3", "A red picture"),
    ]
    captioner, paid = FakeCaptioner(), PaidAnswers.of([paid_answers(*kept)])
    again = caption_batch(batch, captioner, "f", paid, kept.append)
    assert captioner.seen == ["sha-2"]
    assert [answer["content_sha256"] for answer in kept[2:]] == ["sha-2"]
    assert again.slice(3).equals(after.slice(3))
