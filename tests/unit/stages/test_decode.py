"""The decode stage: rows in, rows out, and pixels that nobody copies again."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest

from fakes.bad_images import MAX_PIXELS, bad_images, encoded, picture
from fakes.tables import failure, manifest_rows
from tuku.errors import RowError
from tuku.imaging import CodedPicture, code, decode
from tuku.protocols import PictureSize
from tuku.schemas import DECODED, FETCHED
from tuku.stages.decode import decode_batch
from tuku.stages.pictures import binary_views, pictures

SIZES = [PictureSize(short_side_px=50)]
LARGE, SMALL = encoded(picture(300, 200), "JPEG"), encoded(picture(30, 20), "PNG")


def fetched(*contents: bytes | RowError) -> pa.Table:
    rows = []
    for i, content in enumerate(contents):
        if isinstance(content, RowError):
            rows.append(failure("fetch", content))
        else:
            rows.append({"content": content, "content_sha256": f"sha-{i}"})
    return pa.Table.from_pylist(
        [{**row, **special} for row, special in zip(manifest_rows(*[{}] * len(rows)).to_pylist(), rows, strict=True)],
        FETCHED,
    )


def decoded(*contents: bytes | RowError, served: bool = False) -> pa.Table:
    return decode_batch(fetched(*contents), max_pixels=MAX_PIXELS, sizes=SIZES, served=served)


def test_the_bytes_give_way_to_pixels() -> None:
    after = decoded(LARGE, SMALL)
    assert after.schema.equals(DECODED)
    rows = after.drop_columns(["pixels"]).to_pylist()
    assert [(row["width"], row["height"], row["format"]) for row in rows] == [(300, 200, "JPEG"), (30, 20, "PNG")]
    assert [(row["pixels_width"], row["pixels_height"]) for row in rows] == [(75, 50), (30, 20)]
    assert [row["code"] for row in rows] == [None, None]


def test_the_pixels_come_out_as_the_decoder_made_them() -> None:
    [large, small] = pictures(decoded(LARGE, SMALL), [0, 1])
    assert np.array_equal(large.pixels, decode(LARGE, max_pixels=MAX_PIXELS, sizes=SIZES).pixels)
    assert np.array_equal(small.pixels, np.asarray(picture(30, 20)))
    assert (large.content_sha256, small.content_sha256) == ("sha-0", "sha-1")


def test_for_services_the_bytes_give_way_to_a_jpeg() -> None:
    after = decoded(LARGE, SMALL, served=True)
    assert after.schema.equals(DECODED)
    assert after.column("pixels").null_count == 2
    rows = after.to_pylist()
    assert [(row["width"], row["height"], row["format"]) for row in rows] == [(300, 200, "JPEG"), (30, 20, "PNG")]
    [large, small] = pictures(after, [0, 1])
    assert isinstance(large, CodedPicture)
    assert isinstance(small, CodedPicture)
    assert (large.size, small.size) == ((75, 50), (30, 20))
    assert bytes(large.jpeg) == code(LARGE, max_pixels=MAX_PIXELS, sizes=SIZES).jpeg
    assert small.content_sha256 == "sha-1"
    assert small.pixels.shape == (20, 30, 3)


@pytest.mark.parametrize("served", [False, True])
def test_a_bad_file_fails_its_own_row_alone(served: bool) -> None:
    bad = {name: bad_images()[name] for name in ("html-page", "png-bomb", "jpeg-cut-at-60", "empty")}
    after = decoded(SMALL, *(content for content, _ in bad.values()), LARGE, served=served)
    rows = after.to_pylist()
    assert [row["code"] for row in rows] == [None, *(code for _, code in bad.values()), None]
    assert {row["stage"] for row in rows[1:-1]} == {"decode"}
    assert all(row["pixels"] is row["jpeg"] is row["width"] is None for row in rows[1:-1])
    assert [row["image_id"] for row in rows] == fetched(SMALL, *bad, LARGE).column("image_id").to_pylist()


def test_a_row_that_failed_before_stays_as_it_was() -> None:
    row = decoded(RowError("not_found", "No such file."), SMALL).to_pylist()[0]
    assert (row["stage"], row["code"], row["pixels"]) == ("fetch", "not_found", None)


@pytest.mark.parametrize("contents", [(), (RowError("not_found", "No such file."),)])
def test_a_batch_without_files_keeps_its_schema(contents: tuple[RowError, ...]) -> None:
    after = decoded(*contents)
    assert after.schema.equals(DECODED)
    assert after.num_rows == len(contents)


def test_pictures_are_views_of_the_batch() -> None:
    batch = pa.concat_tables([decoded(LARGE), decoded(SMALL)])  # two chunks
    for picture_of, chunk in zip(pictures(batch, [0, 1]), batch.column("pixels").chunks, strict=True):
        data = chunk.buffers()[2]
        start = picture_of.pixels.__array_interface__["data"][0]
        assert data.address <= start < data.address + data.size
        assert not picture_of.pixels.flags.writeable


def test_nulls_are_empty_views() -> None:
    column = pa.chunked_array([[None, b"a"], [None], []], pa.large_binary())
    assert [bytes(view) for view in binary_views(column)] == [b"", b"a", b""]


def test_a_slice_of_a_batch_gives_its_own_pictures() -> None:
    batch = decoded(LARGE, SMALL, LARGE)
    assert pictures(batch.slice(1), [0])[0].pixels.shape == (20, 30, 3)


def test_pixels_are_let_go_of_with_their_batch() -> None:
    decoded(*[LARGE] * 10)
    tracemalloc.start()
    try:
        decoded(*[LARGE] * 200)
        gc.collect()
        left_over, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert left_over < 20 * 75 * 50 * 3
