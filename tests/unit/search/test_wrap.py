from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuku.search.wrap import wrap


def cells(text):
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a coffee mug", ["a coffee mug"]),
        ("a photo of a coffee mug", ["a photo of a", "coffee mug"]),
        ("一只棕色的狗坐在沙发上", ["一只棕色的狗坐在", "沙发上"]),
        ("一只棕色的狗坐下，看着", ["一只棕色的狗坐", "下，看着"]),  # no comma at the beginning
        ("一只棕色的狗坐“在沙发”", ["一只棕色的狗坐", "“在沙发”"]),  # no opening quote at the end
        ("摩托车 motorcycle 在车库", ["摩托车", "motorcycle 在车", "库"]),
        ("0123456789abcdefXYZ", ["0123456789abcdef", "XYZ"]),
        ("  spread \n\t out  ", ["spread out"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_lines(text, lines):
    assert wrap(text, 16, 3, cells) == lines


def test_an_ellipsis_stands_for_what_is_missing():
    assert wrap("a photo of a coffee mug or tea cup", 16, 2, cells) == ["a photo of a", "coffee mug or…"]
    assert wrap("一只棕色的狗坐在沙发上", 8, 1, cells) == ["一只棕…"]


@given(st.text(max_size=80), st.integers(2, 20), st.integers(1, 4))
def test_it_always_fits_and_loses_nothing_silently(text, width, max_lines):
    lines = wrap(text, width, max_lines, cells)
    assert len(lines) <= max_lines
    assert all(cells(line) <= width for line in lines)
    if not (lines and lines[-1].endswith("…")):
        assert "".join("".join(lines).split()) == "".join(text.split())
