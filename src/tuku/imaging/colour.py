"""Wide-gamut and CMYK pictures to sRGB, as their ICC profiles say.

Phones write Display P3 and cameras Adobe RGB; read as sRGB they look pale, to people and to models alike.
"""

from __future__ import annotations

import functools
import io

from PIL import Image, ImageCms, features

# Larger than any profile of a printing press; a hostile one is not worth the time.
_MAX_PROFILE_BYTES = 4_000_000

# A profile that moves no colour by more than this (of 255) is sRGB under another name, and costs nothing.
_UNSEEN_DIFFERENCE = 2


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture in sRGB; unchanged if it has no profile, or one that is broken or made for other colours.

    Args:
        image: in mode RGB or CMYK; others are left alone (grey profiles differ only in their tone curve).
        profile: the file's ICC profile.
    """
    transform = _wanted(image, profile)
    if transform is None:
        return image
    converted = ImageCms.applyTransform(image, transform)
    return image if converted is None else converted


def is_srgb(image: Image.Image, profile: bytes | None) -> bool:
    """Whether `to_srgb` would change nothing."""
    return _wanted(image, profile) is None


def _wanted(image: Image.Image, profile: bytes | None) -> ImageCms.ImageCmsTransform | None:
    if not profile or len(profile) > _MAX_PROFILE_BYTES or image.mode not in ("RGB", "CMYK"):
        return None
    return _transform(profile, image.mode)


@functools.lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    if not features.check("littlecms2"):
        return None
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), mode, "RGB"
        )
        return transform if mode == "CMYK" or _changes_colours(transform) else None
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None  # as browsers do: a broken profile is no reason not to show the picture


def _changes_colours(transform: ImageCms.ImageCmsTransform) -> bool:
    steps = (0, 51, 102, 153, 204, 255)
    colours = bytes(value for red in steps for green in steps for blue in steps for value in (red, green, blue))
    probe = Image.frombytes("RGB", (len(colours) // 3, 1), colours)
    converted = ImageCms.applyTransform(probe, transform)
    seen = colours if converted is None else converted.tobytes()
    return max(abs(new - old) for new, old in zip(seen, colours, strict=True)) > _UNSEEN_DIFFERENCE
