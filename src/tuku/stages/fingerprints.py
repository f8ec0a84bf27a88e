"""The fingerprints that decide what must be done again: source, content, caption, embedding.

Each is a short hex digest of everything its part of the row depends on. (The content fingerprint is the
row's `content_sha256`.)
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence

from tuku.protocols import ModelDescription

NO_CAPTION = "none"


def source_fingerprint(uri: str) -> str:
    """What is known of a file without reading it: its URI and, when it is local, size (bytes) and mtime (ns)."""
    if "://" in uri:
        return _digest("source", uri)
    try:
        status = os.stat(uri)  # noqa: PTH116  the same call, without building an object for every row
    except (OSError, ValueError):
        return _digest("source", uri, "missing")
    return _digest("source", uri, status.st_size, status.st_mtime_ns)


def caption_fingerprint(description: ModelDescription | None) -> str:
    """Provider, model, revision, prompt, parameters and max side: what a caption depends on besides the picture."""
    if description is None:
        return NO_CAPTION
    return _digest("caption", description.name, *_side(description), description.settings)


def embedding_fingerprint(description: ModelDescription, vectors: Sequence[str]) -> str:
    """Provider, model, revision, dimension, parameters, max side, and which vectors a row has."""
    side = _side(description)
    return _digest("embedding", description.name, description.dim, sorted(vectors), *side, description.settings)


def _side(description: ModelDescription) -> tuple[int | None, int | None]:
    size = description.picture_size
    return (None, None) if size is None else (size.short_side_px, size.long_side_px)


def _digest(*values: object) -> str:
    text = json.dumps(values, ensure_ascii=False)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
