from __future__ import annotations

import threading
import time

import pytest

from tuku.search.time_limit import OverdueError, TimeLimit


def test_work_in_time_has_its_result() -> None:
    limit = TimeLimit(5)
    assert limit.run(lambda: 42) == 42
    assert 0 < limit.left_s() <= 5
    assert not limit.is_over


def test_what_the_work_raises_is_raised() -> None:
    with pytest.raises(KeyError):
        TimeLimit(5).run(lambda: {}["x"])


def test_work_that_takes_too_long_is_left_alone() -> None:
    ends, ended = threading.Event(), threading.Event()

    def work() -> None:
        ends.wait()
        with pytest.raises(OverdueError):
            limit.left_s()
        ended.set()

    limit = TimeLimit(0.05)
    started_s = time.monotonic()
    with pytest.raises(OverdueError):
        limit.run(work)
    assert time.monotonic() - started_s < 2
    assert limit.is_over
    ends.set()
    assert ended.wait(5)


def test_no_work_begins_that_is_not_waited_for() -> None:
    limit = TimeLimit(0.01)
    time.sleep(0.02)
    with pytest.raises(OverdueError):
        limit.left_s()
