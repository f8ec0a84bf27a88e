"""Decode: a file's bytes become the picture that the models need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pyarrow as pa

from tuku.errors import RowError
from tuku.imaging import Coded, Decoded, code, decode
from tuku.protocols import PictureSize
from tuku.schemas import DECODED
from tuku.stages.outcome import Outcome, advance, alive
from tuku.stages.pictures import binary_views, jpeg_columns, pixel_columns


def decode_batch(batch: pa.Table, *, max_pixels: int, sizes: Sequence[PictureSize], served: bool = False) -> pa.Table:
    """Put pixels in the place of the files' bytes, or JPEGs where only services look at them.

    Args:
        batch: n rows in schema `FETCHED`.
        max_pixels: width × height above which a picture is refused before its pixels are decoded.
        sizes: what each model needs; the picture is kept at the largest of them (see `imaging.decode`).
        served: every model that looks at pictures is a service, and all want the same size.

    Returns:
        n rows in schema `DECODED`, in order.
    """
    positions = alive(batch)
    work = partial(_coded if served else _decoded, max_pixels=max_pixels, sizes=sizes)
    return advance(
        batch, "decode", DECODED, positions, _outcomes(binary_views(batch.column("content")), positions, work)
    )


def _outcomes(
    contents: Sequence[memoryview], positions: Sequence[int], work: Callable[[memoryview], Outcome]
) -> Iterator[Outcome]:
    for position in positions:
        try:
            yield work(contents[position])
        except RowError as error:
            yield error


def _decoded(content: memoryview, max_pixels: int, sizes: Sequence[PictureSize]) -> Outcome:
    decoded = decode(content, max_pixels=max_pixels, sizes=sizes)
    return {**_described(decoded), **pixel_columns(decoded.pixels)}


def _coded(content: memoryview, max_pixels: int, sizes: Sequence[PictureSize]) -> Outcome:
    coded = code(content, max_pixels=max_pixels, sizes=sizes)
    return {**_described(coded), **jpeg_columns(coded.jpeg, coded.size)}


def _described(picture: Decoded | Coded) -> dict[str, object]:
    return {"width": picture.width, "height": picture.height, "format": picture.format}
