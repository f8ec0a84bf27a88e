"""Queries from a file, one JSON object a line: for many at a time, and for evaluation."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from tuku.errors import ConfigError, RowError
from tuku.search.query import Query

_TEXTS = ("text", "image", "where")
_EXAMPLE = 'A line is such as {"text": "a cat"}.'


@dataclass(frozen=True)
class Labelled:
    """A line of a file.

    Attributes:
        query: what it asks.
        relevant: ids of the images that answer it; none for one that is only asked.
        place: the file and the line's number in it, for messages.
    """

    query: Query
    relevant: tuple[str, ...] = ()
    place: str = field(default="", compare=False)

    def blamed(self, error: ConfigError | RowError) -> ConfigError:
        """What is wrong with the query, and where it stands."""
        if isinstance(error, RowError):
            return ConfigError(f"{self.place}: the picture cannot be used: {error.sentence}")
        return ConfigError(f"{self.place}: {error.message}", error.remedy)


@contextmanager
def open_lines(file: Path) -> Iterator[Iterable[str]]:
    """The lines of a text file in UTF-8; ``-`` is stdin.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        with _opened(file) as lines:
            yield lines
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise ConfigError(f"{file} cannot be read: {reason}.", "Give a JSONL file, one query a line.") from None


def _opened(file: Path) -> AbstractContextManager[TextIO]:
    if str(file) != "-":
        return file.open(encoding="utf-8-sig")
    if isinstance(sys.stdin, io.TextIOWrapper):  # it would be read as the locale says
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="strict")
    return nullcontext(sys.stdin)


def read_queries(lines: Iterable[str], source: str, defaults: Query, *, labelled: bool) -> Iterator[Labelled]:
    """The queries of a file.

    Args:
        lines: JSON objects with ``text`` and/or ``image`` (a path relative to the file, or a URL), perhaps ``where``,
            and ``relevant``, a list of ids. Empty lines are passed over.
        source: the file's path, for messages and relative paths.
        defaults: what a line does not say.
        labelled: whether each line must have ``relevant``.

    Raises:
        ConfigError: a line that is no such object; the message has its number.
    """
    folder = Path(source).parent
    for number, line in enumerate(lines, start=1):
        if line.strip():
            at = f"{source}, line {number}"
            yield _labelled(_object(line, at), at, folder, defaults, labelled=labelled)


def _object(line: str, at: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:  # ValueError alone: a number of thousands of digits
        raise ConfigError(f"{at}: this is no JSON ({error}).", _EXAMPLE) from None
    if not isinstance(found, dict):
        raise ConfigError(f"{at}: this is no JSON object.", _EXAMPLE)
    return found


def _labelled(found: Mapping[str, Any], at: str, folder: Path, defaults: Query, *, labelled: bool) -> Labelled:
    unknown = set(found) - {*_TEXTS, "relevant"}
    if unknown:
        allowed = ", ".join([*_TEXTS, "relevant"])
        raise ConfigError(f"{at}: unknown key {min(unknown)!r}.", f"Known keys are {allowed}.")
    given = {name: _text(found[name], name, at) for name in _TEXTS if found.get(name) is not None}
    if not given.get("text") and not given.get("image"):
        raise ConfigError(f"{at}: neither text nor image.", "Give one of them, or both.")
    if "image" in given:
        given["image"] = _resolved(given["image"], folder)
    query = replace(
        defaults,
        text=given.get("text", defaults.text),
        image=given.get("image", defaults.image),
        where=given.get("where", defaults.where),
    )
    return Labelled(query, _relevant(found.get("relevant"), at, needed=labelled), at)


def _text(value: Any, name: str, at: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{at}: {name} is {json.dumps(value)[:80]}, which is no text.", "Put it in quotes.")
    return value


def _relevant(value: Any, at: str, *, needed: bool) -> tuple[str, ...]:
    ids = [] if value is None else value
    if not isinstance(ids, list) or not all(isinstance(each, str | int) and not isinstance(each, bool) for each in ids):
        raise ConfigError(f"{at}: relevant is no list of ids.", 'Write "relevant": ["id-1", "id-2"].')
    if needed and not ids:
        raise ConfigError(f"{at}: relevant names no image.", 'Write "relevant": ["id-1", "id-2"].')
    return tuple(dict.fromkeys(str(each) for each in ids))


def _resolved(image: str, folder: Path) -> str:
    return image if "://" in image or image.startswith(("/", "~")) else str(folder / image)
