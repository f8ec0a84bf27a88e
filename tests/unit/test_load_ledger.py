"""The load ledger: where it is kept, and what of it an earlier tuku has left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuku.errors import StorageError
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
    staged = tmp_path / "tuku-staging" / "tuku-r1"
    staged.mkdir(parents=True)
    made = begun(storage, staged_in=str(staged))
    old = f"{FOLDER}/tuku.json"
    storage.write(old, storage.read(made.name))
    storage.write(f"{FOLDER}/other-01234567.json", storage.read(made.name))  # nobody knows who has copied it
    storage.remove(made.name)
    [found] = LoadLedger.all(storage)
    found.set_filled(7)
    assert storage.files(FOLDER) == [f"{FOLDER}/other-01234567.json", old]
    [again] = LoadLedger.all(storage)
    assert again.filled == 7
    again.remove()
    assert storage.files(FOLDER) == [f"{FOLDER}/other-01234567.json"]
    assert not staged.exists()


def changed(storage: DiskStorage, **values: Any) -> LoadLedger:
    """A ledger that somebody has edited."""
    ledger = begun(storage)
    storage.write(ledger.name, json.dumps({**json.loads(storage.read(ledger.name)), **values}).encode())
    return ledger


@pytest.mark.parametrize(
    "values",
    [
        {"filled": "20"},
        {"filled": []},
        {"filled": -1},
        {"filled": True},
        {"rows_per_file": "x"},
        {"files": {"a": {"rows": "1", "size": 2, "sha256": ""}}},
        {"files": {"a": {"rows": 1, "size": 2, "sha256": "", "state": "lost"}}},
        {"staged_in": 5},
        {"staged_in": "gopher://x/tuku-staging/tuku-r1"},
        {"newer": 1},
    ],
)
def test_one_with_a_wrong_value_is_named_and_passed_over(
    storage: DiskStorage, caplog: pytest.LogCaptureFixture, values: dict[str, Any]
) -> None:
    name = changed(storage, **values).name
    assert list(LoadLedger.all(storage)) == []
    assert f"{name} is no load ledger of this version, and is passed over" in caplog.text


@pytest.mark.parametrize("content", [b"[" * 5_000, b"null", b"", b"\xff\xfe"])
def test_what_is_no_ledger_at_all_is_named_and_passed_over(
    storage: DiskStorage, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    storage.write(f"{FOLDER}/tuku.json", content)
    assert list(LoadLedger.all(storage)) == []
    assert "tuku.json is no load ledger of this version, and is passed over" in caplog.text


@pytest.mark.parametrize(
    "place",
    [
        "precious",
        "precious/tuku-r1",
        "tuku-staging",
        "tuku-staging/other-r1",
        "tuku-staging/tuku-r1/below",
        "tuku-staging/tuku-r1/..",
        "tuku-staging/tuku-r1/../../precious",
    ],
)
def test_one_that_would_have_other_folders_removed_is_passed_over(
    storage: DiskStorage, caplog: pytest.LogCaptureFixture, tmp_path: Path, place: str
) -> None:
    changed(storage, staged_in=f"{tmp_path}/{place}")
    assert list(LoadLedger.all(storage)) == []
    assert "is no load ledger of this version" in caplog.text


def test_what_a_link_leads_to_is_not_removed(storage: DiskStorage, tmp_path: Path) -> None:
    precious, link = tmp_path / "precious", tmp_path / "tuku-staging" / "tuku-r1"
    precious.mkdir()
    link.parent.mkdir()
    link.symlink_to(precious)
    changed(storage, staged_in=str(link))
    [found] = LoadLedger.all(storage)
    with pytest.raises(StorageError):
        found.remove()
    assert precious.exists()
    assert len(list(LoadLedger.all(storage))) == 1
