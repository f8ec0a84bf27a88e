from __future__ import annotations

import numpy as np
import pytest

from fakes.colours import plain_picture, plain_pictures
from tuku.search.candidate_grid import draw_candidates, tile_px


@pytest.mark.parametrize("count", [2, 9, 20, 100])
@pytest.mark.parametrize("query", [None, plain_picture(200)])
def test_all_candidates_fit_where_they_can_be_seen(count: int, query) -> None:
    grid = draw_candidates(plain_pictures(count), query, 1536)
    height, width, _ = grid.pixels.shape
    tile = tile_px(count, 1536, query=query is not None)
    assert max(height, width) <= 1536
    assert (grid.pixels.dtype, tile >= 139) == (np.uint8, True)
    first = 0 if query is None else 1
    for number, picture in enumerate(plain_pictures(count)):
        row, column = divmod(number + first, width // tile)
        middle = grid.pixels[row * tile + tile * 2 // 3, column * tile + tile // 2]
        assert middle.tolist() == picture.pixels[0, 0].tolist()


def test_the_numbers_are_drawn_and_no_two_are_alike() -> None:
    grid = draw_candidates([None] * 9, None, 1536)
    strips = [
        grid.pixels[row * 512 : row * 512 + 60, column * 512 : (column + 1) * 512]
        for row in range(3)
        for column in range(3)
    ]
    assert len({strip.tobytes() for strip in strips}) == 9


def test_the_querys_picture_stands_out() -> None:
    grid = draw_candidates(plain_pictures(3), plain_picture(200), 600)
    assert grid.pixels[150, 5].tolist() == [208, 0, 0]
    assert grid.pixels[150, 305].tolist() == [16, 16, 16]


def test_a_picture_that_would_show_nothing_is_larger() -> None:
    assert draw_candidates(plain_pictures(9), None, 32).pixels.shape == (192, 192, 3)


def test_the_same_candidates_are_the_same_picture() -> None:
    one, other = (draw_candidates(plain_pictures(4), None, 256) for _ in range(2))
    assert one.content_sha256 == other.content_sha256
    assert draw_candidates(plain_pictures(3), None, 256).content_sha256 != one.content_sha256
