"""One process at a time works on a lake, whatever is killed, stopped, or said by clocks."""

from __future__ import annotations

import errno
import logging
import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import pytest

from fakes.contenders import FAST, PATIENT, contend, work_alone
from fakes.lease_process import LeaseProcess
from tuku import lease_holder
from tuku.errors import LeaseLostError, StoppedError, StorageError
from tuku.lake import Lake
from tuku.lease import LEASE, Lease, LeaseTimes, holder_in
from tuku.lease_holder import Holder
from tuku.storage import DiskStorage


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(str(tmp_path / "lake"))


@pytest.fixture
def other(lake: Lake) -> Iterator[LeaseProcess]:
    """Another process, which holds the lease."""
    process = LeaseProcess(lake.storage.root)
    yield process
    process.close()


def holder_of(lake: Lake) -> Holder:
    holder = holder_in(lake.storage)
    assert holder is not None
    return holder


def until(what: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def beating(lake: Lake, holder: Holder) -> Iterator[None]:
    """Within the block somebody renews this lease."""
    ended = threading.Event()

    def beat() -> None:
        now = holder
        while not ended.wait(FAST.beat_s):
            lake.storage.write(LEASE, (now := now.next_beat()).to_json())

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def lost(lease: Lease) -> bool:
    try:
        lease.require()
    except LeaseLostError:
        return True
    return False


def fails(error: Exception) -> Any:
    def fail(*_args: object, **_named: object) -> NoReturn:
        raise error

    return fail


def test_a_lease_is_there_while_it_is_held_and_its_beat_goes_on(lake: Lake) -> None:
    with lake.exclusive(command="tuku ingest", times=FAST) as lease:
        first = holder_of(lake)
        assert (first.pid, first.command) == (os.getpid(), "tuku ingest")
        until(lambda: holder_of(lake).beat >= first.beat + 2)
        lease.require()
    assert holder_in(lake.storage) is None


def test_an_error_in_the_job_gives_the_lease_back_too(lake: Lake) -> None:
    with pytest.raises(KeyError), lake.exclusive(times=FAST):
        raise KeyError("a")
    assert holder_in(lake.storage) is None


def test_a_second_job_is_told_who_works_and_what_to_do(lake: Lake, other: LeaseProcess) -> None:
    with pytest.raises(StorageError) as error, lake.exclusive(times=PATIENT):
        pass
    since = holder_of(lake).since
    assert f"`tuku ingest` on {os.uname().nodename}, process {other.process.pid}, since {since}" in error.value.message
    assert "--wait" in error.value.remedy
    assert other.tell("require") == "ok"
    assert other.tell("commit") == "ok"


def test_one_process_cannot_hold_a_lake_twice(lake: Lake) -> None:
    with lake.exclusive(times=FAST) as lease:
        with pytest.raises(StorageError, match=f"process {os.getpid()},"), lake.exclusive(times=PATIENT):
            pass
        lease.require()


def test_a_killed_process_of_this_machine_is_succeeded_at_once(
    lake: Lake, other: LeaseProcess, caplog: pytest.LogCaptureFixture
) -> None:
    other.signal(signal.SIGKILL)
    with caplog.at_level(logging.WARNING), lake.exclusive(times=PATIENT):
        assert holder_of(lake).pid == os.getpid()
        assert lake.begin()[1] == [other.run_id]
    assert f"process {other.process.pid}" in caplog.text
    assert "its process has ended" in caplog.text
    assert holder_in(lake.storage) is None


def test_a_killed_process_of_another_machine_is_succeeded_when_its_beat_has_stopped(
    lake: Lake, other: LeaseProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lease_holder, "_machine", lambda: "another machine")
    other.signal(signal.SIGKILL)
    start = time.monotonic()
    with lake.exclusive(times=FAST):
        assert time.monotonic() - start >= FAST.dead_after_s
        assert holder_of(lake).pid == os.getpid()
    assert "not renewed for 1 s" in caplog.text


@pytest.mark.parametrize("machine", ["this", "another"])
def test_a_process_that_was_asleep_can_no_longer_commit(
    lake: Lake, other: LeaseProcess, monkeypatch: pytest.MonkeyPatch, machine: str
) -> None:
    if machine == "another":
        monkeypatch.setattr(lease_holder, "_machine", lambda: "another machine")
    other.signal(signal.SIGSTOP)
    with lake.exclusive(times=FAST) as lease:
        run, interrupted = lake.begin()
        assert interrupted == [other.run_id]
        other.signal(signal.SIGCONT)
        assert other.tell("commit").startswith("LeaseLostError Another run has taken over")
        said = other.tell("require")
        assert said.startswith("LeaseLostError This run stood still, and another has taken over the lake: `tuku` on")
        assert f"process {os.getpid()}" in said
        assert other.tell("end") == "ended"
        assert other.process.wait(20) == 0
        lease.require()  # Its clean exit has left us ours.
        run.commit()
    assert [each.run_id for each in lake.committed_runs()] == [other.run_id, run.run_id]


def test_a_process_that_was_asleep_goes_on_if_nobody_came(lake: Lake, other: LeaseProcess) -> None:
    other.signal(signal.SIGSTOP)
    time.sleep(FAST.dead_after_s)
    other.signal(signal.SIGCONT)
    assert other.tell("require") == "ok"
    assert other.tell("commit") == "ok"


def test_who_waits_is_told_once_for_whom_and_comes_when_the_other_has_ended(lake: Lake, other: LeaseProcess) -> None:
    told: list[str] = []

    def on_wait(who: str) -> None:
        told.append(who)
        threading.Timer(0.3, other.tell, ["end"]).start()

    with lake.exclusive(wait_s=60, on_wait=on_wait, times=PATIENT) as lease:
        lease.require()
    [who] = told
    assert f"process {other.process.pid}" in who


def test_who_waits_takes_over_when_the_other_dies(lake: Lake, other: LeaseProcess) -> None:
    kill = partial(other.signal, signal.SIGKILL)
    with lake.exclusive(wait_s=60, on_wait=lambda _who: kill(), times=PATIENT) as lease:
        lease.require()


def test_waiting_has_an_end(lake: Lake, other: LeaseProcess) -> None:
    start = time.monotonic()
    with pytest.raises(StorageError, match="Another run works"), lake.exclusive(wait_s=0.5, times=PATIENT):
        pass
    assert time.monotonic() - start >= 0.5
    assert other.tell("commit") == "ok"


def test_of_those_who_wait_one_works_at_a_time(tmp_path: Path) -> None:
    dead = Holder("x", "gone", lease_holder._machine(), os.getpid(), "another start", "tuku", "long ago")
    DiskStorage(tmp_path).write(LEASE, dead.to_json())
    held = sorted(time for times in contend(4, partial(work_alone, tmp_path, 3)) for time in times)
    assert len(held) == 12
    assert all(end <= start for (_, end), (start, _) in pairwise(held))
    assert holder_in(DiskStorage(tmp_path)) is None


@pytest.mark.parametrize("since", ["1970-01-01T00:00:00+00:00", "2999-12-31T00:00:00+00:00"])
def test_no_clock_has_a_say(lake: Lake, monkeypatch: pytest.MonkeyPatch, since: str) -> None:
    monkeypatch.setattr(time, "time", lambda: random.uniform(0, 1e11))
    usual = Holder.this_process("tuku ingest")
    holder = Holder("x", "h", "another machine", usual.pid, usual.process_start, "tuku ingest", since)
    lake.storage.write(LEASE, holder.to_json())
    with beating(lake, holder), pytest.raises(StorageError, match=re.escape(since)), lake.exclusive(times=PATIENT):
        pass
    with lake.exclusive(times=FAST) as lease:
        lease.require()


@pytest.mark.parametrize("content", [b"", b"torn by a power fail"])
def test_a_lease_that_cannot_be_read_is_taken_over_when_nobody_changes_it(lake: Lake, content: bytes) -> None:
    lake.storage.write(LEASE, content)
    with lake.exclusive(times=FAST) as lease:
        lease.require()
    assert holder_in(lake.storage) is None


@pytest.mark.parametrize("error", [StorageError("input/output error"), StoppedError("The disk is full")])
def test_a_disk_that_fails_for_a_moment_ends_nothing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    with lake.exclusive(times=PATIENT) as lease:
        with monkeypatch.context() as patch:
            patch.setattr(DiskStorage, "swap", fails(error))
            lease.require()
            time.sleep(3 * PATIENT.beat_s)
        beat = holder_of(lake).beat
        until(lambda: holder_of(lake).beat > beat)
        lease.require()


@pytest.mark.parametrize("error", [StorageError("input/output error"), StoppedError("The disk is full")])
def test_a_lease_that_could_not_be_renewed_for_long_is_lost(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    with lake.exclusive(times=FAST) as lease:
        with monkeypatch.context() as patch:
            patch.setattr(DiskStorage, "swap", fails(error))
            until(lambda: lost(lease))
        with pytest.raises(LeaseLostError, match=rf"could not renew its lease for 0\.6 s: {error}") as found:
            lease.require()
        assert found.value.exit_code == 5
    assert holder_in(lake.storage) is None  # It was still ours to give back.


def test_a_beat_that_was_written_although_the_disk_said_otherwise_is_ours(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap = DiskStorage.swap

    def swap_and_fail(*args: Any, **named: Any) -> NoReturn:
        swap(*args, **named)
        raise StorageError("input/output error")

    with lake.exclusive(times=LeaseTimes(beat_s=3_600)) as lease:
        with monkeypatch.context() as patch:
            patch.setattr(DiskStorage, "swap", swap_and_fail)
            lease.require()
        lease.require()
        lease.require()
        assert holder_of(lake).beat == 2


def test_a_lease_that_somebody_removed_is_lost(lake: Lake) -> None:
    with lake.exclusive(times=FAST) as lease:
        lake.storage.remove(LEASE)
        with pytest.raises(LeaseLostError, match="another has taken over"):
            lease.require()


def test_a_disk_that_fails_at_the_end_does_not_fail_the_job(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with lake.exclusive(times=LeaseTimes(beat_s=3_600)):
        monkeypatch.setattr(DiskStorage, "swap", fails(StorageError("input/output error")))
    assert "could not be given back: input/output error" in caplog.text
    assert holder_of(lake).pid == os.getpid()


@pytest.mark.parametrize(("number", "kind"), [(errno.EROFS, StorageError), (errno.ENOSPC, StoppedError)])
def test_a_lake_that_cannot_be_written_to_is_explained(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    monkeypatch.setattr(os, "link", fails(OSError(number, os.strerror(number))))
    with pytest.raises(kind, match=str(lake.storage.root)), lake.exclusive(times=FAST):
        pass
    assert holder_in(lake.storage) is None
