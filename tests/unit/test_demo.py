"""The demo's catalogue: whole, honest, and the same every time."""

from __future__ import annotations

import csv
import hashlib
import importlib.machinery
from pathlib import Path

import pytest
from PIL import Image

from tuku import demo
from tuku.demo import build_catalogue, main
from tuku.demo_photographs import PHOTOGRAPHS
from tuku.errors import ConfigError, StorageError

Row = dict[str, str]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("skimage", reason="the extra `demo` is not installed")
    pytest.importorskip("sklearn", reason="the extra `demo` is not installed")
    return build_catalogue(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def rows(catalogue: Path) -> list[Row]:
    with catalogue.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_is_complete_and_is_a_picture_of_its_own(catalogue: Path, rows: list[Row]) -> None:
    assert 40 <= len(rows) <= 60
    assert len({row["id"] for row in rows}) == len(rows)
    contents = set()
    for row in rows:
        assert all(row[name] for name in ("title", "title_zh", "category", "source"))
        assert float(row["price"]) > 0
        file = catalogue.parent / row["uri"]
        contents.add(hashlib.sha256(file.read_bytes()).hexdigest())
        with Image.open(file) as picture:
            picture.load()
            assert {"JPEG": ".jpg", "PNG": ".png"}[str(picture.format)] == file.suffix
            assert min(picture.size) >= 40
    assert len(contents) == len(rows)


def test_a_part_names_the_photograph_it_is_cut_from(rows: list[Row]) -> None:
    whole = {row["id"] for row in rows if not row["part_of"]}
    assert whole == {photograph.name for photograph in PHOTOGRAPHS}
    assert {row["part_of"] for row in rows} - {""} <= whole


def test_titles_are_not_repeated_and_one_file_has_a_chinese_name(rows: list[Row]) -> None:
    assert len({row["title"] for row in rows}) == len(rows)
    assert len({row["title_zh"] for row in rows}) == len(rows)
    assert "photographs/猫.png" in {row["uri"] for row in rows}


def test_a_second_run_writes_only_what_is_missing_or_wrong(catalogue: Path) -> None:
    files = sorted(path for path in catalogue.parent.rglob("*") if path.is_file())
    before = {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in files}
    damaged, lost = files[1], files[2]
    damaged.write_bytes(b"half a pict")
    lost.unlink()
    assert build_catalogue(catalogue.parent) == catalogue
    changed = {file for file in files if file.stat().st_mtime_ns != before[file][0]}
    assert changed == {damaged, lost}
    assert {file: file.read_bytes() for file in files} == {file: content for file, (_, content) in before.items()}


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"scikit-image is not installed.*pip install 'tuku\[demo\]'"):
        build_catalogue(tmp_path)


def test_a_package_without_the_photograph_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    empty = importlib.machinery.ModuleSpec("skimage", None, is_package=True)
    empty.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(demo, "find_spec", lambda name: empty)
    with pytest.raises(ConfigError, match=r"scikit-image carries no data/chelsea\.png"):
        build_catalogue(tmp_path / "demo")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="Not a directory"):
        build_catalogue(tmp_path / "file" / "demo")


def test_the_command_prints_the_catalogues_path(catalogue: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(catalogue.parent)]) == 0
    assert capsys.readouterr().out == f"{catalogue}\n"


def test_the_command_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
