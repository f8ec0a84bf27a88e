"""What a stage records: no row is lost, none changes its place, and the first reason stays."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.tables import failure, manifest_rows
from tuku.errors import RowError
from tuku.schemas import CAPTIONED, DECODED, EMBEDDED, FETCHED, OUTCOME, ROWS
from tuku.stages.outcome import Outcome, advance, alive

errors = st.builds(
    RowError,
    code=st.sampled_from(["not_found", "timeout"]),
    message=st.text(max_size=5),
    retryable=st.booleans(),
    attempts=st.integers(min_value=1, max_value=9),
    request_id=st.none() | st.text(max_size=5),
)
verdicts = st.lists(st.none() | errors, max_size=8)
"""What becomes of each row at one stage: it fails, or it does not."""


def rows_with(first: list[RowError | None]) -> pa.Table:
    return manifest_rows(*[{} if error is None else failure("manifest", error) for error in first])


def outcomes_of(batch: pa.Table) -> list[dict]:
    return batch.select([field.name for field in OUTCOME]).to_pylist()


@given(verdicts, st.data())
def test_rows_keep_number_order_and_their_first_reason(first: list[RowError | None], data: st.DataObject) -> None:
    batch = rows_with(first)
    positions = alive(batch)
    assert positions == [i for i, error in enumerate(first) if error is None]
    second = {i: data.draw(st.none() | errors) for i in positions}
    outcomes: list[Outcome] = [second[i] or {"content": b"x", "content_sha256": f"sha-{i}"} for i in positions]
    after = advance(batch, "fetch", FETCHED, positions, outcomes)

    assert after.schema.equals(FETCHED)
    assert after["image_id"].to_pylist() == batch["image_id"].to_pylist()
    for i, row in enumerate(after.to_pylist()):
        failed_before, failed_now = first[i], second.get(i)
        if failed_before is not None:
            expected = failure("manifest", failed_before)
        else:
            expected = failure("fetch", failed_now) if failed_now else dict.fromkeys(expected_names())
        assert {name: row[name] for name in expected} == expected
        assert (row["content"] is None) == (row["content_sha256"] is None) == bool(failed_before or failed_now)


def expected_names() -> list[str]:
    return [field.name for field in OUTCOME]


@given(verdicts)
def test_the_same_work_done_twice_gives_the_same_batch(first: list[RowError | None]) -> None:
    batch = rows_with(first)
    positions = alive(batch)
    outcomes = [{"content_sha256": str(i)} for i in positions]
    assert advance(batch, "fetch", FETCHED, positions, outcomes).equals(
        advance(batch, "fetch", FETCHED, positions, outcomes)
    )


@pytest.mark.parametrize("rows", [0, 3])
def test_columns_without_a_value_keep_their_types_through_every_stage(rows: int) -> None:
    batch = manifest_rows(*[{}] * rows)
    error = RowError("not_found", "No such file.")
    batch = advance(batch, "fetch", FETCHED, alive(batch), [error] * rows)
    for stage, schema in (("decode", DECODED), ("caption", CAPTIONED), ("embed", EMBEDDED)):
        batch = advance(batch, stage, schema, alive(batch), [])
        assert batch.schema.equals(schema)
    assert outcomes_of(batch) == [failure("fetch", error)] * rows


def test_a_value_that_is_there_already_is_replaced_only_where_it_is_given() -> None:
    batch = manifest_rows({"source_fingerprint": "old-0"}, {"source_fingerprint": "old-1"}, {})
    after = advance(batch, "plan", ROWS, [0, 1, 2], [{}, {"source_fingerprint": "new-1"}, {}])
    assert after["source_fingerprint"].to_pylist() == ["old-0", "new-1", None]


def test_a_stage_that_answers_for_too_few_or_too_many_rows_is_a_bug() -> None:
    batch = manifest_rows({}, {})
    for outcomes in ([{}], [{}, {}, {}]):
        with pytest.raises(ValueError, match="zip"):
            advance(batch, "fetch", FETCHED, [0, 1], outcomes)
