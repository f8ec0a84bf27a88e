"""Folders and globs as manifests."""

import os
import subprocess
from pathlib import Path

import pytest

from tuku.config import ManifestConfig
from tuku.errors import ManifestError
from tuku.stages.manifest import read_manifest

PICTURES = ["a.jpg", "B.JPEG", "z.webp", "sub/c.png", "sub/deep/d.TIF", "夏 装/连衣裙#1.jpg", "夏 装/100%.gif"]


def read(uri: str | Path, batch_rows: int = 8192, **config) -> list[dict]:
    tables = read_manifest(ManifestConfig(**config), str(uri), batch_rows=batch_rows)
    return [row for table in tables for row in table.to_pylist()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    others = ["notes.txt", "jpg", ".hidden.jpg", ".cache/e.jpg", "sub/Thumbs.db", "x.jpg.part"]
    for name in PICTURES + others:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "folder.jpg").mkdir()
    return root


def names(rows: list[dict], folder: Path) -> list[str]:
    return [row["uri"].removeprefix(f"{folder}/") for row in rows]


def test_every_picture_once_in_a_fixed_order(folder: Path):
    rows = read(folder)
    expected = ["B.JPEG", "a.jpg", "z.webp", "sub/c.png", "sub/deep/d.TIF", "夏 装/100%.gif", "夏 装/连衣裙#1.jpg"]
    assert names(rows, folder) == expected
    assert [row["row_number"] for row in rows] == list(range(1, 8))
    assert {row["metadata"] for row in rows} == {"{}"}
    assert {row["code"] for row in rows} == {None}
    assert len({row["image_id"] for row in rows}) == 7
    assert {row["manifest_uri"] for row in rows} == {str(folder)}
    assert read(f"{folder}/", batch_rows=2) == rows
    assert read(folder, limit=3) == rows[:3]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", ["B.JPEG", "a.jpg", "z.webp"]),
        ("*.jpg", ["a.jpg"]),
        ("**", PICTURES),
        ("**/*", PICTURES),
        ("**/*.jpg", ["a.jpg", "夏 装/连衣裙#1.jpg"]),
        ("**/**/*.jpg", ["a.jpg", "夏 装/连衣裙#1.jpg"]),
        ("*/*", ["sub/c.png", "夏 装/100%.gif", "夏 装/连衣裙#1.jpg"]),
        ("sub/**", ["sub/c.png", "sub/deep/d.TIF"]),
        ("**/deep/*", ["sub/deep/d.TIF"]),
        ("s?b/*.png", ["sub/c.png"]),
        ("[ab].jpg", ["a.jpg"]),
        ("夏*/*.jpg", ["夏 装/连衣裙#1.jpg"]),
    ],
)
def test_globs(folder: Path, pattern: str, expected: list[str]):
    assert sorted(names(read(folder / pattern), folder)) == sorted(expected)


def test_a_path_that_looks_like_a_glob_but_exists_is_taken_as_it_is(tmp_path: Path):
    odd = tmp_path / "[2024] *new*"
    odd.mkdir()
    (odd / "a.jpg").touch()
    assert names(read(odd), odd) == ["a.jpg"]


def test_links_are_followed_but_not_in_circles(folder: Path, tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "o.jpg").touch()
    (outside / "back").symlink_to(folder)
    (folder / "linked").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    (folder / "self.jpg").symlink_to(folder / "self.jpg")
    (folder / "gone.jpg").symlink_to(folder / "nothing.jpg")
    (folder / "link.jpg").symlink_to(folder / "a.jpg")
    added = {"linked/o.jpg", "self.jpg", "gone.jpg", "link.jpg"}  # what is no picture is for the fetch stage to say
    assert set(names(read(folder), folder)) == set(PICTURES) | added


def test_a_deep_folder_needs_no_deep_stack(tmp_path: Path):
    deep = str(tmp_path)
    try:
        for _ in range(1200):
            deep += "/d"
            os.mkdir(deep)  # noqa: PTH102  # pathlib itself needs a deep stack for it
        os.close(os.open(f"{deep}/a.jpg", os.O_CREAT))
        assert [row["uri"] for row in read(tmp_path)] == [f"{deep}/a.jpg"]
    finally:
        subprocess.run(["rm", "-r", f"{tmp_path}/d"], check=True)  # pytest's own clean-up would fail on it


def test_a_name_that_is_not_utf8_is_a_dead_letter(tmp_path: Path):
    os.close(os.open(os.fsencode(tmp_path) + b"/caf\xe9.jpg", os.O_CREAT))
    (tmp_path / "ok.jpg").touch()
    rows = read(tmp_path)
    assert [row["code"] for row in rows] == ["invalid_row", None]
    assert "caf\\udce9.jpg" in rows[0]["manifest_row"].replace("\\\\", "\\")


@pytest.mark.parametrize("pattern", ["", "*.jpg", "**/*.jpg"])
def test_no_pictures_is_an_error_that_says_what_is_one(tmp_path: Path, pattern: str):
    (tmp_path / "readme.txt").touch()
    with pytest.raises(ManifestError, match="no pictures") as caught:
        read(tmp_path / pattern)
    assert ".webp" in caught.value.remedy


def test_a_glob_below_nothing_is_an_error(tmp_path: Path):
    with pytest.raises(ManifestError, match=r"no folder .*/nowhere"):
        read(tmp_path / "nowhere" / "*.jpg")


def test_a_folder_that_cannot_be_listed_is_an_error_not_a_gap(folder: Path, monkeypatch: pytest.MonkeyPatch):
    scandir = os.scandir

    def refuse(path: str):
        if path.endswith("/deep"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # the tests may run as root, whom no mode stops
    with pytest.raises(ManifestError, match=r"Cannot list the folder .*/sub/deep .*Permission denied"):
        read(folder)
