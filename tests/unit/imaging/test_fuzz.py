"""Damaged at random, a file is either refused with a code or still a picture: nothing else ever happens."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from fakes.bad_images import MAX_PIXELS, encoded, odd_images, picture
from tuku.errors import RowError
from tuku.imaging import code, decode
from tuku.protocols import PictureSize

# Pytest undoes the filter that `tuku.imaging` sets.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

ROUNDS = 30
CODES = {"empty", "not_an_image", "unsupported_format", "too_small", "too_many_pixels", "truncated", "corrupt"}
FILES = odd_images()
T = TypeVar("T")


@pytest.mark.parametrize("name", FILES)
def test_any_damage_ends_in_a_code_or_a_picture(name: str) -> None:
    rng = random.Random(name)
    seen: Counter[str] = Counter()
    for number in range(ROUNDS):
        content = damaged(FILES[name], rng)
        sizes = [PictureSize(short_side_px=50)] if number % 2 else []
        try:
            decoded = decode(content, max_pixels=MAX_PIXELS, sizes=sizes)
        except RowError as error:
            seen[error.code] += 1
        else:
            assert decoded.pixels.ndim == 3
            assert decoded.pixels.shape[2] == 3
            assert decoded.width * decoded.height <= MAX_PIXELS
            seen["picture"] += 1
    assert set(seen) <= CODES | {"picture"}
    assert seen["picture"] < ROUNDS  # the damage is real


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"comment": b"Beijing"}, {"restart_marker_blocks": 2}])
def test_services_get_what_can_be_decoded(options: dict[str, Any]) -> None:
    whole = encoded(picture(), "JPEG", quality=60, **options)
    rng = random.Random(repr(options))
    seen: Counter[str] = Counter()
    for _ in range(4 * ROUNDS):
        content = damaged(whole, rng)
        sent, fault = outcome(code, content)
        assert fault == outcome(decode, content)[1]
        assert sent is None or outcome(decode, sent.jpeg)[1] is None
        seen[fault or "sent"] += 1
    assert seen["sent"] > ROUNDS / 2
    assert seen["truncated"] + seen["corrupt"] > ROUNDS / 2


def outcome(work: Callable[..., T], content: bytes) -> tuple[T | None, str | None]:
    """What became of a file, or the code of its fault."""
    try:
        return work(content, max_pixels=MAX_PIXELS, sizes=[]), None
    except RowError as error:
        return None, error.code


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The file with some bytes changed, lost or added, more often than not near its beginning."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 2, 5, 20))):
        at = rng.randrange(min(len(data), 300) if rng.random() < 0.6 else len(data))
        kind = rng.random()
        if kind < 0.7:
            data[at] = rng.choice((0, 127, 128, 255, rng.randrange(256)))
        elif kind < 0.85:
            del data[at : at + rng.randrange(1, 9)]
        else:
            data[at:at] = rng.randbytes(rng.randrange(1, 9))
    return bytes(data)
