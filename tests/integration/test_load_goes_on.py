"""A load that was cut off, and the next one: what is gone on with, what is begun anew, and what is left of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import memory_lake
from fakes.lite_imports import LiteImporter
from fakes.memory_lake import MemoryLake, configured, failed, images
from support import Tuku, environment
from tuku.errors import LeaseLostError
from tuku.milvus.connect import connected
from tuku.milvus.job import LoadReport

pytestmark = pytest.mark.milvus

IDS = [f"i{n}" for n in range(25)]


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "milvus.db")


@pytest.fixture
def lake() -> MemoryLake:
    return MemoryLake(images(IDS, "n1"))


def load(uri: str, lake: MemoryLake, run_id: str, *, sections: dict | None = None, **changes) -> LoadReport:
    """One load, whose proof must hold."""
    report = memory_lake.run(configured(uri, **sections or {}), lake, Path(uri).parent / "ledgers", run_id, **changes)
    assert failed(report) == []
    return report


def dies_in(wanted: str, least: int = 0) -> Callable[[str, int, int], None]:
    """In a phase, when so many rows are done."""

    def progress(phase: str, done: int, total: int) -> None:
        if phase == wanted and done >= least:
            raise KeyboardInterrupt

    return progress


def collections(uri: str) -> list[str]:
    with connected(configured(uri).milvus) as client:
        return sorted(client.list_collections())


def ledgers(uri: str) -> list[str]:
    return sorted(path.name for path in (Path(uri).parent / "ledgers" / "loads").glob("*"))


@pytest.fixture
def imports(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LiteImporter:
    """Loads import files of ten rows each."""
    monkeypatch.setattr("tuku.milvus.begun.rows_per_file", lambda first, layout, size: 10)
    monkeypatch.setattr("tuku.milvus.bulk._POLL_S", 0.001)
    importer = LiteImporter(config=configured(uri))
    importer.use(monkeypatch)
    return importer


def staged(tmp_path: Path) -> dict:
    return {"load": {"staging_uri": str(tmp_path / "staged"), "imports_in_flight": 1}}


def test_a_run_that_brought_nothing_does_not_begin_the_load_anew(
    uri: str, lake: MemoryLake, imports: LiteImporter, tmp_path: Path
) -> None:
    """Every `tuku ingest` commits a run."""
    with pytest.raises(KeyboardInterrupt):
        load(uri, lake, "r0", sections=staged(tmp_path), progress=dies_in("import", 10))
    assert imports.imported.total() == 10
    lake.committed.add("n2")
    report = load(uri, lake, "n2", sections=staged(tmp_path))
    assert (report.collection, report.inserted, report.files) == ("tuku__r0", 25, 3)
    assert imports.imported == dict.fromkeys(IDS, 1)
    assert len(imports.started) == 3
    assert load(uri, lake, "n3").reason == "tuku__r0 fits and lacks 0 of the lake's runs"


@pytest.mark.parametrize("change", ["new", "gone"])
def test_a_run_that_brought_something_begins_the_load_anew(
    uri: str, lake: MemoryLake, imports: LiteImporter, tmp_path: Path, change: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        load(uri, lake, "r0", sections=staged(tmp_path), progress=dies_in("import", 10))
    if change == "new":
        lake.add(images(["i0"], "n2", seed=7))  # as many rows as before
    else:
        lake.remove(["i0"], "n2")
    assert load(uri, lake, "r1", sections=staged(tmp_path)).collection == "tuku__r1"
    assert collections(uri) == ["tuku__r1"]
    assert ledgers(uri) == []
    assert list((tmp_path / "staged").rglob("*.parquet")) == []


class Taken:
    """The lease of somebody who stands still while another goes on from the same ledger."""

    def __init__(self, uri: str) -> None:
        self.lost, self.folder = False, Path(uri).parent

    def by_another(self) -> None:
        self.lost = True
        [ledger] = (self.folder / "ledgers" / "loads").iterdir()
        ledger.write_text("of the other one")

    def require(self) -> None:
        if self.lost:
            raise LeaseLostError("another has taken the lake over")

    def left_alone(self) -> bool:
        [ledger] = (self.folder / "ledgers" / "loads").iterdir()
        return ledger.read_text() == "of the other one"


def test_the_ledger_of_the_next_one_stays_when_the_proof_fails(
    uri: str, lake: MemoryLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = Taken(uri)

    def count(client: object, name: str) -> int:
        taken.by_another()
        return 7

    monkeypatch.setattr("tuku.milvus.verify.collection.count", count)
    with pytest.raises(LeaseLostError):
        load(uri, lake, "r0", require_lease=taken.require)
    assert taken.left_alone()


def test_the_ledger_of_the_next_one_stays_when_all_rows_are_in(
    uri: str, lake: MemoryLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = Taken(uri)
    monkeypatch.setattr("tuku.milvus.load.flush", lambda *_: taken.by_another())
    with pytest.raises(LeaseLostError):
        load(uri, lake, "r0", require_lease=taken.require)
    assert taken.left_alone()


def test_the_ledger_of_the_next_one_stays_when_an_import_was_forgotten(
    uri: str, lake: MemoryLake, imports: LiteImporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = Taken(uri)
    with pytest.raises(KeyboardInterrupt):
        load(uri, lake, "r0", sections=staged(tmp_path), progress=dies_in("import"))
    files = sorted((tmp_path / "staged").rglob("*.parquet"))
    monkeypatch.setattr(imports, "jobs", lambda _: taken.by_another() or [])
    with pytest.raises(LeaseLostError):
        load(uri, lake, "r1", sections=staged(tmp_path), require_lease=taken.require)
    assert taken.left_alone()
    assert sorted((tmp_path / "staged").rglob("*.parquet")) == files != []


def test_two_milvus_that_one_lake_is_loaded_into_leave_each_other_alone(
    uri: str, lake: MemoryLake, imports: LiteImporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place their collections bear one name."""
    sections = {"load": {**staged(tmp_path)["load"], "alias": False}}
    with pytest.raises(KeyboardInterrupt):
        load(uri, lake, "r0", sections=sections, progress=dies_in("import", 10))
    others = str(tmp_path / "other.db")
    other = LiteImporter(config=configured(others))
    with monkeypatch.context() as patched:
        other.use(patched)
        load(others, lake, "r1", sections=sections)
    respelt = str(tmp_path / "there" / ".." / "milvus.db")
    monkeypatch.setattr(imports, "config", configured(respelt))
    report = memory_lake.run(configured(respelt, **sections), lake, tmp_path / "ledgers", "r2")
    assert (failed(report), report.inserted) == ([], 25)
    assert other.imported == imports.imported == dict.fromkeys(IDS, 1)
    assert ledgers(uri) == []
    assert list((tmp_path / "staged").rglob("*.parquet")) == []


def test_the_ledger_of_an_earlier_tuku_goes_with_its_files(uri: str, lake: MemoryLake, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        load(uri, lake, "r0", progress=dies_in("index"))
    [made] = (tmp_path / "ledgers" / "loads").iterdir()
    staged = tmp_path / "tuku-staging" / "tuku__r0-r0"
    staged.mkdir(parents=True)
    text = made.read_text().replace('"staged_in": ""', f'"staged_in": "{staged}"')
    made.with_name("tuku__r0.json").write_text(text.replace('"content": "', '"content": "another '))
    made.unlink()
    assert load(uri, lake, "r1").collection == "tuku__r1"
    assert (collections(uri), ledgers(uri)) == (["tuku__r1"], [])
    assert not staged.exists()


def test_an_edited_ledger_has_no_other_folder_removed(
    uri: str, lake: MemoryLake, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KeyboardInterrupt):
        load(uri, lake, "r0", progress=dies_in("index"))
    [made] = (tmp_path / "ledgers" / "loads").iterdir()
    made.write_text(made.read_text().replace('"staged_in": ""', f'"staged_in": "{tmp_path}"'))
    assert load(uri, lake, "r1").collection == "tuku__r1"
    assert "is no load ledger of this version" in caplog.text


def test_a_collection_that_has_lost_a_row_since_it_was_filled_is_begun_anew(uri: str, lake: MemoryLake) -> None:
    with pytest.raises(KeyboardInterrupt):
        load(uri, lake, "r0", progress=dies_in("index"))
    with connected(configured(uri).milvus) as client:
        client.load_collection("tuku__r0")
        client.delete("tuku__r0", ids=["i0"])
    assert load(uri, lake, "r1").collection == "tuku__r1"
    assert (collections(uri), ledgers(uri)) == (["tuku__r1"], [])


def test_ingest_that_was_killed_while_it_loaded_goes_on_when_it_is_run_again(
    tuku: Tuku, photographs: list[Path]
) -> None:
    manifest = tuku.folder / "manifest.csv"
    manifest.write_text("uri\n" + "".join(f"{path}\n" for path in photographs[:2]))
    dies = "import os\nfrom tuku.milvus import index\nindex.wait_indexed = lambda *_: os._exit(9)\n"
    killed = subprocess.run(
        [sys.executable, "-c", f"{dies}from tuku.cli import main\nmain()", *tuku.command("ingest", manifest)[3:]],
        cwd=tuku.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert killed.returncode == 9, killed.stderr
    [first] = (tuku.lake / "runs").iterdir()
    again = tuku("ingest", manifest, "--json")
    assert again.code == 0, again.err
    assert again.json["run_id"] != first.name
    assert again.json["load"]["collection"] == f"tuku__{first.name.replace('-', '_')}"
