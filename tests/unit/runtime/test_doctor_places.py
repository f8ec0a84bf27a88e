from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from tuku.config import CaptionConfig, Config, ManifestConfig, MilvusConfig
from tuku.errors import ConfigError, ManifestError, StorageError
from tuku.runtime import doctor_places
from tuku.runtime.doctor_places import check_collection, check_lake, check_manifest
from tuku.runtime.findings import Skipped


def catalogue(folder: Path, *lines: str) -> Config:
    path = folder / "pictures.csv"
    path.write_text("\n".join(["id,uri", *lines]) + "\n")
    return Config(manifest=ManifestConfig(uri=str(path)))


def test_a_lake_that_is_not_there_yet_is_not_made(tmp_path: Path):
    found = check_lake(str(tmp_path / "a" / "lake"))
    assert "the first run makes it" in found
    assert "GB are free" in found
    assert list(tmp_path.iterdir()) == []


def test_a_lake_that_is_there_is_left_as_it_was(tmp_path: Path):
    assert "the first run" not in check_lake(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_lake_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor_places.shutil, "disk_usage", lambda _: SimpleNamespace(free=5_000_000))
    with pytest.raises(StorageError, match="room for 5 MB only"):
        check_lake(str(tmp_path))


def test_a_lake_below_a_file(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="not a folder"):
        check_lake(str(tmp_path / "file" / "lake"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_lake_where_one_may_not_write(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="not a folder that you may write to"):
        check_lake(str(tmp_path / "lake"))


def test_a_lake_that_cannot_be():
    with pytest.raises(StorageError, match="hdfs://"):
        check_lake("hdfs://bucket/lake")


def test_a_manifest_is_read_no_further_than_its_first_rows(tmp_path: Path):
    assert check_manifest(catalogue(tmp_path, "1,a.jpg")) == "its first 1 row can be read"
    many = catalogue(tmp_path, *(f"{i},{i}.jpg" for i in range(500)))
    assert check_manifest(many) == "its first 100 rows can be read"
    assert check_manifest(catalogue(tmp_path)) == "it has no rows"


def test_wrong_rows_are_counted(tmp_path: Path):
    found = check_manifest(catalogue(tmp_path, "1,a.jpg", ",b.jpg", "3,c.jpg"))
    assert found == "its first 3 rows can be read, 1 of them wrong: missing_id 1"
    with pytest.raises(ManifestError, match=r"None of its first 2 rows is right: missing_id 2\."):
        check_manifest(catalogue(tmp_path, ",a.jpg", ",b.jpg"))


def test_a_manifest_that_is_not_there_or_was_not_named(tmp_path: Path):
    with pytest.raises(ManifestError):
        check_manifest(Config(manifest=ManifestConfig(uri=str(tmp_path / "absent.csv"))))
    assert isinstance(check_manifest(Config()), Skipped)


def test_models_that_do_not_fit_together(tmp_path: Path):
    config = Config(caption=CaptionConfig(provider="none"), milvus=MilvusConfig(uri=str(tmp_path / "milvus.db")))
    with pytest.raises(ConfigError, match=r"caption\.provider"):
        check_collection(config)
