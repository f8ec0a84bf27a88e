"""What `--where` says, read: `or` of `and` of tests, in parentheses where the user wants them otherwise.

any      = all ("or" all)*
all      = part ("and" part)*
part     = "not" part | "(" any ")" | "exists" name | value compare name | name test
test     = compare value | ["not"] "in" list | ["not"] ("like" | "contains") value
         | ["not"] "between" value "and" value | "is" ["not"] "null"
compare  = "==" | "!=" | "<" | "<=" | ">" | ">="
list     = ("[" | "(") value ("," value)* ("]" | ")")
"""

from __future__ import annotations

from typing import Literal, get_args

from tuku.conditions import Comparison, Condition, Joined, Operator, Sign, Value, negated
from tuku.search.where_tokens import Token, WhereError, tokens

MAX_DEPTH = 50
MAX_WILDCARDS = 4
"""``%`` in one pattern: with each more, Milvus Lite takes as many times longer as a text has characters."""

_COMPARE: dict[Value, Operator] = {sign: sign for sign in get_args(Sign)}
_TURNED: dict[Operator, Operator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ENDS = {"[": "]", "(": ")"}


def read_where(where: str) -> Condition:
    """A filter as a user writes it, such as ``price < 100 and category in ['服装', 'shoes']``.

    Names are those of the collection's fields; a name that is one of the language's words goes into backquotes. A
    text is in single or double quotes, which are doubled or get a backslash in it.

    Raises:
        WhereError: it cannot be understood; the message shows where.
    """
    return _Reader(where).whole()


def lone_name(condition: str) -> str | None:
    """The field's name, where a condition is nothing else.

    Raises:
        WhereError: something in it is no word.
    """
    words = list(tokens(condition))
    return str(words[0].value) if [word.kind for word in words] == ["name", "end"] else None


def something(field: str) -> Condition:
    """That a field is true, over zero, or not an empty text."""
    return Joined("or", (Comparison(field, "==", (True,)), Comparison(field, ">", (0,)), Comparison(field, ">", ("",))))


class _Reader:
    def __init__(self, where: str) -> None:
        self._where = where
        self._tokens = list(tokens(where))
        self._next = 0
        self._depth = 0

    def whole(self) -> Condition:
        condition = self._joined("or")
        if self._peek().kind != "end":
            raise self._wrong("and, or, or the end")
        return condition

    def _joined(self, by: Literal["or", "and"]) -> Condition:
        below = self._part if by == "and" else lambda: self._joined("and")
        parts = [below()]
        while self._took(by):
            parts.append(below())
        return parts[0] if len(parts) == 1 else Joined(by, tuple(parts))

    def _part(self) -> Condition:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise WhereError(self._where, self._peek().place, f"more than {MAX_DEPTH} conditions in one another")
        try:
            return self._nested()
        finally:
            self._depth -= 1

    def _nested(self) -> Condition:
        if self._took("not"):
            return negated(self._part())
        if self._took("("):
            condition = self._joined("or")
            self._need(")")
            return condition
        if self._took("exists"):
            return Comparison(self._name(), "is not null")
        if self._peek().kind == "value":
            return self._turned()
        return self._test(self._name())

    def _turned(self) -> Condition:
        value, compare = self._value(), self._comparison()
        return Comparison(self._name(), _TURNED.get(compare, compare), (value,))

    def _test(self, name: str) -> Condition:
        if self._took("is"):
            absent = not self._took("not")
            self._need("null")
            return Comparison(name, "is null" if absent else "is not null")
        if self._peek().value in _COMPARE and self._peek().kind == "sign":
            return Comparison(name, self._comparison(), (self._value(),))
        opposite = self._took("not")
        condition = self._worded(name)
        return negated(condition) if opposite else condition

    def _worded(self, name: str) -> Condition:
        if self._took("in"):
            return Comparison(name, "in", self._values())
        if self._took("between"):
            least = self._value()
            self._need("and")
            return Joined("and", (Comparison(name, ">=", (least,)), Comparison(name, "<=", (self._value(),))))
        if self._took("like"):
            return Comparison(name, "like", (self._pattern(),))
        if self._took("contains"):
            return Comparison(name, "contains", (self._value(),))
        raise self._wrong("a comparison such as ==, <, in, like, contains or is null")

    def _pattern(self) -> str:
        place, pattern = self._peek().place, self._value()
        if not isinstance(pattern, str):
            raise WhereError(self._where, place, "a pattern is a text, such as 'x%'")
        if "\\" in pattern:  # Milvus Lite and servers differ in what it does there
            raise WhereError(self._where, place, "a pattern has no backslash; _ stands for any one character")
        if pattern.count("%") > MAX_WILDCARDS:
            raise WhereError(self._where, place, f"a pattern has at most {MAX_WILDCARDS} %")
        return pattern

    def _comparison(self) -> Operator:
        token = self._peek()
        if token.kind != "sign" or token.value not in _COMPARE:
            raise self._wrong("a comparison such as == or <")
        self._next += 1
        return _COMPARE[token.value]

    def _values(self) -> tuple[Value, ...]:
        bracket = next((sign for sign in _ENDS if self._took(sign)), None)
        if bracket is None:
            raise self._wrong("a list such as ['a', 'b']")
        values = [self._value()]
        while self._took(","):
            values.append(self._value())
        self._need(_ENDS[bracket])
        return tuple(values)

    def _value(self) -> Value:
        if self._peek().kind != "value":
            raise self._wrong("a number, true, false, or a text in quotes")
        self._next += 1
        return self._tokens[self._next - 1].value

    def _name(self) -> str:
        if self._peek().kind != "name":
            raise self._wrong("a field's name")
        self._next += 1
        return str(self._tokens[self._next - 1].value)

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _took(self, word: str) -> bool:
        found = self._peek().kind in {"word", "sign"} and self._peek().value == word
        self._next += found
        return found

    def _need(self, word: str) -> None:
        if not self._took(word):
            raise self._wrong(word)

    def _wrong(self, wanted: str) -> WhereError:
        return WhereError(self._where, self._peek().place, f"here {wanted} is wanted, not {self._peek()}")
