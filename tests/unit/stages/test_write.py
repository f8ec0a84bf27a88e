"""Write: every row is in exactly one of parts and errors, unchanged."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.models import FakeCaptioner, FakeEmbedder
from fakes.tables import decoded_rows
from tuku.errors import SAME_CONTENT, STOPPED, UNCHANGED, RowError, StoppedError
from tuku.lake import Lake, Run, read_rows
from tuku.protocols import Caption
from tuku.schemas import DEAD_LETTERS, IMAGES, MANIFEST_ROW, PAID, TWINS
from tuku.stages.caption import caption_batch
from tuku.stages.embed import embed_batch
from tuku.stages.paid import PaidAnswers
from tuku.stages.write import write_batch

RED = (250, 10, 0)
NOT_FOUND = RowError("not_found", "No such file.", retryable=True)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return new_run(tmp_path / "lake")


def new_run(folder: Path) -> Run:
    run, _ = Lake.at(str(folder)).begin()
    return run


def finished(*colours: tuple[int, int, int] | RowError, captioner: FakeCaptioner | None = None) -> pa.Table:
    """Rows that have been through all stages but the last."""
    batch = caption_batch(decoded_rows(*colours), captioner or FakeCaptioner(), "c", PaidAnswers())
    return embed_batch(batch, FakeEmbedder(), ("image", "text"), "e", PaidAnswers())


def with_column(batch: pa.Table, name: str, values: list) -> pa.Table:
    index = batch.column_names.index(name)
    return batch.set_column(index, batch.schema.field(index), pa.array(values, batch.schema.field(index).type))


def read(run: Run, names: list[str], schema: pa.Schema) -> pa.Table:
    tables = [table for name in names for table in read_rows(run.storage, name)]
    assert all(table.schema.equals(schema) for table in tables)
    return pa.concat_tables([schema.empty_table(), *tables])


def read_both(run: Run) -> tuple[pa.Table, pa.Table]:
    return read(run, run.parts(), IMAGES), read(run, run.errors(), DEAD_LETTERS)


@settings(max_examples=20, deadline=None)
@given(failed=st.lists(st.booleans(), max_size=8))
def test_every_row_is_in_exactly_one_place(tmp_path_factory: pytest.TempPathFactory, failed: list[bool]) -> None:
    run = new_run(tmp_path_factory.mktemp("lake"))
    batch = finished(*[NOT_FOUND if fails else RED for fails in failed])
    assert write_batch(batch, run).equals(batch)
    images, dead_letters = read_both(run)
    assert images["image_id"].to_pylist() == [f"id-{i}" for i, fails in enumerate(failed) if not fails]
    assert dead_letters["image_id"].to_pylist() == [f"id-{i}" for i, fails in enumerate(failed) if fails]


def test_a_row_is_written_as_it_is_with_run_and_time(run: Run) -> None:
    metadata = json.dumps({"名称": '猫 "Tom"\n', "price": 1.50, "n": 10**15}, ensure_ascii=False)
    batch = with_column(finished(RED), "metadata", [metadata])
    write_batch(batch, run)
    [image] = read_both(run)[0].to_pylist()
    [row] = batch.to_pylist()
    assert image["metadata"] == metadata
    assert image["run_id"] == run.run_id
    assert image["ingested_at"].utcoffset().total_seconds() == 0
    shared = set(image) - {"run_id", "ingested_at"}
    assert {name: image[name] for name in shared} == {name: row[name] for name in shared}


def test_a_dead_letter_says_why_and_which_manifest_row_it_was(run: Run) -> None:
    batch = with_column(finished(NOT_FOUND), "manifest_row", ['{"path": "猫.jpg"}'])
    write_batch(batch, run)
    [letter] = read_both(run)[1].to_pylist()
    assert (letter["stage"], letter["code"], letter["message"]) == ("fetch", "not_found", "No such file.")
    assert letter["retryable"] is True
    assert letter["run_id"] == run.run_id
    assert letter["manifest_row"] == '{"path": "猫.jpg"}'
    assert {field.name: letter[field.name] for field in MANIFEST_ROW}["row_number"] == 1


def test_a_block_in_which_all_fail_and_one_without_captions_keep_their_types(run: Run) -> None:
    write_batch(finished(NOT_FOUND, NOT_FOUND), run)
    assert read_both(run)[0].num_rows == 0
    assert read_both(run)[1].num_rows == 2
    silent = FakeCaptioner(captions={"sha-0": Caption(""), "sha-1": Caption("")})
    write_batch(finished(RED, RED, captioner=silent), run)
    images, _ = read_both(run)
    assert images["caption"].to_pylist() == ["", ""]
    assert images["keywords"].to_pylist() == [[], []]


def test_a_block_written_again_replaces_itself_even_if_it_ends_otherwise(run: Run) -> None:
    for batch in (finished(RED, NOT_FOUND), finished(RED, RED), finished(NOT_FOUND, RED)):
        write_batch(batch, run)
    images, dead_letters = read_both(run)
    assert images["image_id"].to_pylist() == ["id-1"]
    assert dead_letters["image_id"].to_pylist() == ["id-0"]


def test_dead_letters_of_one_id_in_two_blocks_are_both_kept(run: Run) -> None:
    batch = with_column(finished(NOT_FOUND, NOT_FOUND), "image_id", ["same", "same"])
    write_batch(batch.slice(0, 1), run)
    write_batch(batch.slice(1, 1), run)
    assert sorted(read_both(run)[1]["row_number"].to_pylist()) == [1, 2]


def twins(run: Run, round_: int) -> list[str]:
    return read(run, run.twins(round_), TWINS)["image_id"].to_pylist()


def test_rows_that_ended_without_a_failure_are_no_dead_letters_and_twins_are_the_next_rounds(run: Run) -> None:
    ended = [RowError(code, "Ended.") for code in (SAME_CONTENT, UNCHANGED, STOPPED, SAME_CONTENT)]
    batch = finished(*ended, NOT_FOUND, RED)
    write_batch(batch, run, round_=2)
    images, dead_letters = read_both(run)
    assert (images["image_id"].to_pylist(), dead_letters["image_id"].to_pylist()) == (["id-5"], ["id-4"])
    assert twins(run, 2) == ["id-0", "id-3"]
    assert run.twins(1) == []


def test_a_block_written_again_replaces_its_twins_too(run: Run) -> None:
    same = RowError(SAME_CONTENT, "Another has it.")
    write_batch(finished(same, RED), run)
    write_batch(finished(RED, same), run)
    assert twins(run, 1) == ["id-1"]
    assert read_both(run)[0]["image_id"].to_pylist() == ["id-0"]
    write_batch(finished(RED, RED), run)
    assert twins(run, 1) == []


def test_what_a_stopped_row_had_gained_is_kept(run: Run) -> None:
    failing = FakeEmbedder(failures={"A red picture": RowError(STOPPED, "Halted.")})
    batch = caption_batch(decoded_rows(RED), FakeCaptioner(), "c", PaidAnswers())
    write_batch(embed_batch(batch, failing, ("image", "text"), "e", PaidAnswers()), run)
    [paid] = read(run, run.paid(), PAID).to_pylist()
    assert (paid["caption"], paid["caption_fingerprint"], paid["embedding_fingerprint"]) == ("A red picture", "c", "e")
    assert paid["image_embedding"] is not None
    assert paid["text_embedding"] is None
    assert [table.num_rows for table in read_both(run)] == [0, 0]


def test_a_full_disk_stops_the_job() -> None:
    class FullSink:
        run_id = "r-1"

        def write_twins(self, name: str, rows: pa.Table, round_: int) -> None:
            assert rows.num_rows == 0

        def write_block(self, name: str, images: pa.Table, dead_letters: pa.Table, paid: pa.Table) -> None:
            raise StoppedError("The disk is full.")

    with pytest.raises(StoppedError):
        write_batch(finished(RED), FullSink())
