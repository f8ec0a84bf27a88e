"""Texts as they may be given to the SDK."""

from __future__ import annotations

from pathlib import Path

_OWN_MEANING = ("file://", "oss://", "~")
_NOTHING = "。"


def guarded(text: str) -> str:
    """The text, in a form that the SDK sends as it is.

    The SDK takes a text that names an existing file, or begins with ``file://``, for a file, and uploads it; it reads
    ``oss://`` as an address and ``~`` as a home directory. A blank in front of such a text changes nothing of what it
    says. Half surrogate pairs, which no encoding holds, become question marks, and nothing at all becomes a full stop:
    the service refuses an empty text, and a search for nothing is no failure.
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    if not text.strip():
        return _NOTHING
    while text.startswith(_OWN_MEANING) or _is_file(text):
        text = f" {text}"
    return text


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, or with a character that no name has
        return False
