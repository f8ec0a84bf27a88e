"""Answers are on disk as soon as they are appended, and go when the blocks that asked for them are."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tuku.errors import StoppedError, StorageError, TukuError
from tuku.journal import AnswerJournal, read_journals
from tuku.run import Run
from tuku.storage import DiskStorage

NEVER_S = 1e6


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(DiskStorage(tmp_path), "r-1")


@pytest.fixture
def halts() -> list[TukuError]:
    return []


@pytest.fixture
def journal(run: Run, halts: list[TukuError]) -> Iterator[AnswerJournal]:
    made = AnswerJournal(run, "w", halts.append, flush_interval_s=NEVER_S, file_bytes=20_000)
    yield made
    made.close()


def answer(number: int, dim: int = 8) -> dict[str, object]:
    vector = np.full(dim, number, np.float32)
    return {"content_sha256": f"sha-{number}", "image_embedding": vector, "embedding_fingerprint": "e"}


def found(run: Run) -> list[int]:
    """The numbers of the answers in the run's journals."""
    rows = [row for table in read_journals(run) for row in table.to_pylist()]
    assert all(set(row["image_embedding"]) == {float(row["content_sha256"][4:])} for row in rows)
    return sorted(int(row["content_sha256"][4:]) for row in rows)


def files(run: Run) -> list[str]:
    return [Path(name).name for name in run.storage.files("runs/r-1/paid")]


def test_an_answer_can_be_read_at_once(run: Run, journal: AnswerJournal) -> None:
    for number in range(5):
        journal.append(answer(number))
        assert found(run) == list(range(number + 1))


def test_without_an_answer_there_is_no_file(run: Run, journal: AnswerJournal) -> None:
    with journal.block():
        journal.flush()
    assert found(run) == files(run) == []


def test_workers_have_journals_of_their_own(run: Run, halts: list[TukuError]) -> None:
    journals = [AnswerJournal(run, worker, halts.append, NEVER_S) for worker in ("a", "b")]
    for number, journal in enumerate(journals):
        journal.append(answer(number))
    assert found(run) == [0, 1]
    assert files(run) == ["journal-a-000000.arrows", "journal-b-000000.arrows"]


def test_threads_append_side_by_side(run: Run, halts: list[TukuError]) -> None:
    journal = AnswerJournal(run, "w", halts.append, flush_interval_s=0.001)
    threads = [
        threading.Thread(target=lambda first: [journal.append(answer(first + i)) for i in range(100)], args=(100 * n,))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    assert found(run) == list(range(800))
    assert halts == []


def test_a_file_goes_when_it_is_full_and_every_block_that_may_have_written_to_it_is_done(
    run: Run, journal: AnswerJournal
) -> None:
    early, late = journal.block(), journal.block()
    early.__enter__()
    journal.append(answer(1, dim=6_000))
    journal.flush()
    late.__enter__()
    journal.append(answer(2))
    assert files(run) == ["journal-w-000000.arrows", "journal-w-000001.arrows"]
    late.__exit__(None, None, None)
    journal.flush()
    assert found(run) == [1, 2]
    early.__exit__(None, None, None)
    journal.flush()
    assert found(run) == [2]


def test_a_block_that_broke_keeps_its_answers(run: Run, journal: AnswerJournal) -> None:
    def broken() -> None:
        with journal.block():
            journal.append(answer(1, dim=6_000))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    journal.flush()
    with journal.block():
        journal.append(answer(2, dim=6_000))
    journal.flush()
    assert found(run) == [1, 2]


def test_a_full_disk_halts_the_run_and_spoils_nothing(
    run: Run, journal: AnswerJournal, halts: list[TukuError], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append(answer(1))
    write = os.write

    def torn(descriptor: int, data: memoryview) -> int:
        if len(data) < 200:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[: len(data) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", torn)
        journal.append(answer(2))
    [error] = halts
    assert isinstance(error, StoppedError)
    assert "disk is full" in str(error)
    journal.append(answer(3))  # what was under way comes in after all
    assert found(run) == [1, 3]


def test_a_disk_that_does_not_take_the_flush_halts_the_run(
    run: Run, journal: AnswerJournal, halts: list[TukuError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    journal.append(answer(1))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        journal.flush()
    assert [type(error) for error in halts] == [StorageError]
    assert found(run) == [1]


def test_a_folder_that_cannot_be_made_halts_the_run(run: Run, journal: AnswerJournal, halts: list[TukuError]) -> None:
    run.storage.write("runs", b"a file where the folder should be")
    journal.append(answer(1))
    assert [type(error) for error in halts] == [StorageError]


def test_what_is_appended_is_flushed_by_itself(
    run: Run, halts: list[TukuError], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = threading.Event()
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.set())
    journal = AnswerJournal(run, "w", halts.append, flush_interval_s=0.01)
    assert not synced.wait(timeout=0.1)
    journal.append(answer(1))
    assert synced.wait(timeout=5)
    journal.close()


def test_a_journal_that_goes_while_it_is_being_read_is_none(run: Run, journal: AnswerJournal) -> None:
    journal.append(answer(1))
    tables = read_journals(run)
    storage = run.storage
    names = storage.files("runs/r-1/paid")
    storage.write("runs/r-1/paid/journal-z.arrows", b"")
    assert [table.num_rows for table in tables] == [1, 0]
    tables = read_journals(run)
    next(tables)
    storage.remove("runs/r-1/paid/journal-z.arrows")
    assert list(tables) == []
    assert names == storage.files("runs/r-1/paid")


KILLED = """
import sys
from pathlib import Path
import numpy as np
from tuku.journal import AnswerJournal
from tuku.run import Run
from tuku.storage import DiskStorage, Storage
journal = AnswerJournal(Run(DiskStorage(Path(sys.argv[1])), "r-1"), "w", print, 1e6)
for number in range(1_000_000):
    vector = np.full(1024, number, np.float32)
    journal.append({"content_sha256": f"sha-{number}", "image_embedding": vector, "embedding_fingerprint": "e"})
    print(number, flush=True)
"""


def test_sigkill_takes_nothing_that_was_appended(run: Run, tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(200)]
    process.send_signal(signal.SIGKILL)
    said += process.stdout.readlines()
    process.wait()
    appended = [int(line) for line in said if line.endswith("\n")]
    assert found(run)[: len(appended)] == appended
    assert len(found(run)) <= len(appended) + 1
