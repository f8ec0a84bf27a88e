"""Dead letters become rows of a manifest again, with nothing but the letters themselves."""

from __future__ import annotations

import pyarrow as pa

from fakes.tables import failure, manifest_rows
from tuku.dead_letters import DeadLetters, RowsToRetry, Selection
from tuku.errors import RowError
from tuku.schemas import EMBEDDED, ROWS
from tuku.stages.outcome import advance
from tuku.stages.write import write_batch

RAGGED = {"stage": "manifest", "code": "ragged_row"}
TWICE = {"stage": "plan", "code": "duplicate_id"}


def retried(lake, *wanted: str | None) -> pa.Table:
    return pa.concat_tables([ROWS.empty_table(), *RowsToRetry(lake, Selection(*wanted)).tables()])


def said(lake, *wanted: str | None) -> str:
    rows = RowsToRetry(lake, Selection(*wanted))
    list(rows.tables())
    return " ".join(rows.warnings())


def test_a_row_comes_back_as_it_was_read(lake):
    rows = manifest_rows(
        {"image_id": "a", "uri": "/图/1.png", "metadata": '{"price": 4, "标题": "猫"}', "manifest_row": '{"id": "a"}'},
        {"image_id": "b", "source_fingerprint": "f00"},
    )
    run, _ = lake.begin()
    worked = advance(rows, "fetch", EMBEDDED, [0, 1], [RowError("timeout", "Late.", retryable=True, attempts=3)] * 2)
    write_batch(worked, run)
    run.commit()
    found = retried(lake)
    assert found.schema.equals(ROWS)
    assert found.drop(["source_fingerprint"]).equals(rows.drop(["source_fingerprint"]))
    assert found.column("source_fingerprint").null_count == 2


def test_what_the_manifest_is_to_blame_for_is_left_out_and_counted(lake, add):
    add(failed=[{"image_id": "a", **RAGGED}, {"image_id": "a", **TWICE}, {"image_id": "b", **TWICE}, {"image_id": "c"}])
    assert retried(lake)["image_id"].to_pylist() == ["c"]
    assert "3 rows cannot be helped by trying again (duplicate_id 2, ragged_row 1): mend the manifest" in said(lake)
    assert retried(lake, "ragged_row").num_rows == 0
    assert "(ragged_row 1)" in said(lake, "ragged_row")


def test_a_code_that_no_row_failed_with_is_answered_with_those_there_are(lake, add):
    assert said(lake) == ""
    assert said(lake, "timeuot") == "No row has failed with the code timeuot. Rows that have: none."
    add(failed=[{"image_id": "a"}, {"image_id": "b", **RAGGED}, {"image_id": "c", **RAGGED}])
    expected = (
        "No row has failed with the code timeuot at the stage fetch. Rows that have: ragged_row at manifest (2), "
    )
    assert said(lake, "timeuot", "fetch").startswith(expected)
    assert said(lake, None, "fetch") == ""


def test_only_what_was_asked_for(lake, add):
    truncated = failure("decode", RowError("truncated", "Too short."))
    add(failed=[{"image_id": "a"}, {"image_id": "b", **truncated}, {"image_id": "c", **truncated}])
    add(ok="c")
    assert retried(lake, "truncated")["image_id"].to_pylist() == ["b"]
    assert retried(lake, None, "fetch")["image_id"].to_pylist() == ["a"]
    assert sorted(retried(lake)["image_id"].to_pylist()) == ["a", "b"]


def test_metadata_of_a_row_without_a_picture_is_kept(lake):
    run, _ = lake.begin()
    error = failure("manifest", RowError("missing_uri", "The row has no uri."))
    rows = manifest_rows({"image_id": "a", "metadata": '{"price": 4}', **error})
    write_batch(advance(rows, "", EMBEDDED, [], []), run)
    run.commit()
    [letters] = DeadLetters.of(lake).batches(["metadata", "code"])
    assert letters.to_pylist() == [{"metadata": '{"price": 4}', "code": "missing_uri"}]
