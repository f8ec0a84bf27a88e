"""How pixels travel in a batch, and how they become pictures again without being copied."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tuku.protocols import Picture, Pixels


def pictures(batch: pa.Table, positions: Sequence[int]) -> list[Picture]:
    """The pictures of some rows, for a model.

    Args:
        batch: rows in schema `DECODED`, or any that still has its pixel columns.
        positions: rows that have been decoded, as `alive` gave them.

    Returns:
        One picture for each position, in order. Its pixels are a read-only view of the batch's own memory,
        which lives as long as one of them does.
    """
    pixels, digests = batch.column("pixels"), batch.column("content_sha256")
    widths, heights = batch.column("pixels_width"), batch.column("pixels_height")
    return [
        Picture(_view(pixels[i].as_buffer(), widths[i].as_py(), heights[i].as_py()), digests[i].as_py())
        for i in positions
    ]


def pixel_columns(pixels: Pixels) -> dict[str, object]:
    """The columns that hold a picture, for a row of schema `DECODED`.

    Args:
        pixels: RGB uint8 (height, width, 3).
    """
    height, width, _ = pixels.shape
    flat = np.ascontiguousarray(pixels).reshape(-1)
    return {"pixels": flat.data, "pixels_width": width, "pixels_height": height}


def _view(buffer: pa.Buffer, width: int, height: int) -> Pixels:
    return np.frombuffer(memoryview(buffer), dtype=np.uint8).reshape(height, width, 3)
