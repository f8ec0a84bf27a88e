"""What happens at 3 a.m.: each mishap ends with one paragraph that says what to do, and no stack trace."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from support import environment

pytestmark = [pytest.mark.ray, pytest.mark.milvus]


def test_ctrl_c_keeps_what_is_done_and_the_next_run_goes_on(tuku, catalogue, tmp_path):
    listed = _many_pictures(catalogue, tmp_path / "many", count=480)
    arguments = ["ingest", str(listed), "--set", "runtime.block_rows=32"]
    process = subprocess.Popen(
        tuku.command(*arguments), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 60
        while not list(tuku.lake.glob("runs/*/parts/part-*.parquet")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "again" in err
    again = tuku(*arguments, "--json")
    assert again.code == 0, again.err
    report = again.json
    assert report["resumed"]
    assert report["rows"]["unchanged"] > 0
    assert report["rows"]["unchanged"] + report["rows"]["ok"] == report["rows"]["manifest"]
    assert report["verify"]["passed"]


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


def _many_pictures(catalogue: Path, folder: Path, count: int) -> Path:
    """A folder of small pictures, no two alike: an index full of equal vectors would fail its proof, rightly."""
    folder.mkdir()
    chance = random.Random(7)
    sources = sorted(path for path in catalogue.parent.rglob("*") if path.suffix in {".jpg", ".png"})
    pictures = [Image.open(path).convert("RGB") for path in sources[:12]]
    for number in range(count):
        picture = pictures[number % len(pictures)]
        left, top = chance.uniform(0, 0.6) * picture.width, chance.uniform(0, 0.6) * picture.height
        box = (left, top, left + 0.4 * picture.width, top + 0.4 * picture.height)
        picture.resize((160, 120), box=box).save(folder / f"{number:04d}.jpg")
    return folder
