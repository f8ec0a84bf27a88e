"""Milvus filter expressions, written so that no value can break out of its literal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tuku.milvus.fields import ID

if TYPE_CHECKING:
    from collections.abc import Iterable


def quoted(text: str) -> str:
    r"""A string literal: double quotes, with backslash escapes (Milvus Lite and servers read both alike)."""
    return json.dumps(text, ensure_ascii=False)


def literal(value: str | int) -> str:
    """A text or a whole number, as a filter names it."""
    return quoted(value) if isinstance(value, str) else str(value)


def ids_in(ids: Iterable[str]) -> str:
    """The filter for these primary keys. Milvus Lite returns a row twice if its key is named twice."""
    return f"{ID} in [{', '.join(quoted(key) for key in dict.fromkeys(ids))}]"
