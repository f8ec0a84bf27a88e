"""The load ledger: where it is kept, and what of it an earlier tuku has left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuku.load_ledger import FOLDER, LoadLedger, StagedFile
from tuku.storage import DiskStorage


@pytest.fixture
def storage(tmp_path: Path) -> DiskStorage:
    return DiskStorage(tmp_path / "lake")


def begun(storage: DiskStorage, target: str = "http://a default tuku", **changes) -> LoadLedger:
    ledger = LoadLedger(storage, "tuku", target, "content", **changes)
    ledger.save()
    return ledger


def test_what_was_noted_is_found_again(storage: DiskStorage) -> None:
    begun(storage, rows_per_file=10).put("a.parquet", StagedFile(3, 4, "5", "importing", "job", 1))
    [found] = LoadLedger.all(storage)
    assert (found.collection, found.rows_per_file, found.filled) == ("tuku", 10, None)
    assert found.files == {"a.parquet": StagedFile(3, 4, "5", "importing", "job", 1)}


def test_collections_of_one_name_in_two_places_have_each_their_own(storage: DiskStorage) -> None:
    first, second = begun(storage, "http://a default tuku"), begun(storage, "http://b default tuku")
    first.set_filled(7)
    second.remove()
    assert [ledger.filled for ledger in LoadLedger.all(storage)] == [7]


def test_one_of_an_earlier_tuku_keeps_its_name(storage: DiskStorage, tmp_path: Path) -> None:
    made = begun(storage, staged_in=str(tmp_path / "staged"))
    old = f"{FOLDER}/tuku.json"
    storage.write(old, storage.read(made.name))
    storage.write(f"{FOLDER}/other-01234567.json", storage.read(made.name))  # nobody knows who has copied it
    storage.remove(made.name)
    (tmp_path / "staged").mkdir()
    [found] = LoadLedger.all(storage)
    found.set_filled(7)
    assert storage.files(FOLDER) == [f"{FOLDER}/other-01234567.json", old]
    [again] = LoadLedger.all(storage)
    assert again.filled == 7
    again.remove()
    assert storage.files(FOLDER) == [f"{FOLDER}/other-01234567.json"]
    assert not (tmp_path / "staged").exists()
