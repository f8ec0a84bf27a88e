"""Answers that were paid for are kept until the lake's images have every one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fakes.tables import dead_letter_rows, image_rows, paid_answers
from tuku.housekeeping.superseded import superseded_files
from tuku.journal import AnswerJournal
from tuku.lake import Lake
from tuku.lake_view import LakeView

IMAGE = {"content_sha256": "c", "caption": "A cat", "caption_fingerprint": "cf", "embedding_fingerprint": "ef"}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.at(str(tmp_path / "lake"))
    run, _ = lake.begin()
    run.write_block("image", image_rows(IMAGE, {"content_sha256": "nothing else is known of it"}), dead_letter_rows())
    run.commit()
    return lake


def paid(lake: Lake, *answers: dict[str, Any]) -> list[str]:
    run, _ = lake.begin()
    for number, answer in enumerate(answers):
        run.write_block(str(number), image_rows(), dead_letter_rows(), paid_answers(answer))
    return run.paid()


CAPTION = {"content_sha256": "c", "caption": "Cats", "caption_fingerprint": "cf"}
PICTURE = {"content_sha256": "c", "image_embedding": [1.0], "embedding_fingerprint": "ef"}
TEXT = {"caption": "A cat", "text_embedding": [1.0], "embedding_fingerprint": "ef"}
OTHER_TEXT = {**TEXT, "caption": "Cats"}


@pytest.mark.parametrize(
    ("answer", "superseded"),
    [
        (CAPTION, True),
        ({**CAPTION, "caption_fingerprint": "new"}, False),
        ({**CAPTION, "content_sha256": "d"}, False),
        (PICTURE, True),
        ({**PICTURE, "embedding_fingerprint": "new"}, False),
        (TEXT, True),
        (OTHER_TEXT, False),
        ({**CAPTION, **PICTURE}, True),
        ({**CAPTION, **PICTURE, "embedding_fingerprint": "new"}, False),
        ({"content_sha256": "d"}, True),  # no answer at all
    ],
    ids=str,
)
def test_each_answer_counts(lake: Lake, answer: dict[str, Any], superseded: bool) -> None:
    names = paid(lake, answer)
    assert superseded_files(LakeView.everything(lake), names) == (set(names) if superseded else set())


def test_files_are_told_apart_journals_too(lake: Lake) -> None:
    names = paid(lake, CAPTION, OTHER_TEXT)
    run = lake.runs()[-1]
    journal = AnswerJournal(run, "worker", lambda error: pytest.fail(str(error)), flush_interval_s=3_600)
    journal.append(CAPTION)
    journal.close()
    journals = [file.name for file in lake.storage.walk(run.folder) if file.name.endswith(".arrows")]
    assert len(journals) == 1
    assert superseded_files(LakeView.everything(lake), [*names, *journals]) == {names[0], *journals}


def test_an_image_that_is_gone_has_no_answers(lake: Lake) -> None:
    names = paid(lake, CAPTION)
    run, _ = lake.begin()
    run.write_deleted("all", ["id-0"])
    run.commit()
    assert superseded_files(LakeView.everything(lake), names) == set()


def test_nothing_is_asked(lake: Lake) -> None:
    assert superseded_files(LakeView.everything(lake), []) == set()
