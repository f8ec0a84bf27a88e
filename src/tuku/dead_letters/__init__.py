"""Rows that failed: which of them still stand, what `tuku errors` says of them, and as work for `tuku retry`."""

from tuku.dead_letters.listing import DeadLetterList, json_pieces, text_lines
from tuku.dead_letters.retry import UNREADY, rows_to_retry
from tuku.dead_letters.standing import DeadLetters, Selection, manifest_of

__all__ = [
    "UNREADY",
    "DeadLetterList",
    "DeadLetters",
    "Selection",
    "json_pieces",
    "manifest_of",
    "rows_to_retry",
    "text_lines",
]
