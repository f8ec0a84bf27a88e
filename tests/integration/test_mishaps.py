"""What happens at 3 a.m.: each mishap ends with one paragraph that says what to do, and no stack trace."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.milvus]


def test_a_lake_that_cannot_be_written(tuku, catalogue, tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    done = tuku("ingest", catalogue, "--set", f"lake.uri={in_the_way}/lake")
    assert done.code == 2
    assert "lake.uri" in done.err
    assert "Traceback" not in done.err


def test_a_missing_model_package(tuku, catalogue, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u, sys\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name.startswith('efficientnet') else find(name, package)\n"
    )
    done = tuku("ingest", catalogue, env={"PYTHONPATH": str(tmp_path)})
    assert done.code == 2
    assert "tuku[local]" in done.err
    assert "Traceback" not in done.err


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of 64 KiB, in memory."""
    disk = tmp_path / "small-disk"
    disk.mkdir()
    _mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", disk)
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _mount(*arguments: object) -> None:
    """Mount, or skip the test: that needs Linux, root, and in a container the leave to do it."""
    command = shutil.which("mount")
    if sys.platform != "linux" or command is None:
        pytest.skip("a small disk is a tmpfs: that needs Linux")
    done = subprocess.run([command, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"may not mount a small disk: {done.stderr.strip()}")


@pytest.mark.long
def test_a_full_disk(tuku, catalogue, small_disk):
    done = tuku("ingest", catalogue, "--set", f"lake.uri={small_disk}/lake")
    assert done.code == 5
    assert "disk is full" in done.err.lower()
    assert "Traceback" not in done.err


def test_a_read_only_lake(tuku, catalogue, small_disk):
    lake = small_disk / "lake"
    lake.mkdir()
    _mount("-o", "remount,ro", small_disk)
    done = tuku("ingest", catalogue, "--set", f"lake.uri={lake}")
    assert done.code == 2
    _, tuku_says, paragraph = done.err.partition("tuku: ")
    assert tuku_says
    assert "\n\n" not in paragraph.strip()
    assert str(lake) in paragraph
    assert "read-only" in paragraph
    assert "lake.uri" in paragraph
    assert "Traceback" not in done.err


def test_an_unreadable_manifest(tuku, tmp_path):
    for name, content in {"empty.csv": b"", "picture.xyz": b"?", "no-uri.csv": b"a,b\n1,2\n"}.items():
        (tmp_path / name).write_bytes(content)
        done = tuku("ingest", tmp_path / name)
        assert done.code == 2, name
        assert name in done.err
    assert not list(tuku.lake.glob("runs/*"))


def test_a_configuration_error_names_the_key_and_what_is_allowed(tuku):
    wrong = tuku("ingest", "x.csv", "--set", "decode.max_pixel=5")
    assert wrong.code == 2
    assert "decode.max_pixel" in wrong.err
    assert "max_pixels" in wrong.err
