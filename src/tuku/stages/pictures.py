"""How files and pixels travel in a batch, and how they are taken out again without being copied."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa

from tuku.imaging import CodedPicture
from tuku.protocols import Picture, Pixels


def pictures(batch: pa.Table, positions: Sequence[int]) -> list[Picture]:
    """The pictures of some rows, for a model.

    Args:
        batch: rows in schema `DECODED`, or any that still has its pixel columns.
        positions: rows that have been decoded, as `alive` gave them.

    Returns:
        One picture for each position, in order. Its pixels or its JPEG are a read-only view of the batch's own
        memory, which lives as long as one of them does.
    """
    pixels, jpegs = (binary_views(batch.column(name)) for name in ("pixels", "jpeg"))
    digests = batch.column("content_sha256").to_pylist()
    widths, heights = batch.column("pixels_width").to_pylist(), batch.column("pixels_height").to_pylist()
    return [
        CodedPicture(jpegs[i], (widths[i], heights[i]), digests[i])
        if jpegs[i]
        else Picture(_shaped(pixels[i], widths[i], heights[i]), digests[i])
        for i in positions
    ]


def pixel_columns(pixels: Pixels) -> dict[str, object]:
    """The columns that hold a picture, for a row of schema `DECODED`.

    Args:
        pixels: RGB uint8 (height, width, 3).
    """
    height, width, _ = pixels.shape
    # A copy, as bytes: pyarrow 26 never lets go of a memoryview that it has made an array of.
    return {"pixels": pixels.tobytes(), "pixels_width": width, "pixels_height": height}


def jpeg_columns(jpeg: bytes, size: tuple[int, int]) -> dict[str, object]:
    """The columns that hold a picture which only services look at.

    Args:
        jpeg: a JPEG file.
        size: its width and height, px.
    """
    width, height = size
    return {"jpeg": jpeg, "pixels_width": width, "pixels_height": height}


def binary_views(column: pa.ChunkedArray) -> list[memoryview]:
    """Read-only views of the values, for Arrow's own scalars are copies; of a null the view is empty.

    Args:
        column: of type large_binary.
    """
    views = []
    for chunk in column.chunks:
        _, offsets, data = chunk.buffers()
        if data is None or chunk.null_count == len(chunk):
            views += [memoryview(b"")] * len(chunk)
            continue
        bounds = np.frombuffer(offsets, dtype=np.int64)[chunk.offset : chunk.offset + len(chunk) + 1].tolist()
        whole = memoryview(data).toreadonly()
        views += [whole[start:end] for start, end in pairwise(bounds)]
    return views


def _shaped(flat: memoryview, width: int, height: int) -> Pixels:
    return np.frombuffer(flat, dtype=np.uint8).reshape(height, width, 3)
