"""Bulk import against an importer that plays failures; no Milvus needed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.import_jobs import LOST_ROWS, OneNode, PlayedImporter
from fakes.memory_lake import DIM, images
from tuku.errors import LeaseLostError, MilvusError, StorageError
from tuku.load_ledger import LoadLedger
from tuku.milvus import bulk as bulk_module
from tuku.milvus.bulk import MOST_FAILURES, BulkImport
from tuku.milvus.export import cut_into, import_schema, rows_per_file, write_import_file
from tuku.milvus.fields import Layout, Typed
from tuku.milvus.imports import ForgottenJobError, ImportFailedError
from tuku.milvus.staging import Staging
from tuku.storage import DiskStorage

LAYOUT = Layout(("image_embedding",), DIM)
ROWS = images([f"i{n}" for n in range(25)], "r1")
STAGED = "tuku-staging/tuku__r1-r1"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_module, "_POLL_S", 0.001)


def test_where_a_file_cannot_be_written_the_remedy_names_the_staging_place_and_not_the_lake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="Files for Milvus cannot be staged") as error:
        write_import_file([ROWS], LAYOUT, DiskStorage(tmp_path / "file"), "a.parquet")
    assert "load.staging_uri" in error.value.remedy
    assert "lake.uri" not in error.value.remedy


def test_a_lake_that_cannot_be_read_is_named_as_that(tmp_path: Path) -> None:
    def tables() -> Iterator[pa.Table]:
        yield ROWS
        raise StorageError("The lake cannot be used.", "Check lake.uri.")

    with pytest.raises(StorageError, match=r"^The lake cannot be used\.") as error:
        write_import_file(tables(), LAYOUT, DiskStorage(tmp_path), "a.parquet")
    assert error.value.remedy == "Check lake.uri."
    assert list(tmp_path.iterdir()) == []


def begun(folder: Path) -> LoadLedger:
    ledger = LoadLedger(
        DiskStorage(folder / "lake"), "tuku__r1", "here", "content", rows_per_file=10, staged_in=str(folder / STAGED)
    )
    ledger.save()
    return ledger


def bulk(folder: Path, importer: PlayedImporter, ledger: LoadLedger | None = None, **changes) -> BulkImport:
    staging = Staging(DiskStorage(folder / STAGED), str(folder / STAGED))
    given = {"in_flight": 2, "stall_s": 60.0, "before_each": lambda: None, "progress": lambda rows: None, **changes}
    return BulkImport(importer, staging, ledger or next(LoadLedger.all(DiskStorage(folder / "lake"))), LAYOUT, **given)


def tables() -> list[pa.Table]:
    return [ROWS.slice(start, 7) for start in range(0, 25, 7)]


@given(st.lists(st.integers(0, 9), max_size=8), st.integers(1, 12))
def test_parts_have_the_rows_in_order_and_the_right_size(sizes: list[int], rows: int) -> None:
    numbers = iter(range(sum(sizes)))
    tables = [pa.table({"n": [next(numbers) for _ in range(size)]}) for size in sizes]
    parts = [[n for table in part for n in table.column("n").to_pylist()] for part in cut_into(tables, rows)]
    assert [n for part in parts for n in part] == list(range(sum(sizes)))
    assert all(len(part) == rows for part in parts[:-1])
    assert all(parts)


def test_a_part_that_nobody_wants_is_passed_over() -> None:
    parts = [table for number, part in enumerate(cut_into(tables(), 10)) if number == 1 for table in part]
    assert pa.concat_tables(parts).column("image_id").to_pylist() == [f"i{n}" for n in range(10, 20)]


def test_an_import_file_has_what_milvus_wants(tmp_path: Path) -> None:
    layout = Layout(("image_embedding",), DIM, {"price": Typed("double")})
    written = write_import_file(tables(), layout, DiskStorage(tmp_path), "a.parquet")
    found = pq.read_table(tmp_path / "a.parquet")
    assert found.schema.equals(import_schema(layout))
    assert (written.rows, written.size) == (25, (tmp_path / "a.parquet").stat().st_size)
    row = found.to_pylist()[3]
    assert row["id"] == "i3"
    assert row["image_embedding"] == ROWS.column("image_embedding")[3].as_py()
    assert row["price"] == 1.5
    assert json.loads(row["$meta"]) == {"meta_id": 3, "tags": {"a": [1, None]}}


def test_rows_per_file_follow_from_their_weight() -> None:
    small, large = (rows_per_file(ROWS, LAYOUT, size) for size in (10_000, 100_000))
    assert 8 * small < large < 12 * small
    assert rows_per_file(ROWS, LAYOUT, 1) == 1


def test_all_rows_are_imported_some_files_at_once(tmp_path: Path) -> None:
    importer, seen = PlayedImporter(), []
    bulk(tmp_path, importer, begun(tmp_path), progress=seen.append).run(tables())
    assert importer.imported == {f"i{n}": 1 for n in range(25)}
    assert importer.started == ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    assert importer.most_at_once == 2
    assert seen[-1] == 25


def test_an_import_that_fails_is_started_again(tmp_path: Path) -> None:
    importer = PlayedImporter({"part-00001.parquet": ["fail", "fail"]})
    bulk(tmp_path, importer, begun(tmp_path)).run(tables())
    assert importer.imported == {f"i{n}": 1 for n in range(25)}
    assert importer.started.count("part-00001.parquet") == 3


def test_one_that_fails_for_good_is_named_and_the_next_load_goes_on(tmp_path: Path) -> None:
    importer = PlayedImporter({"part-00001.parquet": ["fail"] * MOST_FAILURES})
    with pytest.raises(
        ImportFailedError, match=r"tuku__r1-r1/part-00001.parquet .* failed 3 times.* disk of the index"
    ) as raised:
        bulk(tmp_path, importer, begun(tmp_path)).run(tables())
    assert raised.value.exit_code == 4
    bulk(tmp_path, importer).run(tables())
    assert importer.imported == {f"i{n}": 1 for n in range(25)}


def test_one_that_comes_out_short_is_told(tmp_path: Path) -> None:
    importer = PlayedImporter({"part-00000.parquet": ["short"]})
    short = bulk(tmp_path, importer, begun(tmp_path))
    short.run(tables())
    assert short.short == {"part-00000.parquet"}
    assert importer.imported.total() == 25 - LOST_ROWS
    assert short.ledger.files["part-00000.parquet"].state == "importing"
    short.settled("part-00000.parquet")
    assert {file.state for file in next(LoadLedger.all(short.ledger.storage)).files.values()} == {"done"}


def test_one_that_never_ends_is_named_and_the_next_load_begins_anew(tmp_path: Path) -> None:
    importer = PlayedImporter({"part-00001.parquet": ["stall"]})
    with pytest.raises(ImportFailedError, match=r"part-00001.parquet .*job 2\) has stood at 40%") as raised:
        bulk(tmp_path, importer, begun(tmp_path), stall_s=0.05).run(tables())
    assert raised.value.exit_code == 4
    assert list(LoadLedger.all(DiskStorage(tmp_path / "lake"))) == []
    assert not (tmp_path / STAGED).exists()


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> OneNode:
    """Its clock is the load's."""
    importer = OneNode()
    monkeypatch.setattr(bulk_module, "time", SimpleNamespace(monotonic=lambda: importer.now_s))
    return importer


def test_those_that_wait_for_their_turn_at_any_percent_do_not_stand_still(tmp_path: Path, node: OneNode) -> None:
    """Nine files at once and a node that does one at a time: each waits far longer than `stall_s`, twice."""
    ledger = begun(tmp_path)
    ledger.rows_per_file = 3
    bulk(tmp_path, node, ledger, in_flight=16, stall_s=60.0).run(tables())
    assert node.imported == {f"i{n}": 1 for n in range(25)}
    assert node.most_at_once == 9
    assert node.ended_s > 8 * 2 * node.turn_s
    assert {file.state for file in ledger.files.values()} == {"done"}


def test_one_that_is_stuck_among_others_is_found_when_the_others_have_ended(tmp_path: Path, node: OneNode) -> None:
    node.stuck, ledger = 4, begun(tmp_path)
    ledger.rows_per_file = 3
    with pytest.raises(ImportFailedError, match=r"part-00003.parquet .*job 4\) has stood at 40% for 60 s"):
        bulk(tmp_path, node, ledger, in_flight=16, stall_s=60.0).run(tables())
    assert node.imported.total() == 25 - 3
    assert 60 < node.now_s - node.ended_s < 80


def test_a_server_that_is_away_for_a_while_is_waited_for(tmp_path: Path) -> None:
    importer = PlayedImporter(away=20)
    bulk(tmp_path, importer, begun(tmp_path)).run(tables())
    assert importer.imported == {f"i{n}": 1 for n in range(25)}


def test_a_server_that_stays_away_ends_the_load_and_the_next_one_goes_on(tmp_path: Path) -> None:
    importer = PlayedImporter(away=10_000)
    with pytest.raises(MilvusError, match="the server is starting"):
        bulk(tmp_path, importer, begun(tmp_path), stall_s=0.05).run(tables())
    importer.away = 0
    bulk(tmp_path, importer).run(tables())
    assert importer.imported == {f"i{n}": 1 for n in range(25)}


@pytest.mark.parametrize("acts", [["unheard"], ["fail", "unheard"]])
def test_an_import_whose_start_was_not_heard_of_is_found_again(tmp_path: Path, acts: list[str]) -> None:
    importer = PlayedImporter({"part-00001.parquet": [*acts]})
    with pytest.raises(MilvusError, match="the connection broke"):
        bulk(tmp_path, importer, begun(tmp_path)).run(tables())
    bulk(tmp_path, importer).run(tables())
    assert importer.imported == {f"i{n}": 1 for n in range(25)}
    assert importer.started.count("part-00001.parquet") == len(acts)


def test_an_import_that_milvus_has_forgotten_is_not_guessed_at(tmp_path: Path) -> None:
    importer, ledger = PlayedImporter(looks=10_000), begun(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        bulk(tmp_path, importer, ledger, progress=_interrupt).run(tables())
    with pytest.raises(ForgottenJobError, match=r"import 1 of .*part-00000\.parquet any more"):
        bulk(tmp_path, PlayedImporter()).run(tables())


def _interrupt(rows: int) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("lost", [True, False])
@pytest.mark.parametrize("after", range(1, 12))
def test_a_load_that_is_cut_off_anywhere_is_gone_on_with_and_nothing_comes_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int, lost: bool
) -> None:
    """It ends at its nth note in the ledger, before or after the note is on disk."""
    importer, ledger, notes, save = PlayedImporter(), begun(tmp_path), itertools.count(1), LoadLedger.save

    def dies(self: LoadLedger) -> None:
        dead = next(notes) >= after
        if not (dead and lost):
            save(self)
        if dead:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
        patched.setattr(LoadLedger, "save", dies)
        bulk(tmp_path, importer, ledger).run(tables())
    bulk(tmp_path, importer).run(tables())
    assert importer.imported == {f"i{n}": 1 for n in range(25)}


@pytest.mark.parametrize(
    "spoil",
    [
        Path.unlink,
        lambda file: file.write_bytes(b"PAR1"),
        lambda file: file.write_bytes(bytes(file.stat().st_size)),  # a disk that lost its pages
    ],
)
def test_a_staged_file_that_is_gone_or_spoilt_is_written_again(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    importer, ledger = PlayedImporter(), begun(tmp_path)
    stopped = bulk(tmp_path, importer, ledger, before_each=_taken_over_after(2))  # the file was staged, and noted
    with pytest.raises(LeaseLostError):
        stopped.run(tables())
    assert importer.started == []
    spoil(tmp_path / STAGED / "part-00000.parquet")
    bulk(tmp_path, importer).run(tables())
    assert importer.imported == {f"i{n}": 1 for n in range(25)}


def _taken_over_after(times: int) -> Callable[[], None]:
    """Asked so often, it answers well."""
    left = iter(range(times))

    def require() -> None:
        if next(left, None) is None:
            raise LeaseLostError("another run has taken the lake over")

    return require


ACTS = {"fail": ["fail"], "fail for good": ["fail"] * MOST_FAILURES, "short": ["short"], "stall": ["stall"], "well": []}


@pytest.mark.parametrize("name", ACTS)
def test_whether_the_lake_is_still_ours_is_asked_before_each_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Who has stood still would write over the ledger, and remove the files, of the one that goes on from there."""
    events: list[str] = []

    def noted(change: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any) -> Any:
            events.append(change.__name__)
            return change(*arguments)

        return wrapped

    for change in (LoadLedger.put, LoadLedger.remove):
        monkeypatch.setattr(LoadLedger, change.__name__, noted(change))
    monkeypatch.setattr(bulk_module, "write_import_file", noted(write_import_file))
    importer, given = PlayedImporter({"part-00001.parquet": [*ACTS[name]]}), {"stall_s": 0.05}
    given["before_each"] = lambda: events.append("asked")
    interrupted = bulk(tmp_path, importer, begun(tmp_path), **{**given, "progress": _interrupt})
    with pytest.raises(KeyboardInterrupt):
        interrupted.run(tables())
    going_on = bulk(tmp_path, importer, **given)
    with suppress(ImportFailedError):
        going_on.run(tables())
        for short in going_on.short:
            going_on.settled(short)
    assert {"put", "write_import_file"} <= set(events)
    assert ("remove" in events) is (name == "stall")
    assert events[::2] == ["asked"] * (len(events) // 2)
    assert "asked" not in events[1::2]
