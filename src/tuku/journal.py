"""The journals of a run: answers that were paid for are on disk as they come, before their rows are done.

    <lake>/runs/<run_id>/paid/journal-<worker>-<number>.arrows

A block's part files supersede what it left in the journal (docs/adr/0008).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from tuku.errors import TukuError
from tuku.journal_format import HEAD, decode_answers, encode_answer
from tuku.run import Run
from tuku.storage import GrowingFile

FILE_BYTES = 64_000_000
_SUFFIX = ".arrows"


class AnswerJournal:
    """One worker's journal. Safe to use from several threads.

    On a disk an answer survives the end of the process as soon as it has been appended. The end of the machine, and in
    a bucket that of the process too, it survives once it has been flushed: a thread does that. Nothing is written
    before the first answer.

    Args:
        run: in whose folder it is.
        worker: distinguishes this worker from all others of the run.
        halt: told what keeps the lake from taking more. It is not raised: rows go on with the answers that they have.
        flush_interval_s: seconds between two flushes.
        file_bytes: a file that has grown beyond that is followed by another.
    """

    def __init__(
        self,
        run: Run,
        worker: str,
        halt: Callable[[TukuError], object],
        flush_interval_s: float,
        file_bytes: int = FILE_BYTES,
    ) -> None:
        self._run = run
        self._worker = worker
        self._halt = halt
        self._file_bytes = file_bytes
        self._number = 0  # of the file that is appended to
        self._files: dict[int, GrowingFile] = {}
        self._under_way: list[int] = []  # for each block, which file was appended to when it began
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._keep_flushing, args=(flush_interval_s,), name="journal", daemon=True).start()

    def append(self, answer: Mapping[str, Any]) -> None:
        """Put an answer on disk (see `encode_answer`)."""
        message = encode_answer(answer)
        with self._halting(), self._lock:
            file = self._file()
            file.append(message if file.size else HEAD + message)

    @contextmanager
    def block(self) -> Iterator[None]:
        """Within it a block is worked. If it ends without an error the block's part files are on disk."""
        with self._lock:
            began = self._number
            self._under_way.append(began)
        yield
        # Of a block that ended with an error this is never reached: its answers stay.
        with self._lock:
            self._under_way.remove(began)

    def flush(self) -> None:
        """Make what was appended survive a power failure, and remove files that nobody needs any more."""
        with self._halting(), self._flushing:
            with self._lock:
                files = dict(self._files)
            for file in files.values():
                file.sync()
            with self._lock:
                newest = files.get(self._number)
                if newest is not None and (newest.complete or newest.size > self._file_bytes):
                    self._number += 1
                needed = min([self._number, *self._under_way])
                superseded = [self._files.pop(number) for number in files if number < needed]
            for file in superseded:
                file.remove()

    def close(self) -> None:
        """Flush, and end the thread."""
        self._closed.set()
        self.flush()

    def _file(self) -> GrowingFile:
        if self._number not in self._files:
            name = f"{_folder(self._run)}/journal-{self._worker}-{self._number:06d}{_SUFFIX}"
            self._files[self._number] = self._run.storage.growing(name)
        return self._files[self._number]

    def _keep_flushing(self, interval_s: float) -> None:
        while not self._closed.wait(interval_s):
            self.flush()

    @contextmanager
    def _halting(self) -> Iterator[None]:
        try:
            yield
        except TukuError as error:
            self._halt(error)


def read_journals(run: Run) -> Iterator[pa.Table]:
    """The answers in a run's journals, also in those that are being written, a table of schema `PAID` for each."""
    for name in run.storage.files(_folder(run), _SUFFIX):
        content = run.storage.find(name)
        if content is not None:  # its worker may just have removed it: part files have all of it
            yield decode_answers(content)


def _folder(run: Run) -> str:
    return f"{run.folder}/paid"
