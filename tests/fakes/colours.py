"""Pictures of one colour each."""

from __future__ import annotations

import numpy as np

from tuku.protocols import Picture


def plain_picture(number: int, side_px: int = 64) -> Picture:
    """Picture `number`, of a colour of its own for numbers below 256."""
    colour = np.array([number % 256, 255 - number % 256, 37 * number % 256], dtype=np.uint8)
    pixels = np.broadcast_to(colour, (side_px, side_px, 3)).copy()
    return Picture(pixels, f"{number:064x}")


def plain_pictures(count: int) -> list[Picture]:
    """The first so many."""
    return [plain_picture(number) for number in range(count)]
