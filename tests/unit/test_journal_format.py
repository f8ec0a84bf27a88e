"""A journal that was cut off or damaged anywhere gives the answers before that, and no other."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fakes.tables import paid_answers
from tuku.journal_format import HEAD, decode_answers, encode_answer
from tuku.schemas import PAID

CAPTION: dict[str, Any] = {
    "content_sha256": "sha-0",
    "caption": "一只猫",
    "keywords": ["cat", "猫"],
    "caption_fingerprint": "c",
}
IMAGE = {
    "content_sha256": "sha-0",
    "image_embedding": np.array([0.25, -0.5, 3e-9], np.float32),
    "embedding_fingerprint": "e",
}
TEXT = {
    "content_sha256": "sha-0",
    "caption": "一只猫",
    "text_embedding": np.array([1, 0, 0], np.float32),
    "embedding_fingerprint": "e",
}
EMPTY = {"content_sha256": "sha-1", "caption": "", "keywords": [], "caption_fingerprint": "c"}
ANSWERS = [CAPTION, IMAGE, TEXT, EMPTY]
MESSAGES = [encode_answer(answer) for answer in ANSWERS]
JOURNAL = HEAD + b"".join(MESSAGES)


def rows(*answers: dict[str, Any]) -> list[dict[str, Any]]:
    """As they come out of a table: what is missing is null."""
    table: list[dict[str, Any]] = paid_answers(*answers).to_pylist()
    return table


def whole_before(cut: int) -> int:
    """How many answers end at or before this byte."""
    ends = np.cumsum([len(HEAD), *map(len, MESSAGES)])[1:]
    return int((ends <= cut).sum())


def test_answers_come_back_as_they_were() -> None:
    table = decode_answers(JOURNAL)
    assert table.schema.equals(PAID)
    assert table.to_pylist() == rows(*ANSWERS)


def test_a_journal_is_a_stream_that_arrow_can_read() -> None:
    assert pa.ipc.open_stream(JOURNAL).read_all().select(PAID.names).to_pylist() == rows(*ANSWERS)


def test_whatever_byte_it_ends_at_the_answers_before_are_there() -> None:
    for cut in range(len(JOURNAL)):
        assert decode_answers(JOURNAL[:cut]).to_pylist() == rows(*ANSWERS[: whole_before(cut)]), cut


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"\xff" * 64, b"ARROW1\0\0"], ids=["zeros", "ones", "text"])
def test_whatever_follows_a_cut_is_no_answer(tail: bytes) -> None:
    for cut in range(0, len(JOURNAL), 3):
        found = decode_answers(JOURNAL[:cut] + tail).to_pylist()
        assert found == rows(*ANSWERS)[: len(found)], cut
        # The cut may be in what fills an answer up to a round number of bytes: then it is whole.
        assert len(found) - whole_before(cut) in (0, 1), cut


def test_a_damaged_byte_hides_its_answer_or_changes_nothing() -> None:
    chance = random.Random(3)
    for position in range(len(HEAD), len(JOURNAL), 2):
        damaged = bytearray(JOURNAL)
        damaged[position] ^= 1 << chance.randrange(8)
        found = decode_answers(bytes(damaged)).to_pylist()
        assert found == rows(*ANSWERS)[: len(found)], position
        assert len(found) >= whole_before(position), position


def test_blocks_that_never_reached_the_disk_are_no_answer() -> None:
    """After a power failure a file may have its length, but zeros where blocks were not written."""
    vector = np.arange(4096, dtype=np.float32) + 1
    journal = HEAD + b"".join(encode_answer({**IMAGE, "image_embedding": vector}) for _ in range(3))
    hole = journal.index(vector[1024:].tobytes(), len(journal) // 3)
    assert decode_answers(journal).num_rows == 3
    assert decode_answers(journal[:hole] + b"\0" * 4096 + journal[hole + 4096 :]).num_rows == 1


@pytest.mark.parametrize("seed", range(50))
def test_garbage_is_no_answer(seed: int) -> None:
    chance = random.Random(seed)
    assert decode_answers(chance.randbytes(chance.randrange(5_000))).num_rows == 0
    assert decode_answers(HEAD + MESSAGES[1] + chance.randbytes(chance.randrange(5_000))).num_rows == 1
    start = chance.randrange(len(JOURNAL))
    shuffled = JOURNAL[:start] + JOURNAL[chance.randrange(len(JOURNAL)) :]
    found = decode_answers(shuffled).to_pylist()
    assert all(row in rows(*ANSWERS) for row in found)
    assert len(found) >= whole_before(start)


def test_a_journal_of_another_version_holds_no_answers() -> None:
    other = pa.schema([pa.field("caption", pa.string())])
    batch = pa.RecordBatch.from_pylist([{"caption": "A cat"}], other)
    stream = other.serialize().to_pybytes() + batch.serialize().to_pybytes()
    assert decode_answers(stream).to_pylist() == []
