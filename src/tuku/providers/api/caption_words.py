"""The small parts of an answer: a sentence and keywords, without what models wrap around them."""

from __future__ import annotations

import re

MAX_KEYWORDS = 32
MAX_KEYWORD_CHARACTERS = 40

_LISTED_CHARACTERS = 12  # of a keyword in a list that nobody labelled; a longer piece is part of a sentence
_LISTED_WORDS = 3

# Control characters, and halves of surrogate pairs, which JSON can spell and no file can hold.
_UNUSABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_WRAPPING = " \t\r\n\"'“”‘’「」『』《》〈〉【】[]{}*_`#"
_SEPARATORS = re.compile(r"[、，,;；|/\n·•#]+")
_HAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_NUMBERING = re.compile(r"\A(?:\d{1,2}[.)、:：]|[（(]\d{1,2}[)）]|[-*–—])\s*")
_CONJUNCTION = re.compile(r"\A(?:and|以及|和)\s+", re.IGNORECASE)


def as_sentence(text: str) -> str:
    """The text on one line, without quotes, brackets and separators around it."""
    line = " ".join(_UNUSABLE.sub("", text).split())
    return line.strip(_WRAPPING).strip("、，,;；|:：").strip(_WRAPPING)


def as_keywords(text: str) -> tuple[str, ...]:
    """The keywords of a list in whatever form, each once, in order."""
    keywords: dict[str, str] = {}
    for piece in _pieces(_UNUSABLE.sub("", text)):
        keyword = _NUMBERING.sub("", piece.strip(_WRAPPING)).strip(_WRAPPING)
        keyword = _CONJUNCTION.sub("", keyword).rstrip("。．.!！;；:：").strip(_WRAPPING)
        if keyword and len(keyword) <= MAX_KEYWORD_CHARACTERS:
            keywords.setdefault(" ".join(keyword.split()).casefold(), " ".join(keyword.split()))
    return tuple(keywords.values())[:MAX_KEYWORDS]


def looks_like_keywords(text: str, least: int = 3) -> bool:
    """Whether a text that nobody labelled is a list of keywords: `least` pieces or more, all of them short."""
    pieces = [piece for piece in _pieces(text.strip(" \t\r\n。.")) if piece.strip()]
    return len(pieces) >= least and all(_is_short(piece) for piece in pieces)


def _is_short(piece: str) -> bool:
    """Whether a piece of text is as short as keywords are."""
    piece = piece.strip(_WRAPPING)
    if any(mark in piece for mark in "。！？!?"):
        return False
    return len(piece) <= _LISTED_CHARACTERS if _HAN.search(piece) else 1 <= len(piece.split()) <= _LISTED_WORDS


def _pieces(text: str) -> list[str]:
    pieces = [piece for piece in _SEPARATORS.split(text) if piece.strip(_WRAPPING)]
    if len(pieces) == 1 and _HAN.search(text):
        return text.split()  # Chinese has no spaces within a word
    return pieces
