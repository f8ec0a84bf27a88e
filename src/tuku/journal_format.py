"""How a journal of answers is written down: an Arrow IPC stream with one record batch for each answer.

Bytes of a stream that was cut off anywhere still hold all answers before the cut. A checksum in each batch tells an
answer from what a power failure may leave in its place: blocks of zeros, in any order.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, takewhile
from typing import Any

import numpy as np
import pyarrow as pa

from tuku.schemas import PAID

_TEXTS = ("content_sha256", "caption", "keywords", "caption_fingerprint", "embedding_fingerprint")
_VECTORS = ("image_embedding", "text_embedding")
_JOURNAL = PAID.append(pa.field("checksum", pa.uint32()))
_NULLS = {field.name: pa.nulls(1, field.type) for field in PAID}

HEAD: bytes = _JOURNAL.serialize().to_pybytes()
"""What a journal begins with."""


def encode_answer(answer: Mapping[str, Any]) -> bytes:
    """What is appended to a journal for one answer.

    Args:
        answer: columns of schema `PAID`; what is missing is null. A vector is float32 (dim,).
    """
    columns = [_column(field, answer.get(field.name)) for field in PAID]
    checksum = _checksum([answer.get(name) for name in _TEXTS], [answer.get(name) for name in _VECTORS])
    columns.append(pa.array([checksum], pa.uint32()))
    message: bytes = pa.RecordBatch.from_arrays(columns, schema=_JOURNAL).serialize().to_pybytes()
    return message


def decode_answers(journal: bytes) -> pa.Table:
    """The answers in a journal up to the first that is torn or damaged, if any is: schema `PAID`, one chunk at most.

    A journal in another form, as another version of tuku writes it, holds no answers.
    """
    table = pa.Table.from_batches(_batches(journal), schema=_JOURNAL).combine_chunks()
    texts = zip(*(table.column(name).to_pylist() for name in _TEXTS), strict=True)
    vectors = zip(*(_views(table.column(name)) for name in _VECTORS), strict=True)
    sums = table.column("checksum").to_pylist()
    good = takewhile(lambda row: row[0] == _checksum(row[1], row[2]), zip(sums, texts, vectors, strict=True))
    return table.select(PAID.names).slice(0, sum(1 for _ in good))


def _batches(journal: bytes) -> Iterator[pa.RecordBatch]:
    try:
        with pa.ipc.open_stream(journal) as stream:
            if not stream.schema.equals(_JOURNAL):
                return
            for batch in stream:
                batch.validate(full=True)  # the checksum says whether it is the right one, this whether it is one
                yield batch
    except (pa.ArrowException, OSError):
        return  # whatever Arrow finds wrong with it: from here on it is no journal


def _column(field: pa.Field, value: Any) -> pa.Array:
    if value is None:
        return _NULLS[field.name]
    if field.name in _VECTORS:
        return pa.ListArray.from_arrays(np.array([0, len(value)], np.int32), pa.array(value))
    return pa.array([value], field.type)


def _views(column: pa.ChunkedArray) -> Iterator[memoryview | None]:
    whole = column.combine_chunks()
    numbers, bounds = memoryview(whole.values.to_numpy()), pairwise(whole.offsets.to_pylist())
    for valid, (start, end) in zip(whole.is_valid().to_pylist(), bounds, strict=True):
        yield numbers[start:end] if valid else None


def _checksum(texts: Sequence[Any], vectors: Sequence[Any]) -> int:
    checksum = zlib.crc32(json.dumps([*texts, *(vector is None for vector in vectors)]).encode())
    for vector in vectors:
        checksum = zlib.crc32(b"" if vector is None else vector, checksum)
    return checksum
