"""A service's own words, made fit for a message: one short line, without secrets."""

from __future__ import annotations

import re

_MAX_CHARACTERS = 200
# What services echo: keys (OpenAI masks them, not everybody does), credentials in headers, whole pictures.
_SECRETS = re.compile(r"\b(?:sk|ak)-[\w*-]{3,}|\bLTAI\w{8,}|\bbearer\s+\S+", re.IGNORECASE)
_DATA_URI = re.compile(r"data:[\w/+.-]+;base64,[\w+/=%-]*")


def shown(text: str) -> str:
    """The text as it may stand in a report: keys and pictures cut out, line breaks and what is too long too."""
    text = _DATA_URI.sub("data:…", _SECRETS.sub("***", text))
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    return line if len(line) <= _MAX_CHARACTERS else line[: _MAX_CHARACTERS - 1] + "…"
