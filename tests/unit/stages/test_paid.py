"""Answers that were paid for are kept with rows that did not succeed, and found again by what they answer."""

from __future__ import annotations

import threading

import numpy as np
import pyarrow as pa
import pytest

from fakes.models import FakeCaptioner, FakeEmbedder
from fakes.tables import decoded_rows, paid_answers
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


def vectors_of(content: str, *numbers: float) -> dict[str, object]:
    return {"content_sha256": content, "image_embedding": numbers, "embedding_fingerprint": "e"}


def test_a_block_s_own_answers_come_first_and_stay_its_own() -> None:
    paid = PaidAnswers.of([paid_answers(vectors_of("a", 1, 0), vectors_of("b", 2, 0))])
    block = paid.plus(paid_answers(vectors_of("a", 3, 0), vectors_of("c", 4, 0)))
    paid.add(paid_answers(vectors_of("d", 5, 0)))  # what others learn meanwhile is known to the block
    assert [block.image(content, "e").tolist() for content in "abcd"] == [[3, 0], [2, 0], [4, 0], [5, 0]]
    assert paid.image("a", "e").tolist() == [1, 0]
    assert paid.image("c", "e") is None


def test_rows_cut_out_of_a_table_keep_their_vectors() -> None:
    rows = [vectors_of(str(i), i, i) for i in range(5)]
    rows[2]["image_embedding"] = None
    table = pa.concat_tables([paid_answers(*rows).slice(1, 3), paid_answers(*rows).slice(4)])
    paid = PaidAnswers.of([table])
    found = [paid.image(str(i), "e") for i in range(5)]
    assert [None if vector is None else vector.tolist() for vector in found] == [None, [1, 1], None, [3, 3], [4, 4]]


def test_vectors_are_views_of_the_table_and_cannot_be_changed() -> None:
    table = paid_answers(vectors_of("a", 1, 0))
    vector = PaidAnswers.of([table]).image("a", "e")
    assert vector.dtype == np.float32
    assert vector.ctypes.data == table["image_embedding"].chunk(0).values.buffers()[1].address
    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 2


def test_an_answer_without_its_model_or_its_question_answers_nothing() -> None:
    without = paid_answers(
        {"content_sha256": "a", "caption": "A cat"}, {"caption": "A cat", "caption_fingerprint": "c"}, vectors_of("a")
    )
    paid = PaidAnswers.of([without.set_column(6, "embedding_fingerprint", pa.nulls(3, pa.string()))])
    assert [paid.caption("a", "c"), paid.image("a", "e"), paid.text("A cat", "e")] == [None, None, None]


def test_threads_add_and_look_at_once() -> None:
    paid, failed = PaidAnswers(), []

    def work(thread: int) -> None:
        for number in range(200):
            paid.add(paid_answers(vectors_of(f"{thread}-{number}", thread, number)))
            if not all(paid.image(f"{thread}-{known}", "e").tolist() == [thread, known] for known in range(number)):
                failed.append((thread, number))

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert paid.image("3-199", "e").tolist() == [3, 199]
