"""Numbers as people read them, the same on the terminal, in the log and in the report."""

from __future__ import annotations

_TENTHS_BELOW_S = 10
_MINUTE_S = 60
_HOUR_S = 3_600
_MANY = 100
_TENTHS_BELOW = 10
_SIZES = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
_CENT = 0.01


def duration(seconds: float) -> str:
    """Such as ``0.4 s``, ``12 s``, ``3 min 05 s`` or ``2 h 07 min``."""
    if seconds < _TENTHS_BELOW_S:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S:02d} s"
    return f"{whole // _HOUR_S:,} h {whole % _HOUR_S // _MINUTE_S:02d} min"


def rate(rows_per_s: float) -> str:
    """Such as ``1,240 rows/s`` or ``0.4 rows/s``."""
    return f"{rows_per_s:,.0f} rows/s" if rows_per_s >= _MANY else f"{rows_per_s:.1f} rows/s"


def plural(number: int, noun: str) -> str:
    """Such as ``1 row`` or ``2,413 rows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def size(number: int) -> str:
    """Bytes, such as ``512 B``, ``3.4 kB``, ``128 MB`` or ``1.2 GB``: powers of 1,000."""
    for power, unit in _SIZES:
        if number >= power:
            amount = number / power
            return f"{amount:.1f} {unit}" if amount < _TENTHS_BELOW else f"{amount:,.0f} {unit}"
    return f"{number} B"


def money(amount: float, currency: str) -> str:
    """Such as ``CNY 12.34``; amounts below a cent keep their digits."""
    digits = 2 if amount >= _CENT or not amount else 6
    return f"{currency} {amount:,.{digits}f}"


def value(measured: float | str | bool | None) -> str:
    """What a check expected or found: counts with separators, fractions to four digits."""
    if measured is None:
        return "–"
    if isinstance(measured, bool):
        return "yes" if measured else "no"
    if isinstance(measured, int):
        return f"{measured:,}"
    return f"{measured:.4g}" if isinstance(measured, float) else measured
