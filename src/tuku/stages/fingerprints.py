"""The fingerprints that decide what must be done again: source, content, caption, embedding.

Caption and embedding are short hex digests of everything that they depend on, content is the row's `content_sha256`,
and source is readable: what a file system or a server says of a file without handing it over.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence

from tuku.protocols import ModelDescription

NO_CAPTION = "none"


def source_fingerprint(uri: str) -> str | None:
    """What is known of a local file without reading it: size (bytes) and mtime (ns). None for a remote one."""
    if "://" in uri:
        return None
    try:
        status = os.stat(uri)  # noqa: PTH116  the same call, without building an object for every row
    except (OSError, ValueError):
        return "missing"
    return f"{status.st_size} bytes at {status.st_mtime_ns}"


def served_fingerprint(etag: str | None, last_modified: str | None) -> str:
    """What a server said to tell a file's versions apart (RFC 9110, 8.8): see `validators`. ASCII, whatever it said."""
    return json.dumps({"etag": etag, "last_modified": last_modified})


def validators(fingerprint: str | None) -> tuple[str | None, str | None]:
    """ETag and Last-Modified of a served file's source fingerprint; None for what it does not hold."""
    if not fingerprint or not fingerprint.startswith("{"):
        return None, None
    said = json.loads(fingerprint)
    return said.get("etag"), said.get("last_modified")


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
