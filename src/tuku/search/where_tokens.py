"""A filter's words: names, values, operators, each with its place."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tuku.conditions import Value
from tuku.errors import ConfigError
from tuku.typed_values import MAX_INT

MAX_CHARACTERS = 10_000

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?!\w))
    | (?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
    | (?P<name>[^\W\d]\w*)
    | `(?P<quoted>[^`]+)`
    | (?P<sign>==|!=|<>|<=|>=|&&|\|\||[=<>()\[\],!])
    )""",
    re.VERBOSE | re.DOTALL,
)
_WHOLE = re.compile(r"[+-]?[0-9]+")
_SAME = {"=": "==", "<>": "!=", "&&": "and", "||": "or", "!": "not"}
_WORDS = frozenset({"and", "or", "not", "in", "like", "contains", "between", "is", "null", "exists"})
_TRUTHS = {"true": True, "false": False}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r"}


class WhereError(ConfigError):
    """A filter that cannot be understood; the message shows the place.

    Args:
        where: the filter.
        place: the offending character's index in it.
        trouble: what is wrong there.
    """

    def __init__(self, where: str, place: int, trouble: str) -> None:
        self.place = place
        shown = f"{where[:place]}▸{where[place:]}"
        super().__init__(
            f"--where cannot be understood at ▸: {trouble}. {shown}",
            "Write tests such as price < 100, brand == 'Nike', category in ['a', 'b'], name like 'x%', keywords"
            " contains 'dog', stock is not null, and join them by and, or, not and parentheses.",
        )


@dataclass(frozen=True)
class Token:
    """One word.

    Attributes:
        kind: ``word`` is one of the language's own (in lower case), ``sign`` an operator or a parenthesis.
        value: of a literal; what was written, of others.
        place: index of its first character.
    """

    kind: Literal["value", "name", "word", "sign", "end"]
    value: Value
    place: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.value)


def tokens(where: str) -> Iterator[Token]:
    """The words of a filter, and its end.

    Raises:
        WhereError: something in it is none.
    """
    if len(where) > MAX_CHARACTERS:
        raise ConfigError(f"--where has {len(where):,} characters, more than {MAX_CHARACTERS:,}.", "Ask in parts.")
    place = 0
    while where[place:].strip():
        found = _TOKEN.match(where, place)
        place += len(where[place:]) - len(where[place:].lstrip())
        if found is None:
            open_text = where[place] in "'\"`"
            raise WhereError(where, place, "a text that does not end" if open_text else "no word or sign begins so")
        yield _token(found, where, place)
        place = found.end()
    yield Token("end", "", len(where))


def _token(found: re.Match[str], where: str, place: int) -> Token:
    kind, text = str(found.lastgroup), found[str(found.lastgroup)]
    if kind == "number":
        return Token("value", _number(text, where, place), place)
    if kind == "text":
        return Token("value", _unquoted(text, where, place), place)
    if kind == "quoted":
        return Token("name", text, place)
    word = _SAME.get(text, text.lower())
    if word in _WORDS:
        return Token("word", word, place)
    if word in _TRUTHS:
        return Token("value", _TRUTHS[word], place)
    return Token("name", text, place) if kind == "name" else Token("sign", word, place)


def _number(text: str, where: str, place: int) -> int | float:
    is_whole = _WHOLE.fullmatch(text) is not None
    number = int(text) if is_whole and len(text) <= len(str(MAX_INT)) + 1 else float(text)
    if not math.isfinite(number) or (is_whole and abs(number) > MAX_INT):
        raise WhereError(where, place, "a number too large for 64 bits")
    return number


def _unquoted(text: str, where: str, place: int) -> str:
    quote, inner = text[0], text[1:-1]
    # Before anything else a backslash is one, as in a Windows path.
    kept = {quote: quote, "\\": "\\", **_CONTROLS}
    value = re.sub(
        rf"\\(.)|{quote}{quote}",
        lambda found: quote if found[1] is None else kept.get(found[1], found[0]),
        inner,
        flags=re.DOTALL,
    )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise WhereError(where, place, "a text that is no Unicode") from None
    return value
