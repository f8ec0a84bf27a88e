"""Ids in paths. An id may hold anything, ``..`` and ``/`` too, which browsers and proxies read as steps of a path."""

from __future__ import annotations

import base64
import binascii

from tuku.web.models import MAX_ID
from tuku.web.problems import RefusedError


def id_of(segment: str) -> str:
    """The id that a segment of a path stands for: itself, or after a ``~`` its UTF-8 in base64url without padding.

    Raises:
        RefusedError: 404: it can be no id.
    """
    image_id = segment
    if segment.startswith("~"):
        data = segment[1:]
        try:
            image_id = base64.b64decode(data + "=" * (-len(data) % 4), altchars=b"-_", validate=True).decode()
        except (binascii.Error, ValueError):
            raise no_image() from None
    if not image_id or len(image_id) > MAX_ID:
        raise no_image()
    return image_id


def segment_of(image_id: str) -> str:
    """How an id is written in a path, whatever is in it."""
    return "~" + base64.urlsafe_b64encode(image_id.encode()).decode().rstrip("=")


def no_image() -> RefusedError:
    """There is no such image."""
    return RefusedError(
        404, "There is no image of this id.", "Search again: the catalogue may have changed.", code="no_image"
    )
