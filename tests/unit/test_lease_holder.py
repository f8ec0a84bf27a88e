"""Who holds a lease: known to be gone only where that is certain."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tuku import lease_holder
from tuku.lease_holder import Holder


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as process:
        yield process
        process.kill()


def holder_of(pid: int) -> Holder:
    return replace(Holder.this_process("tuku ingest"), pid=pid, process_start=lease_holder._start(pid) or "")


def test_a_holder_comes_back_as_it_was() -> None:
    holder = Holder.this_process("tuku ingest")
    assert Holder.read(holder.to_json()) == holder
    assert Holder.read(holder.next_beat().to_json()) == replace(holder, beat=1)
    assert holder.next_beat().to_json() != holder.to_json()


@pytest.mark.parametrize("content", [b"", b"\0\0\0", b"[]", b"3", b"{}", b'{"owner": "a"}', b"\xff"])
def test_what_is_no_lease_has_no_holder(content: bytes) -> None:
    assert Holder.read(content) is None


@pytest.mark.parametrize("special", [{"pid": "12"}, {"beat": None}])
def test_a_holder_with_odd_values_is_none(special: dict[str, object]) -> None:
    assert Holder.read(replace(Holder.this_process("tuku"), **special).to_json()) is None


def test_people_are_told_who_it_is() -> None:
    text = str(replace(Holder.this_process("tuku load"), host="night-1", pid=12, since="2026-11-21T02:15:00+00:00"))
    assert text == "`tuku load` on night-1, process 12, since 2026-11-21T02:15:00+00:00"


def test_two_leases_of_one_process_differ() -> None:
    assert Holder.this_process("tuku").owner != Holder.this_process("tuku").owner


def test_this_process_is_there() -> None:
    assert not Holder.this_process("tuku").is_gone()


def test_a_process_that_was_killed_is_gone_even_before_its_parent_asks(child: subprocess.Popen[bytes]) -> None:
    holder = holder_of(child.pid)
    assert not holder.is_gone()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # It has ended, and stays listed.
    assert holder.is_gone()
    child.wait()
    assert holder.is_gone()


def test_another_process_that_got_the_same_number_is_not_the_holder() -> None:
    assert replace(holder_of(os.getpid()), process_start="1").is_gone()


@pytest.mark.parametrize("machine", ["another machine", ""])
def test_of_another_machine_nothing_is_known(child: subprocess.Popen[bytes], machine: str) -> None:
    holder = replace(holder_of(child.pid), machine=machine)
    child.kill()
    child.wait()
    assert not holder.is_gone()


def test_without_a_table_of_processes_nothing_is_known(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_holder, "_PROC", lease_holder.Path("/nowhere"))
    holder = holder_of(child.pid)
    child.kill()
    child.wait()
    assert not holder.is_gone()


def test_a_process_that_one_may_not_look_at_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = holder_of(os.getpid())

    def refuse(_pid: int, _number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    monkeypatch.setattr(lease_holder, "_start", lambda _pid: None)  # as with /proc mounted with hidepid
    assert not holder.is_gone()


@pytest.mark.parametrize("pid", [0, -1])
def test_a_number_that_means_many_processes_is_nobody(pid: int) -> None:
    assert not replace(Holder.this_process("tuku"), pid=pid).is_gone()
