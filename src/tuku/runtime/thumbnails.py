"""Small copies of the catalogue's pictures, for the grid and the report."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from PIL import Image

from tuku.config import DecodeConfig
from tuku.errors import RowError
from tuku.fetching import Fetched, Fetcher
from tuku.imaging import thumbnail
from tuku.uris import redact

_log = logging.getLogger(__name__)


def thumbnails(uris: Sequence[str], fetcher: Fetcher, config: DecodeConfig, side_px: int) -> list[Image.Image | None]:
    """An RGB picture that fits a square of `side_px` for each URI; None where it cannot be had any more."""
    return [_thumbnail(uri, file, config, side_px) for uri, file in zip(uris, fetcher.fetch(uris), strict=True)]


def _thumbnail(uri: str, file: Fetched | RowError, config: DecodeConfig, side_px: int) -> Image.Image | None:
    try:
        if isinstance(file, RowError):
            raise file
        return thumbnail(file.content, side_px, max_pixels=config.max_pixels)
    except RowError as error:
        _log.warning("No picture for %s: %s", redact(uri), error)
        return None
