"""Small Arrow tables in the job's schemas, for tests that need some rows and do not care which."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tuku.errors import RowError
from tuku.schemas import DEAD_LETTERS, DECODED, FETCHED, IMAGES, KNOWN, OUTCOME, PAID, ROWS, WORK
from tuku.stages.pictures import pixel_columns

SIDE_PX = 16


def manifest_rows(*given: dict[str, Any]) -> pa.Table:
    """Rows in schema `ROWS`, numbered from 1; each argument says what is special about one."""
    return pa.Table.from_pylist([{**_row(i), **special} for i, special in enumerate(given)], ROWS)


def work_rows(*given: dict[str, Any]) -> pa.Table:
    """Rows in schema `WORK` of which the lake has nothing, numbered from 1; each argument says what is special."""
    rows = [{**_row(i), "recheck": False, **special} for i, special in enumerate(given)]
    return pa.Table.from_pylist(rows, WORK)


def fetched_rows(*given: dict[str, Any]) -> pa.Table:
    """Rows in schema `FETCHED`, numbered from 1; each argument says what is special about one."""
    return pa.Table.from_pylist([{**_row(i), "content": b"?", **special} for i, special in enumerate(given)], FETCHED)


def known_rows(*given: dict[str, Any]) -> pa.Table:
    """Rows in schema `KNOWN`, each at its own place; each argument says what is special about one."""
    rows = [{"image_id": f"id-{i}", "place": i, "deleted": False, **special} for i, special in enumerate(given)]
    return pa.Table.from_pylist(rows, KNOWN)


def decoded_rows(*colours: tuple[int, int, int] | RowError) -> pa.Table:
    """Rows in schema `DECODED`: a picture of one RGB colour each, or a row that the fetch stage failed."""
    rows = []
    for i, colour in enumerate(colours):
        if isinstance(colour, RowError):
            rows.append({**_row(i), **failure("fetch", colour)})
            continue
        pixels = np.full((SIDE_PX, SIDE_PX, 3), colour, np.uint8)
        picture = {"width": SIDE_PX, "height": SIDE_PX, "format": "PNG", **pixel_columns(pixels)}
        rows.append({**_row(i), **picture, "content_sha256": f"sha-{i}"})
    return pa.Table.from_pylist(rows, DECODED)


def image_rows(*given: dict[str, Any]) -> pa.Table:
    """Rows in schema `IMAGES` with vectors of length 2; each argument says what is special about one."""
    usual = {"caption": "A picture", "keywords": ["picture"], "metadata": "{}", "embed_model": "fake/model@1"}
    vectors = {"image_embedding": [1.0, 0.0], "text_embedding": [0.0, 1.0]}
    rows = [{"image_id": f"id-{i}", **usual, **vectors, **special} for i, special in enumerate(given)]
    return pa.Table.from_pylist(rows, IMAGES)


def dead_letter_rows(*given: dict[str, Any]) -> pa.Table:
    """Rows in schema `DEAD_LETTERS`; each argument says what is special about one."""
    error = failure("fetch", RowError("not_found", "No such file."))
    rows = [{"image_id": f"id-{i}", "row_number": i + 1, **error, **special} for i, special in enumerate(given)]
    return pa.Table.from_pylist(rows, DEAD_LETTERS)


def paid_answers(*given: dict[str, Any]) -> pa.Table:
    """Rows in schema `PAID`; what an argument does not say is null."""
    return pa.Table.from_pylist(list(given), PAID)


def failure(stage: str, error: RowError) -> dict[str, Any]:
    """The outcome columns of a row that failed."""
    return {"stage": stage, **{field.name: getattr(error, field.name) for field in OUTCOME if field.name != "stage"}}


def _row(position: int) -> dict[str, Any]:
    return {
        "image_id": f"id-{position}",
        "uri": f"/pictures/{position}.png",
        "metadata": "{}",
        "manifest_uri": "/pictures.csv",
        "row_number": position + 1,
        "manifest_row": "{}",
    }
