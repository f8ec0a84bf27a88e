from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tuku.search.grid import draw_grid, png_of
from tuku.search.grid_layout import PICTURE_HEIGHT, Layout
from tuku.search.query import Query
from tuku.search.results import Result, SearchAnswer

RED = (200, 30, 30)


def answer(number, query=Query(text="棕色的狗"), caption="一只猫"):  # noqa: B008  (immutable)
    results = tuple(Result(str(i), 0.9 - i / 100, uri=f"/图/{i}.jpg", caption=caption) for i in range(number))
    return SearchAnswer(query, results, timings_ms={"retrieve": 3.0})


def middle(grid, box):
    return grid.getpixel((box.left + box.width // 2, box.top + PICTURE_HEIGHT // 2))


@pytest.mark.parametrize(
    ("tiles", "columns", "rows"),
    [(0, 1, 1), (1, 1, 1), (3, 3, 1), (4, 4, 1), (9, 3, 3), (10, 5, 2), (12, 4, 3), (7, 4, 2)],
)
def test_few_gaps(tiles, columns, rows):
    assert Layout.of(tiles) == Layout(columns, rows)


def test_columns_can_be_chosen():
    assert Layout.of(9, columns=2) == Layout(2, 5)
    assert Layout.of(2, columns=5) == Layout(2, 1)


@pytest.mark.parametrize("number", [1, 3, 9, 10])
def test_every_result_has_its_picture_in_its_tile(number):
    colours = [(20 * i + 10, 100, 200 - 15 * i) for i in range(number)]
    pictures = [Image.new("RGB", (400, 300), colour) for colour in colours]
    grid, layout = draw_grid(answer(number), pictures), Layout.of(number)
    assert grid.size == layout.size
    assert [middle(grid, layout.tile(i)) for i in range(number)] == colours


def test_pictures_keep_their_proportions():
    grid = draw_grid(answer(1), [Image.new("RGB", (100, 400), RED)])
    box = Layout.of(1).tile(0)
    row = np.asarray(grid)[box.top + PICTURE_HEIGHT // 2, box.left : box.left + box.width]
    assert (row == RED).all(axis=1).sum() == pytest.approx(PICTURE_HEIGHT / 4, abs=2)


@pytest.mark.parametrize(
    ("mode", "colour"), [("L", 77), ("RGBA", (*RED, 255)), ("P", 3), ("CMYK", (0, 9, 9, 0)), ("1", 1)]
)
def test_any_mode_can_be_drawn(mode, colour):
    picture = Image.new(mode, (30, 20), colour)
    shown = middle(draw_grid(answer(1), [picture]), Layout.of(1).tile(0))
    assert np.allclose(shown, picture.convert("RGB").getpixel((5, 5)), atol=2)


def test_what_is_transparent_is_white():
    grid = draw_grid(answer(1), [Image.new("RGBA", (40, 30), (0, 0, 0, 0))])
    assert middle(grid, Layout.of(1).tile(0)) == (255, 255, 255)


def test_a_missing_picture_is_a_placeholder_with_words():
    box = Layout.of(2).tile(1)
    area = (box.left, box.top, box.left + box.width, box.top + PICTURE_HEIGHT)
    missing = np.asarray(draw_grid(answer(2), [Image.new("RGB", (9, 9), RED), None]).crop(area))
    text = missing[PICTURE_HEIGHT // 2 - 12 : PICTURE_HEIGHT // 2 + 12]
    assert len(np.unique(text.reshape(-1, 3), axis=0)) > 3
    assert len(np.unique(missing[30:60].reshape(-1, 3), axis=0)) == 1


def test_the_query_picture_is_beside_the_results():
    query = Query(text="with this", image="/q.jpg", where="price < 100")
    grid = draw_grid(answer(3, query), [None] * 3, Image.new("RGB", (400, 300), RED))
    box = Layout.of(3).query
    assert grid.getpixel((box.left + box.width // 2, box.top + 40)) == RED


@pytest.mark.parametrize(
    "caption", ["", "x" * 5_000, "\x1b[31m\n\x00", "🐕\u200d🦺 \U000f0000 \udcff", "字" * 900, "\u202eאבג"]
)
def test_no_caption_leaves_its_tile(caption):
    plain, drawn = draw_grid(answer(2, caption="字"), [None] * 2), draw_grid(answer(2, caption=caption), [None] * 2)
    differing = np.argwhere((np.asarray(plain) != np.asarray(drawn)).any(axis=2))
    boxes = [Layout.of(2).tile(i) for i in range(2)]
    assert len(differing)
    for top, left in differing:
        assert any(
            box.left < left < box.left + box.width - 4 and box.top + PICTURE_HEIGHT < top < box.top + box.height
            for box in boxes
        )


def test_each_result_needs_its_picture():
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        draw_grid(answer(2), [None])


def test_its_file_is_a_png():
    grid = draw_grid(answer(0), [])
    with Image.open(BytesIO(png_of(grid))) as saved:
        assert saved.format == "PNG"
        assert saved.size == grid.size
