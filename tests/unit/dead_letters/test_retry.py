"""Dead letters become rows of a manifest again, with nothing but the letters themselves."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from fakes.tables import failure, manifest_rows
from tuku.dead_letters import DeadLetters, rows_to_retry
from tuku.errors import RowError
from tuku.schemas import EMBEDDED, ROWS
from tuku.stages.outcome import advance
from tuku.stages.write import write_batch

RAGGED = {"stage": "manifest", "code": "ragged_row"}
TWICE = {"stage": "plan", "code": "duplicate_id"}


def retried(lake, *given, **options) -> pa.Table:
    return pa.concat_tables([ROWS.empty_table(), *rows_to_retry(lake, *given, **options)])


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
    left_out: Counter[str] = Counter()
    assert retried(lake, left_out=left_out)["image_id"].to_pylist() == ["c"]
    assert left_out == {"duplicate_id": 2, "ragged_row": 1}
    assert retried(lake, "ragged_row").num_rows == 0


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
