"""Rows that failed: which of them still stand, what `tuku errors` says of them, and as work for `tuku retry`."""

from tuku.dead_letters.listing import DeadLetterList, json_pieces, text_lines
from tuku.dead_letters.retry import UNREADY, RowsToRetry
from tuku.dead_letters.standing import DeadLetters, Selection, manifest_of

__all__ = [
    "UNREADY",
    "DeadLetterList",
    "DeadLetters",
    "RowsToRetry",
    "Selection",
    "json_pieces",
    "manifest_of",
    "text_lines",
]
