"""Files of answers that were paid for, and that the lake's images have by now as well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from tuku.journal_format import decode_answers
from tuku.lake_view import LakeView
from tuku.part_files import read_rows
from tuku.storage import Storage

_ANSWERS = {
    "caption": ("content_sha256", "caption_fingerprint"),
    "image_embedding": ("content_sha256", "embedding_fingerprint"),
    "text_embedding": ("caption", "embedding_fingerprint"),
}
"""To what each answer is one, and by whom."""
_COLUMNS = ["content_sha256", "caption", "caption_fingerprint", "embedding_fingerprint"]
_BETWEEN = "\n"


def superseded_files(view: LakeView, names: Iterable[str]) -> set[str]:
    """Those of some files of answers of which the view's images have every one.

    Memory: some 500 bytes for each answer in the files. All images are read, unless the files are empty.

    Args:
        view: the lake's current view.
        names: part files of schema `PAID`, and journals.
    """
    answers = {
        name: pa.chunked_array([_keys(table) for table in _tables(view.lake.storage, name)], pa.string())
        for name in names
    }
    chunks = [chunk for keys in answers.values() for chunk in keys.chunks]
    missing = pa.chunked_array(chunks, pa.string()).unique()
    for images in view.batches(_COLUMNS) if len(missing) else ():
        missing = missing.filter(pc.invert(pc.is_in(missing, value_set=_keys(images))))
    return {
        name for name, keys in answers.items() if True not in pc.is_in(keys, value_set=missing).unique().to_pylist()
    }


def _tables(storage: Storage, name: str) -> Iterator[pa.Table]:
    if name.endswith(".parquet"):
        yield from read_rows(storage, name)
    elif (content := storage.find(name)) is not None:
        yield decode_answers(content)


def _keys(table: pa.Table) -> pa.Array:
    """A text for each answer in a table of answers or of images.

    Vectors of images are not read: one that bears a model's fingerprint has its answers.
    """
    found = []
    for answer, (about, by) in _ANSWERS.items():
        rows = table
        if answer in table.column_names:
            rows = table.filter(pc.is_valid(table.column(answer)))
        keys = pc.binary_join_element_wise(answer, rows.column(by), rows.column(about), _BETWEEN)
        found += keys.drop_null().chunks
    return pa.chunked_array(found, pa.string()).combine_chunks()
