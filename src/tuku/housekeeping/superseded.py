"""Files of answers that were paid for, and that the lake's images have by now as well."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import pyarrow as pa

from tuku.journal_format import decode_answers
from tuku.lake_view import LakeView
from tuku.part_files import read_rows
from tuku.storage import Storage

_Answer = tuple[str, str, str]
"""Which answer, to what (content or caption), by whom (fingerprint)."""

_ANSWERS = {
    "caption": ("content_sha256", "caption_fingerprint"),
    "image_embedding": ("content_sha256", "embedding_fingerprint"),
    "text_embedding": ("caption", "embedding_fingerprint"),
}
_COLUMNS = ["content_sha256", "caption", "caption_fingerprint", "embedding_fingerprint"]


def superseded_files(view: LakeView, names: Iterable[str]) -> set[str]:
    """Those of some files of answers of which the view's images have every one.

    Memory: some 300 bytes for each answer in the files.

    Args:
        view: the lake's current view.
        names: part files of schema `PAID`, and journals.
    """
    open_: dict[_Answer, set[str]] = defaultdict(set)
    asked = set(names)
    for name in asked:
        for table in _answers(view.lake.storage, name):
            given = {answer: table.column(answer).is_valid().to_pylist() for answer in _ANSWERS}
            for answer in _listed(table, given):
                open_[answer].add(name)
    for table in view.batches(_COLUMNS) if open_ else ():
        for answer in _listed(table, {}):
            open_.pop(answer, None)
    return asked.difference(*open_.values())


def _answers(storage: Storage, name: str) -> Iterator[pa.Table]:
    if name.endswith(".parquet"):
        yield from read_rows(storage, name)
    elif (content := storage.find(name)) is not None:
        yield decode_answers(content)


def _listed(table: pa.Table, given: dict[str, list[bool]]) -> Iterator[_Answer]:
    """The answers in a table, or those that `given` says. An image that bears a model's fingerprint has its answers."""
    columns = {name: table.column(name).to_pylist() for name in _COLUMNS}
    everything = [True] * table.num_rows
    for answer, (about, by) in _ANSWERS.items():
        for there, what, who in zip(given.get(answer, everything), columns[about], columns[by], strict=True):
            if there and what is not None and who is not None:
                yield answer, what, who
