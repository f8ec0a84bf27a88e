"""Any picture that Pillow can hold to upright 8-bit RGB at the wanted size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from tuku.errors import RowError
from tuku.imaging.colour import to_srgb
from tuku.protocols import Pixels

# EXIF 2.32, tag 0x0112: how to turn what is stored into what is seen.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Large pictures are first reduced by a plain mean, down to this many times the wanted size, which Pillow's
# documentation calls close to fair resampling. JPEG comes reduced already and is not touched by this.
_REDUCING_GAP = 3.0


def to_rgb(
    image: Image.Image,
    size: tuple[int, int],
    orientation: int,
    resampling: Image.Resampling = Image.Resampling.BICUBIC,
) -> Pixels:
    """RGB pixels of a loaded picture.

    Resizing comes first wherever it gives the same colours, since all else is then done on fewer pixels.

    Args:
        image: as loaded, in whatever mode.
        size: wanted width and height (px) as stored, that is before it is turned; at most the picture's.
        orientation: EXIF's, 1 to 8.
        resampling: Pillow's filter.

    Returns:
        uint8 (height, width, 3), upright, in sRGB.

    Raises:
        RowError: ``unsupported_format`` for a colour model that has no 8-bit RGB meaning here.
    """
    profile = image.info.get("icc_profile")
    image = _resizable(image)
    if image.size != size:
        image = image.resize(size, resampling, reducing_gap=_REDUCING_GAP)
    if image.mode in ("LA", "RGBA"):
        image = _on_white(image)
    image = to_srgb(image, profile)
    if image.mode != "RGB":
        image = image.convert("RGB")
    if orientation in _TURNS:
        image = image.transpose(_TURNS[orientation])
    return np.asarray(image)


def _resizable(image: Image.Image) -> Image.Image:
    """The picture in mode L, LA, RGB, RGBA or CMYK, in which a mean of two pixels means something."""
    if image.has_transparency_data and image.mode not in ("LA", "RGBA"):
        return image.convert("RGBA")
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("P", "RGBX", "YCbCr"):
        return image.convert("RGB")
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        return Image.fromarray(_stretched(np.asarray(image)))
    raise RowError("unsupported_format", f"a {image.format} picture in the colour model {image.mode}")


def _on_white(image: Image.Image) -> Image.Image:
    background = Image.new("RGB", image.size, "white")
    background.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return background


def _stretched(values: npt.NDArray[np.int32] | npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Values without an agreed white: the least becomes black, the greatest white; NaN and infinity black."""
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, dtype=np.uint8)
    low, high = (float(bound) for bound in (values[finite].min(), values[finite].max()))
    if low == high:
        return np.zeros(values.shape, dtype=np.uint8)
    stretched = (np.where(finite, values, low).astype(np.float64) - low) * (255.0 / (high - low))
    result: npt.NDArray[np.uint8] = stretched.round().astype(np.uint8)
    return result
