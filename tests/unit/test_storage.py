"""Storage: a file is whole or absent, and what goes wrong says what to do."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tuku.errors import StoppedError, StorageError
from tuku.storage import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "lake")


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
    storage = Storage(tmp_path / "lake")
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
    wanted = Storage(tmp_path / "my lake 图")
    assert Storage.at("my lake 图") == wanted
    assert Storage.at("~/my lake 图") == wanted
    assert Storage.at((tmp_path / "my lake 图").as_uri()) == wanted


def test_an_object_store_is_refused_without_its_secrets() -> None:
    with pytest.raises(StorageError, match="s3://") as error:
        Storage.at("s3://key:secret@bucket/lake")
    assert "secret" not in str(error.value)
