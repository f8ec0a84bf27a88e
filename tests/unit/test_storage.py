"""Storage: a file is whole or absent, and what goes wrong says what to do."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest

from fakes.contenders import contend, count_up, create_all
from tuku import disk
from tuku.errors import ConfigError, StoppedError, StorageError
from tuku.storage import DiskStorage, Storage, storage_at


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return DiskStorage(tmp_path / "lake")


def everything_in(storage: Storage) -> list[str]:
    return sorted(str(path.relative_to(storage.root)) for path in storage.root.rglob("*") if path.is_file())


def write_half(storage: Storage, name: str, error: BaseException) -> NoReturn:
    with storage.atomic(name) as file:
        file.write(b"half")
        raise error


def fails_with(number: int) -> Any:
    def fail(*_args: object, **_named: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_file_appears_under_its_name_when_it_is_whole(storage: Storage) -> None:
    with storage.atomic("a/b.bin") as file:
        file.write(b"whole")
        assert storage.files("a") == []
        assert not storage.exists("a/b.bin")
    assert storage.files("a") == ["a/b.bin"]
    assert storage.read("a/b.bin") == b"whole"
    assert everything_in(storage) == ["a/b.bin"]


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), StoppedError("budget reached")])
def test_an_error_while_writing_leaves_nothing(storage: Storage, error: BaseException) -> None:
    with pytest.raises(type(error)):
        write_half(storage, "a/b.bin", error)
    assert storage.files("a") == []
    assert everything_in(storage) == []


def test_an_error_while_writing_leaves_the_older_file_as_it_was(storage: Storage) -> None:
    storage.write("a.txt", b"old")
    with pytest.raises(ValueError, match="bad"):
        write_half(storage, "a.txt", ValueError("bad"))
    assert storage.read("a.txt") == b"old"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_stops_the_run_and_says_how_to_go_on(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    storage.write("before.txt", b"whole")
    monkeypatch.setattr(os, "fsync", fails_with(number))
    with pytest.raises(StoppedError) as stopped:
        storage.write("a.txt", b"x")
    assert str(storage.root) in stopped.value.message
    assert "run the same command again" in stopped.value.remedy
    assert stopped.value.exit_code == 5
    assert everything_in(storage) == ["before.txt"]


def test_a_disk_that_fills_up_half_way_leaves_nothing(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "open", lambda _path, mode: io.BufferedWriter(io.FileIO("/dev/full", mode)))
    with pytest.raises(StoppedError):
        storage.write("a.txt", b"x" * 1_000_000)
    assert everything_in(storage) == []


def test_a_file_in_the_place_of_the_folder_is_explained(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("not a folder")
    storage = DiskStorage(tmp_path / "lake")
    for use in (storage.prepare, lambda: storage.write("a/b.txt", b"x"), lambda: storage.files("")):
        with pytest.raises(StorageError, match=f"{storage.root}.* cannot be used") as error:
            use()
        assert "lake.uri" in error.value.remedy


def test_a_read_only_disk_is_explained(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.root.mkdir()
    # Such a disk refuses to unlink even what is not there.
    for method in ("open", "unlink", "write_bytes"):
        monkeypatch.setattr(Path, method, fails_with(errno.EROFS))
    for use in (storage.prepare, lambda: storage.write("b.txt", b"x"), lambda: storage.remove("b.txt")):
        with pytest.raises(StorageError, match="read-only file system") as error:
            use()
        assert error.value.exit_code == 2


def test_prepare_makes_the_root_and_leaves_nothing_in_it(storage: Storage) -> None:
    storage.prepare()
    storage.prepare()
    assert storage.root.is_dir()
    assert list(storage.root.iterdir()) == []


def test_prepare_on_a_full_disk_leaves_nothing(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    def half_written(path: Path, _content: bytes) -> NoReturn:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half_written)
    with pytest.raises(StoppedError):
        storage.prepare()
    assert list(storage.root.iterdir()) == []


def test_files_are_sorted_and_only_the_finished_ones_of_the_suffix(storage: Storage) -> None:
    for name in ("b.parquet", "a.parquet", "note.txt", ".tmp-0.parquet", "deeper/c.parquet"):
        storage.write(f"parts/{name}", b"")
    assert storage.files("parts", ".parquet") == ["parts/a.parquet", "parts/b.parquet"]
    assert storage.folders("parts") == ["deeper"]
    assert storage.files("absent") == []
    assert storage.folders("absent") == []


def test_what_is_not_there_cannot_be_read(storage: Storage) -> None:
    with pytest.raises(StorageError, match="no such file"):
        storage.read("absent.txt")


def test_a_file_is_removed_once_and_being_absent_is_no_error(storage: Storage) -> None:
    storage.write("a.txt", b"x")
    storage.remove("a.txt")
    storage.remove("a.txt")
    assert not storage.exists("a.txt")


def test_a_folder_that_must_not_be_looked_into_is_explained(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", fails_with(errno.EACCES))
    with pytest.raises(StorageError, match="permission denied"):
        storage.exists("a.txt")


def test_paths_and_file_uris_name_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    wanted = DiskStorage(tmp_path / "my lake 图")
    assert storage_at("my lake 图") == wanted
    assert storage_at("~/my lake 图") == wanted
    assert storage_at((tmp_path / "my lake 图").as_uri()) == wanted


def test_an_object_store_is_refused_without_its_secrets() -> None:
    with pytest.raises(StorageError, match="s3://") as error:
        storage_at("s3://key:secret@bucket/lake")
    assert "secret" not in str(error.value)


def test_a_bucket_without_the_client_for_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tuku.storage.in_bucket", raising=False)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ConfigError, match="package obstore") as found:
        storage_at("s3://bucket/lake")
    assert "tuku[s3]" in str(found.value)


def test_a_file_is_created_only_if_there_is_none(storage: Storage) -> None:
    assert storage.create("a/b.txt", b"first")
    assert not storage.create("a/b.txt", b"second")
    assert storage.find("a/b.txt") == b"first"
    assert everything_in(storage) == ["a/b.txt"]


def test_of_eight_processes_one_creates_each_file(tmp_path: Path) -> None:
    won = contend(8, partial(create_all, tmp_path, 30))
    assert sorted(name for names in won for name in names) == list(range(30))
    for number, names in enumerate(won):
        assert {DiskStorage(tmp_path).read(f"file-{name}") for name in names} <= {f"by {number}".encode()}
    assert len(everything_in(DiskStorage(tmp_path))) == 30


def test_a_link_whose_answer_was_lost_was_made(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def link_twice(*args: Any, **named: Any) -> None:
        link(*args, **named)
        link(*args, **named)  # A network file system asks again: the name is there now.

    monkeypatch.setattr(os, "link", link_twice)
    assert storage.create("a.txt", b"x")
    assert not storage.create("a.txt", b"y")
    assert storage.read("a.txt") == b"x"


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_without_links_is_named_as_such(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "link", fails_with(number))
    with pytest.raises(StorageError, match="has no hard links"):
        storage.create("a.txt", b"x")
    assert everything_in(storage) == []


def test_a_process_that_dies_after_the_link_leaves_the_whole_file(storage: Storage) -> None:
    dies = """
import os, pathlib, sys
from tuku.storage import DiskStorage, Storage, storage_at
pathlib.Path.unlink = lambda *_args, **_named: os._exit(9)
DiskStorage(pathlib.Path(sys.argv[1])).create("a/b.txt", b"whole")
"""
    assert subprocess.run([sys.executable, "-c", dies, str(storage.root)], check=False).returncode == 9
    assert len(everything_in(storage)) == 2  # The temporary name is there as well, and nobody sees it:
    assert storage.files("a") == ["a/b.txt"]
    assert not storage.create("a/b.txt", b"other")
    assert storage.swap("a/b.txt", b"new", expected=b"whole")
    assert storage.read("a/b.txt") == b"new"


def test_a_swap_needs_what_was_expected(storage: Storage) -> None:
    assert not storage.swap("a.txt", b"new", expected=b"")
    assert storage.find("a.txt") is None
    storage.write("a.txt", b"old")
    assert not storage.swap("a.txt", b"new", expected=b"other")
    assert storage.swap("a.txt", b"new", expected=b"old")
    assert storage.find("a.txt") == b"new"


def test_of_eight_processes_one_makes_each_swap(tmp_path: Path) -> None:
    DiskStorage(tmp_path).write("count", b"0")
    won = contend(8, partial(count_up, tmp_path, 100))
    assert sorted(number for numbers in won for number in numbers) == list(range(100))
    assert DiskStorage(tmp_path).read("count") == b"100"


def test_a_disk_that_is_full_leaves_what_a_swap_would_have_replaced(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write("a.txt", b"old")
    monkeypatch.setattr(Path, "write_bytes", fails_with(errno.ENOSPC))
    with pytest.raises(StoppedError, match="disk is full"):
        storage.swap("a.txt", b"new", expected=b"old")
    assert storage.read("a.txt") == b"old"


@pytest.fixture
def locker(storage: Storage) -> Any:
    """A process that is within a swap and stays there."""
    storage.write("a.txt", b"old")
    stays = """
import pathlib, signal, sys
from tuku.disk import locked
with locked(pathlib.Path(sys.argv[1])):
    print("locked", flush=True)
    signal.pause()
"""
    command = [sys.executable, "-c", stays, str(storage.path(".lock"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def test_a_swap_waits_for_another_and_its_lock_is_gone_with_its_process(
    storage: Storage, locker: subprocess.Popen[str]
) -> None:
    threading.Timer(0.2, locker.kill).start()
    assert storage.swap("a.txt", b"new", expected=b"old")
    assert locker.wait(10) == -signal.SIGKILL


def test_a_process_that_stands_still_within_a_swap_is_told_of(
    storage: Storage, locker: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_LOCK_WAIT_S", 0.05)
    locker.send_signal(signal.SIGSTOP)
    with pytest.raises(StorageError, match=r"another process has held .*\.lock for"):
        storage.swap("a.txt", b"new", expected=b"old")
    assert storage.read("a.txt") == b"old"


def test_a_process_forked_within_a_swap_does_not_keep_its_lock(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write("a.txt", b"old")
    monkeypatch.setattr(disk, "_LOCK_WAIT_S", 0.05)
    with disk.locked(storage.path(".lock")):
        child = os.fork()
        if child == 0:
            signal.pause()
    try:
        assert storage.swap("a.txt", b"new", expected=b"old")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
