"""Pictures as a model wants them, with the same numbers as transformers' own processors. Needs no PyTorch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from tuku.errors import ConfigError
from tuku.protocols import PictureSize, Pixels
from tuku.providers.hosted.families import Family

_RGB = 3
_SCALE = 1 / 255
_LONGEST = 20  # times the short side


@dataclass(frozen=True)
class Preprocessing:
    """Resize, cut out the middle, and (in the model's own number format) scale the colours.

    Attributes:
        width, height: of what the model looks at, px.
        short_side: what the short side is resized to before the middle is cut out; None: squeezed to width x height.
        resample: Pillow's filter.
        mean, std: of colours in [0, 1], by channel.
    """

    width: int
    height: int
    short_side: int | None
    resample: Image.Resampling
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, config: Mapping[str, Any], family: Family, place: str) -> Preprocessing:
        """As the model's folder has it.

        Args:
            config: ``preprocessor_config.json``.
            family: for what it does not say.
            place: of the model, for messages.

        Raises:
            ConfigError: it wants something else than resizing, cutting out the middle, and scaling.
        """
        try:
            return cls._read(config, family)
        except (KeyError, TypeError, ValueError):
            raise ConfigError(
                f"How pictures are prepared for the model in {place} is not understood (preprocessor_config.json).",
                "provider hf resizes (size), cuts out the middle (crop_size), and scales (image_mean, image_std).",
            ) from None

    @classmethod
    def _read(cls, config: Mapping[str, Any], family: Family) -> Preprocessing:
        if not (config.get("do_resize", True) and config.get("do_rescale", True)):
            raise ValueError("pictures as they are")
        if not math.isclose(float(config.get("rescale_factor", _SCALE)), _SCALE, rel_tol=1e-6):
            raise ValueError("another scale")
        mean, std = (0.0,) * _RGB, (1.0,) * _RGB
        if config.get("do_normalize", True):
            mean = tuple(map(float, config.get("image_mean") or family.mean))
            std = tuple(map(float, config.get("image_std") or family.std))
        size = config.get("size", 224)
        if isinstance(size, int):
            size = {"height": size, "width": size} if family.squares else {"shortest_edge": size}
        crop = config.get("crop_size", size.get("shortest_edge"))
        crop = {"height": crop, "width": crop} if isinstance(crop, int) else crop
        filter_ = Image.Resampling(config.get("resample", Image.Resampling.BICUBIC))
        if "shortest_edge" not in size:
            if config.get("do_center_crop") and crop not in (None, size):
                raise ValueError("squeezed, then cut")
            return cls(int(size["width"]), int(size["height"]), None, filter_, mean, std)
        if not config.get("do_center_crop", not family.squares):
            raise ValueError("pictures of all shapes")
        width, height, short = int(crop["width"]), int(crop["height"]), int(size["shortest_edge"])
        if max(width, height) > short:
            raise ValueError("cut larger than it is")
        return cls(width, height, short, filter_, mean, std)

    @property
    def picture_size(self) -> PictureSize:
        """How much of a picture is needed. Resized before, it would be less sharp, and take longer."""
        return PictureSize(short_side_px=self.short_side or max(self.width, self.height), exact=False)

    def __call__(self, pixels: Pixels) -> Pixels:
        """What the model looks at, before the colours are scaled.

        Args:
            pixels: RGB uint8 of any size, best with `picture_size`.

        Returns:
            uint8 (height, width, 3).
        """
        height, width = pixels.shape[:2]
        if self.short_side is None:
            return self._resized(pixels, self.width, self.height)
        long = int(self.short_side * max(width, height) / min(width, height))
        new_width, new_height = (self.short_side, long) if width <= height else (long, self.short_side)
        left, top = (new_width - self.width) // 2, (new_height - self.height) // 2
        if long <= _LONGEST * self.short_side:
            whole = self._resized(pixels, new_width, new_height)
            return np.ascontiguousarray(whole[top : top + self.height, left : left + self.width])
        # Only what is kept: all of a 5000x10 px picture would become 112,000x224. Some colours differ by 1 of 255 then.
        across, down = width / new_width, height / new_height
        right, bottom = min(width, (left + self.width) * across), min(height, (top + self.height) * down)
        box = (left * across, top * down, right, bottom)
        image = Image.fromarray(np.ascontiguousarray(pixels))
        return np.asarray(image.resize((self.width, self.height), self.resample, box=box))

    def _resized(self, pixels: Pixels, width: int, height: int) -> Pixels:
        if pixels.shape[:2] == (height, width):
            return pixels
        return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize((width, height), self.resample))
