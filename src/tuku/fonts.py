"""Finds a font that can draw Chinese."""

from __future__ import annotations

import importlib.util
import logging
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tuku.errors import ConfigError

if TYPE_CHECKING:
    from PIL import ImageFont

_log = logging.getLogger(__name__)

ENVIRONMENT = "TUKU_FONT"
"""Names a font file and comes before everything else."""

_PACKAGE, _PACKAGE_FILE = "pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf"

_SYSTEM_FONTS = (
    # Linux: Debian and Ubuntu (fonts-noto-cjk), Fedora, Arch, then the smaller WenQuanYi and Droid
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    # macOS
    "/System/Library/Fonts/PingFang.ttc",
    "/System/Library/Fonts/Hiragino Sans GB.ttc",
    "/System/Library/Fonts/STHeiti Medium.ttc",
    # Windows
    "C:/Windows/Fonts/msyh.ttc",
    "C:/Windows/Fonts/simhei.ttf",
)


def find_font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font of this height (px) that can draw Chinese, or Pillow's own, which cannot, with a warning.

    Raises:
        ConfigError: `TUKU_FONT` names a file that is no font.
    """
    from PIL import ImageFont

    path = _font_file(os.environ.get(ENVIRONMENT))
    if path is None:
        return ImageFont.load_default(size_px)
    try:
        return ImageFont.truetype(path, size_px)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read as a font: {error}.",
            f"Name a .ttf, .otf or .ttc file in {ENVIRONMENT}, or unset it.",
        ) from None


@cache
def _font_file(named: str | None) -> str | None:
    """Cached, so that the search is done once and its warning is given once."""
    if named:
        return named
    # The package is only located: it is data, and nothing of it needs to run.
    package = importlib.util.find_spec(_PACKAGE)
    bundled = [Path(package.origin).with_name(_PACKAGE_FILE)] if package and package.origin else []
    for path in (*bundled, *map(Path, _SYSTEM_FONTS)):
        if path.is_file():
            return str(path)
    _log.warning(
        "No font that draws Chinese was found: Chinese will be shown as boxes in pictures. "
        "Install tuku[local], or name a font file in %s.",
        ENVIRONMENT,
    )
    return None
