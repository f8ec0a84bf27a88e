"""A worker keeps what it pays for, and takes over from one that was lost without paying again."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fakes.files import png
from fakes.models import FakeCaptioner, FakeEmbedder
from fakes.recording_quota import RecordingQuota
from fakes.tables import work_rows
from tuku.config import Config, LimitsConfig, RuntimeConfig
from tuku.journal import AnswerJournal, read_journals
from tuku.pipeline import Models
from tuku.run import Run
from tuku.runtime import worker
from tuku.runtime.blocks import BlockStats
from tuku.runtime.ledger import Ledger, block_id
from tuku.runtime.worker import Assignment, Worker
from tuku.schemas import PAID
from tuku.storage import DiskStorage
from tuku.terms import Terms

ROWS = 5
WORK = "runs/r-1/plan/2/work/work-000000.parquet"
PICTURES = [png((250, 10 * number, 0)) for number in range(ROWS)]
DIGESTS = [hashlib.sha256(picture).hexdigest() for picture in PICTURES]


class Books(Ledger):
    """The run's ledger without an actor around it, as `RemoteBooks` shows it to one worker."""

    def report(self, used: Any, returned: Any) -> Any:  # type: ignore[override]
        return super().report("worker", used, returned)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run with one block of work: pictures of a colour each."""
    made = Run(DiskStorage(tmp_path / "lake"), "r-1")
    files = [tmp_path / f"{number}.png" for number in range(ROWS)]
    for file, picture in zip(files, PICTURES, strict=True):
        file.write_bytes(picture)
    made.write_work(0, work_rows(*[{"uri": str(file)} for file in files]), ROWS, round_=2)
    return made


@pytest.fixture
def captioner(monkeypatch: pytest.MonkeyPatch) -> FakeCaptioner:
    return new_captioner(monkeypatch)


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Iterator[Books]:
    monkeypatch.setattr(worker, "RemoteBooks", lambda control, _: control)
    monkeypatch.setattr(worker, "cluster_quota", lambda *_: RecordingQuota())
    return Books(LimitsConfig())


def new_captioner(monkeypatch: pytest.MonkeyPatch) -> FakeCaptioner:
    made = FakeCaptioner()
    monkeypatch.setattr(worker, "create_captioner", lambda *_: made)
    monkeypatch.setattr(worker, "create_embedder", lambda *_: FakeEmbedder())
    return made


def assignment(run: Run, books: Books) -> Assignment:
    captioner = replace(FakeCaptioner().description, terms=Terms())
    embedder = replace(FakeEmbedder().description, terms=Terms())
    models = replace(Models.of(Config(), captioner, embedder), caption_fingerprint="c", embedding_fingerprint="e")
    return Assignment(Config(), models, run, PAID.empty_table(), 1, books, round_=2)


def work(job: Assignment) -> BlockStats:
    """What a new worker makes of the block."""
    [text] = Worker(job)(pa.table({"file": [WORK], "row_group": [0]}))["stats"].to_pylist()
    return BlockStats.from_dict(json.loads(text))


def images(run: Run) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pa.concat_tables(
        [pq.read_table(run.storage.path(name)).drop(["ingested_at"]) for name in run.parts()]
    ).to_pylist()
    return rows


def journaled(run: Run) -> list[dict[str, Any]]:
    return [row for table in read_journals(run) for row in table.to_pylist()]


def test_what_is_paid_for_is_in_the_journal(run: Run, books: Books, captioner: FakeCaptioner) -> None:
    assert work(assignment(run, books)).ok == ROWS
    answers = journaled(run)
    assert sorted(row["content_sha256"] for row in answers if row["caption_fingerprint"] == "c") == sorted(DIGESTS)
    assert sorted(row["content_sha256"] for row in answers if row["image_embedding"]) == sorted(DIGESTS)
    assert {row["caption"] for row in answers if row["text_embedding"]} == {"A red picture"}
    assert len(captioner.seen) == ROWS


def test_models_that_cost_nothing_are_not_journaled(run: Run, books: Books, captioner: FakeCaptioner) -> None:
    job = assignment(run, books)
    free = replace(job.models, captioner=captioner.description, embedder=FakeEmbedder().description)
    assert work(replace(job, models=free)).ok == ROWS
    assert journaled(run) == []


def test_a_block_of_a_lost_worker_asks_only_for_what_is_not_in_its_journal(
    run: Run, books: Books, captioner: FakeCaptioner
) -> None:
    lost = AnswerJournal(run, "lost", pytest.fail, flush_interval_s=1e6)
    for digest in DIGESTS[:3]:
        lost.append({"content_sha256": digest, "caption": "Heard", "keywords": ["k"], "caption_fingerprint": "c"})
    lost.append({"content_sha256": DIGESTS[3], "caption": "Of another model", "caption_fingerprint": "other"})
    books.enter(block_id(WORK, 0))
    assert work(assignment(run, books)).ok == ROWS
    assert sorted(captioner.seen) == sorted(DIGESTS[3:])
    assert [image["caption"] for image in images(run)] == ["Heard"] * 3 + ["A red picture"] * 2


def test_a_block_that_was_on_disk_asks_for_nothing(run: Run, books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    job = assignment(run, books)
    new_captioner(monkeypatch)
    assert work(job).ok == ROWS
    for name in run.storage.files("runs/r-1/paid", ".arrows"):
        run.storage.remove(name)  # its worker had begun a new one
    before, captioner = images(run), new_captioner(monkeypatch)
    stats = work(job)
    assert (stats.ok, captioner.seen, stats.usage["embed"].requests) == (ROWS, [], 0)
    assert images(run) == before


def test_a_disk_that_is_full_halts_the_run_and_loses_no_answer(
    run: Run, books: Books, captioner: FakeCaptioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        stats = work(assignment(run, books))
    assert captioner.seen
    assert stats.fatal is not None
    assert stats.fatal.name == "StoppedError"
    assert books.halt == stats.fatal
    kept = [pq.read_table(run.storage.path(name)).to_pylist() for name in (*run.parts(), *run.paid())]
    assert sorted(row["content_sha256"] for rows in kept for row in rows) == sorted(captioner.seen)


@pytest.mark.parametrize(("worker_gpus", "visible"), [(0, ""), (0.5, "3")])
def test_a_worker_sees_no_gpu_but_those_that_were_reserved_for_it(
    run: Run, books: Books, captioner: FakeCaptioner, monkeypatch: pytest.MonkeyPatch, worker_gpus: float, visible: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")  # as Ray sets it, or a shell
    Worker(replace(assignment(run, books), config=Config(runtime=RuntimeConfig(worker_gpus=worker_gpus))))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == visible
