from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tuku.errors import RowError
from tuku.fetching.files import read_file
from tuku.fetching.protocol import Fetched


def code_of(uri: str, max_bytes: int = 1_000) -> str:
    outcome = read_file(str(uri), max_bytes)
    assert isinstance(outcome, RowError)
    assert not outcome.retryable
    return outcome.code


def test_a_path_and_a_file_uri(folder):
    expected = Fetched("图".encode())
    assert read_file(str(folder / "图 片.jpg"), 1_000) == expected
    assert read_file(f"file://{folder}/%E5%9B%BE%20%E7%89%87.jpg", 1_000) == expected
    assert read_file(f"FILE://localhost{folder}/图 片.jpg", 1_000) == expected


def test_a_path_is_not_unescaped(tmp_path):
    (tmp_path / "50%25?.jpg").write_bytes(b"x")
    assert read_file(str(tmp_path / "50%25?.jpg"), 10) == Fetched(b"x")


def test_the_limit_is_a_number_of_bytes(folder):
    assert len(read_file(str(folder / "large.jpg"), 2_000).content) == 2_000
    assert code_of(folder / "large.jpg", max_bytes=1_999) == "too_large"


def test_a_file_whose_size_the_system_does_not_know():
    outcome = read_file("/proc/self/status", 1_000_000)
    assert outcome.content.startswith(b"Name:")
    assert code_of("/proc/self/status", max_bytes=100) == "too_large"


def test_what_is_not_there(folder):
    assert code_of(folder / "none.jpg") == "not_found"
    assert code_of(folder / "a.jpg" / "b.jpg") == "not_found"
    assert code_of("") == "not_found"


def test_what_is_no_file(folder, tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert code_of(folder) == "not_a_file"
    assert code_of("/dev/zero") == "not_a_file"
    assert code_of(tmp_path / "pipe.jpg") == "not_a_file"


def test_a_pipe_put_in_the_place_of_a_file_is_not_waited_for(tmp_path, monkeypatch):
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    real = Path(__file__).stat()
    monkeypatch.setattr("tuku.fetching.files.os.stat", lambda *_, **__: real)
    assert code_of(pipe) == "not_a_file"


def test_what_is_empty(tmp_path):
    (tmp_path / "empty.jpg").touch()
    assert code_of(tmp_path / "empty.jpg") == "empty"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read(tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (tmp_path / "secret.jpg").chmod(stat.S_IWUSR)
    assert code_of(tmp_path / "secret.jpg") == "permission_denied"


def test_permission_denied_is_told_by_the_exception(folder, monkeypatch):
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tuku.fetching.files.os.open", refuse)
    assert code_of(folder / "a.jpg") == "permission_denied"


def test_other_trouble(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert code_of(tmp_path / "loop") == "read_failed"
    assert code_of("/" + "a" * 300) == "read_failed"
    assert code_of("/a\0b.jpg") == "bad_url"
    assert code_of("/\ud800.jpg") == "bad_url"
    assert code_of("file://other-host/a.jpg") == "bad_url"
