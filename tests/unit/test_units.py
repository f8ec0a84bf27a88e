from __future__ import annotations

import pytest

from tuku import units


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"), (9.94, "9.9 s"), (12.4, "12 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7_620, "2 h 07 min"),
        (400_000, "111 h 06 min"),
    ],
)  # fmt: skip
def test_duration(seconds, text):
    assert units.duration(seconds) == text


def test_rates_counts_and_money():
    assert [units.rate(x) for x in (0.44, 99.96, 1_240.2)] == ["0.4 rows/s", "100.0 rows/s", "1,240 rows/s"]
    assert [units.plural(x, "row") for x in (0, 1, 2_413)] == ["0 rows", "1 row", "2,413 rows"]
    assert [units.money(x, "CNY") for x in (0, 12.345, 0.00042)] == ["CNY 0.00", "CNY 12.35", "CNY 0.000420"]


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (12_600, "13 kB"), (256_000_000, "256 MB"),
     (1_250_000_000, "1.2 GB"), (4_321 * 10**12, "4,321 TB")],
)  # fmt: skip
def test_size(number, text):
    assert units.size(number) == text


@pytest.mark.parametrize(
    ("measured", "text"),
    [(None, "–"), (True, "yes"), (False, "no"), (5863, "5,863"), (0.98412, "0.9841"), ("Loaded", "Loaded")],
)
def test_measured_values(measured, text):
    assert units.value(measured) == text
