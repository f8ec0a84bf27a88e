from __future__ import annotations

import io

from rich.console import Console

from fakes.reports import full_report
from tuku.report import ApiUse, Check, Rows, VerifySummary
from tuku.terminal import make_console


def rendered(report, encoding="utf-8"):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    make_console(stream).print(report.summary())
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


def test_it_says_everything():
    text = rendered(full_report())
    for part in ("47 images ingested", "3 failed", "http_404", "25.0 rows/s", "CNY 1.25", "tuku_1", "row count"):
        assert part in text
    assert "✓" in text
    assert "/lake/runs/run-1/report.html" in text
    assert "unaccounted" not in text


def test_a_run_that_went_well_says_what_one_should_know_all_the_same():
    text = rendered(full_report(warnings=("3 images are\x1b not in the manifest.", "2 rows cannot be helped.")))
    assert "✓ done" in text
    assert "3 images are\\e not in the manifest." in text
    assert "2 rows cannot be helped." in text


def test_it_is_plain_where_nobody_looks():
    assert "\x1b" not in rendered(full_report())


def test_a_terminal_without_unicode_gets_words():
    proof = VerifySummary(passed=False, checks=(Check(name="rows", expected=1, actual=2, passed=False),))
    text = rendered(full_report(status="failed", exit_code=4, verify=proof), encoding="ascii")
    assert "FAILED" in text
    assert "failed  47 images" in text


def test_rows_that_ended_nowhere_are_shown():
    assert "unaccounted for" in rendered(full_report(rows=Rows(manifest=9, ok=1)))


def test_the_message_of_a_failed_run_cannot_act_on_the_terminal():
    text = rendered(full_report(status="stopped", exit_code=5, message="disk full at /lake/\x1b[2J\n[bold]x[/bold]"))
    assert "disk full at /lake/\\e[2J\\n[bold]x[/bold]" in text


def test_a_narrow_terminal_loses_no_character_of_a_path():
    stream = io.StringIO()
    path = "/very/long/" + "0123456789" * 12 + ".html"
    Console(file=stream, width=60).print(full_report(paths={"report": path}).summary())
    assert path in "".join(stream.getvalue().split())


def total_of(**uses):
    return [line.split() for line in rendered(full_report(api=uses)).splitlines() if line.strip().startswith("total")]


def test_the_bill_has_a_total():
    caption = ApiUse(requests=50, retries=4, throttled=1, input_tokens=9_000, output_tokens=500, cost=1.25)
    embed = ApiUse(requests=10, input_tokens=1_000, cost=0.5)
    assert total_of(caption=caption, embed=embed) == [["total", "60", "4", "1", "10,000", "500", "CNY", "1.75"]]
    assert total_of(caption=caption) == []


def test_a_bill_in_two_currencies_has_no_sum():
    dollars = ApiUse(requests=1, cost=0.5, currency="USD")
    [total] = total_of(caption=ApiUse(requests=1, cost=1.25), embed=dollars)
    assert " ".join(total).endswith("CNY 1.25, USD 0.50")
