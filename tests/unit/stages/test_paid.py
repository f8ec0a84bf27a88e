"""Answers that were paid for are kept with rows that did not succeed, and found again by what they answer."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from fakes.models import FakeCaptioner, FakeEmbedder
from fakes.tables import decoded_rows
from tuku.errors import RowError
from tuku.schemas import PAID
from tuku.stages.caption import caption_batch
from tuku.stages.embed import embed_batch
from tuku.stages.paid import PaidAnswers, paid_rows

RED, BLUE = (250, 10, 0), (0, 10, 250)
REFUSED = RowError("content_refused", "The provider will not look at it.")


def embedded(captions_fail: bool = False, pictures_fail: bool = False, texts_fail: bool = False) -> pa.Table:
    """Two rows of which the second, a blue one, fails where it is said to."""
    captioner = FakeCaptioner(failures={"sha-1": REFUSED} if captions_fail else {})
    embedder = FakeEmbedder(dict.fromkeys(["sha-1"] * pictures_fail + ["A blue picture"] * texts_fail, REFUSED))
    batch = caption_batch(decoded_rows(RED, BLUE), captioner, "c", PaidAnswers())
    return embed_batch(batch, embedder, ("image", "text"), "e", PaidAnswers())


def test_a_row_that_gained_nothing_leaves_nothing() -> None:
    kept = paid_rows(embedded(captions_fail=True).slice(1))
    assert kept.num_rows == 0
    assert kept.schema.equals(PAID)


@pytest.mark.parametrize("failing", ["pictures_fail", "texts_fail"])
def test_what_a_failed_row_had_gained_is_found_again(failing: str) -> None:
    batch = embedded(**{failing: True})
    paid = PaidAnswers.of([paid_rows(batch.slice(1))])
    assert paid.caption("sha-1", "c") == {"caption": "A blue picture", "keywords": ["blue", "picture"]}
    vector = paid.image("sha-1", "e")
    assert (vector is None) == (failing == "pictures_fail")
    if vector is not None:
        assert np.array_equal(vector, np.asarray(batch["image_embedding"].to_pylist()[1], np.float32))
    assert paid.text("A blue picture", "e") is None


def test_another_picture_caption_or_model_finds_nothing() -> None:
    paid = PaidAnswers.of([paid_rows(embedded())])
    assert paid.caption("sha-0", "c") is not None
    assert [paid.caption("sha-0", "other"), paid.caption("other", "c")] == [None, None]
    assert [paid.image("sha-0", "other"), paid.image("other", "e")] == [None, None]
    assert [paid.text("A red picture", "other"), paid.text("other", "e")] == [None, None]
    assert paid.text("A red picture", "e") is not None


def test_the_newest_answer_counts() -> None:
    older, newer = (paid_rows(embedded()) for _ in range(2))
    newer = newer.set_column(1, "caption", pa.array(["Something red", "Something blue"]))
    assert PaidAnswers.of([older, newer]).caption("sha-0", "c") == {
        "caption": "Something red",
        "keywords": ["red", "picture"],
    }
