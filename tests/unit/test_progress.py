from __future__ import annotations

import io
import threading
import time

import pytest

from tuku.progress import Progress, SilentProgress, choose_progress
from tuku.progress.live import LiveProgress
from tuku.progress.log import LogProgress
from tuku.progress.tally import WINDOW_S, StageTally, Tally


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


class Terminal(io.StringIO):
    def isatty(self):
        return True


def lines(stream):
    """Without the times in front."""
    return [line.split(" tuku ", 1)[1] for line in stream.getvalue().splitlines()]


def run(progress: Progress):
    progress.phase("plan", "catalogue.csv")
    progress.phase("pipeline", "2 workers")
    progress.start(100)
    progress.advance("fetch", 100, 3)
    progress.advance("embed", 50)
    progress.phase("load")
    progress.close()
    progress.close()


def test_rate_and_time_left():
    tally = Tally(started_s=0.0, total_rows=100)
    for second in range(1, 5):
        tally.add("embed", 10, 1, float(second))
    stage = tally.stages["embed"]
    assert (stage.rows, stage.failed) == (40, 4)
    assert stage.rows_per_s(4.0) == 10.0
    assert tally.eta_s(stage, 4.0) == 6.0
    assert stage.rows_per_s(8.0) == 5.0  # nothing came for four seconds


def test_a_rate_is_that_of_the_last_half_minute():
    stage = StageTally(started_s=0.0)
    for second in range(1, 101):
        stage.add(100 if second <= 50 else 1, 0, float(second))
    assert stage.rows_per_s(100.0) == pytest.approx(1.0, abs=0.05)
    assert stage.average_rows_per_s() == pytest.approx(50.5)
    assert len(stage._recent) <= WINDOW_S + 2
    assert stage.rows_per_s(100.0 + 2 * WINDOW_S) == 0.0


def test_time_left_is_not_guessed():
    tally = Tally(started_s=0.0)
    tally.add("fetch", 10, 0, 1.0)
    assert tally.eta_s(tally.stages["fetch"], 1.0) is None
    assert tally.slowest_eta_s(1.0) is None
    assert StageTally(started_s=5.0).rows_per_s(5.0) == 0.0


def test_the_slowest_stage_decides():
    tally = Tally(started_s=0.0, total_rows=100)
    tally.add("fetch", 50, 0, 10.0)
    tally.add("embed", 10, 0, 10.0)
    assert tally.slowest_eta_s(10.0) == 90.0


def test_log_has_a_line_every_few_seconds_and_a_last_one():
    clock, stream = Clock(), io.StringIO()
    progress = LogProgress(stream, interval_s=5.0, clock=clock)
    progress.phase("pipeline", "2 workers")
    progress.start(1_000)
    for _ in range(12):
        clock.now_s += 1.0
        progress.advance("fetch", 50, 1)
    progress.close()
    said = lines(stream)
    assert said[:2] == ["pipeline: 2 workers", "pipeline: 1,000 rows to do"]
    assert said[2] == "pipeline: fetch 250/1,000 at 50.0 rows/s, 5 failed | 15 s left"
    assert said[3] == "pipeline: fetch 500/1,000 at 50.0 rows/s, 10 failed | 10 s left"
    assert said[4:] == ["end after 12 s: fetch 600/1,000 at 50.0 rows/s, 12 failed"]


def test_log_of_a_phase_that_reports_often_stays_short():
    clock, stream = Clock(), io.StringIO()
    progress = LogProgress(stream, interval_s=5.0, clock=clock)
    for done in range(8):
        progress.phase("load", f"{done} of 8")
        clock.now_s += 1.0
    progress.close()
    assert lines(stream) == ["load: 0 of 8", "load: 5 of 8", "end after 8.0 s"]


def test_log_goes_on_while_nothing_advances():
    stream, seen = io.StringIO(), threading.Event()
    progress = LogProgress(stream, interval_s=0.01)
    progress.start(None)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and stream.getvalue().count("no rows yet") < 2:
        seen.wait(0.01)
    progress.close()
    assert stream.getvalue().count("no rows yet") >= 2
    after = stream.getvalue()
    seen.wait(0.05)
    assert stream.getvalue() == after


def test_log_lines_are_single_and_harmless():
    stream = io.StringIO()
    progress = LogProgress(stream)
    progress.phase("plan", "目录\n\x1b[2J.csv")
    progress.close()
    assert lines(stream)[0] == "plan: 目录\\n\\e[2J.csv"


def test_live_shows_phases_and_stages():
    clock, stream = Clock(), Terminal()
    progress = LiveProgress(stream, clock=clock)
    progress.phase("pipeline", "2 workers")
    progress.start(100)
    clock.now_s += 2.0
    progress.advance("fetch", 40, 3)
    progress.phase("verify", "[bold]目录\x1b[2J")
    progress.close()
    text = stream.getvalue().rsplit("\x1b[2K", 1)[-1]
    for part in ("pipeline", "2.0 s", "fetch", "40/100", "20.0 rows/s", "3 failed", "verify", "[bold]目录\\e[2J"):
        assert part in text
    assert "\x1b[?25h" in text  # the cursor is back


def test_live_says_how_much_is_left():
    from rich.console import Console

    clock = Clock()
    progress = LiveProgress(Terminal(), clock=clock)
    progress.start(100)
    clock.now_s += 10.0
    progress.advance("embed", 20)
    drawn = io.StringIO()
    Console(file=drawn, width=100).print(progress.render())
    progress.close()
    assert "20/100" in drawn.getvalue()
    assert "40 s left" in drawn.getvalue()


@pytest.mark.parametrize("make", [SilentProgress, lambda: LogProgress(io.StringIO()), lambda: LiveProgress(Terminal())])
def test_stdout_is_left_alone(make, capsys):
    progress = make()
    progress.phase("plan")
    print("the result")  # noqa: T201  (what must come through as it is)
    run(progress)
    assert capsys.readouterr().out == "the result\n"


@pytest.mark.parametrize(
    ("stream", "json", "term", "kind"),
    [
        (Terminal(), False, "xterm", LiveProgress),
        (Terminal(), True, "xterm", LogProgress),
        (Terminal(), False, "dumb", LogProgress),
        (io.StringIO(), False, "xterm", LogProgress),
    ],
)
def test_the_display_that_fits(stream, json, term, kind, monkeypatch):
    monkeypatch.setenv("TERM", term)
    progress = choose_progress(stream, json=json)
    assert isinstance(progress, kind)
    run(progress)
    assert "fetch" in stream.getvalue()


def test_a_run_that_fails_at_once_can_be_closed():
    for progress, stream in [(LogProgress(log := io.StringIO()), log), (LiveProgress(live := Terminal()), live)]:
        progress.close()
        before = stream.getvalue()
        progress.phase("late")
        progress.advance("late", 1)
        assert stream.getvalue() == before
    assert not [thread for thread in threading.enumerate() if thread.name == "tuku-progress"]
