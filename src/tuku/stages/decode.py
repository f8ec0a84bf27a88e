"""Decode: a file's bytes become the pixels that the models need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from tuku.errors import RowError
from tuku.imaging import decode
from tuku.protocols import PictureSize
from tuku.schemas import DECODED
from tuku.stages.outcome import Outcome, advance, alive
from tuku.stages.pictures import binary_views, pixel_columns


def decode_batch(batch: pa.Table, *, max_pixels: int, sizes: Sequence[PictureSize]) -> pa.Table:
    """Put pixels in the place of the files' bytes.

    Args:
        batch: n rows in schema `FETCHED`.
        max_pixels: width × height above which a picture is refused before its pixels are decoded.
        sizes: what each model needs; the picture is kept at the largest of them (see `imaging.decode`).

    Returns:
        n rows in schema `DECODED`, in order.
    """
    positions = alive(batch)
    outcomes = _outcomes(binary_views(batch.column("content")), positions, max_pixels, sizes)
    return advance(batch, "decode", DECODED, positions, outcomes)


def _outcomes(
    contents: Sequence[memoryview], positions: Sequence[int], max_pixels: int, sizes: Sequence[PictureSize]
) -> Iterator[Outcome]:
    for position in positions:
        try:
            decoded = decode(contents[position], max_pixels=max_pixels, sizes=sizes)
        except RowError as error:
            yield error
        else:
            yield {
                "width": decoded.width,
                "height": decoded.height,
                "format": decoded.format,
                **pixel_columns(decoded.pixels),
            }
