from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fakes.dashscope import DashScopeServer, Settings
from fakes.dashscope.__main__ import parse, settings_of
from fakes.dashscope.client import CAPTION, caption_body, jpeg, post

TESTS = Path(__file__).parents[2]


def environment():
    return {**os.environ, "PYTHONPATH": str(TESTS)}


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_server_ends_with_its_block():
    with DashScopeServer(Settings(keys=("sk-mine",))) as server:
        assert server.environment["DASHSCOPE_API_KEY"] == "sk-mine"
        assert post(server.base_url + CAPTION, caption_body(jpeg()), key="sk-mine").status == 200
        pid = server.pid
    assert not is_alive(pid)


def test_the_server_does_not_outlive_a_parent_that_is_killed():
    code = "from fakes.dashscope import DashScopeServer as D\ns = D().__enter__()\nprint(s.pid, flush=True)\ninput()"
    parent = subprocess.Popen(
        [sys.executable, "-c", code], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with parent:
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.send_signal(signal.SIGKILL)
    for _ in range(50):
        if not is_alive(pid):
            break
        time.sleep(0.1)
    assert not is_alive(pid)


def test_by_hand_it_prints_what_to_export_and_at_the_end_the_counters():
    command = [sys.executable, "-m", "fakes.dashscope", "--port", "0", "--rpm", "60", "--seed", "1"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip().removeprefix("export DASHSCOPE_HTTP_BASE_URL=")
        assert process.stdout.readline() == "export DASHSCOPE_API_KEY=sk-local\n"
        statuses = [post(url + CAPTION, caption_body(jpeg())).status for _ in range(2)]
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert statuses == [200, 429]
    assert process.returncode == 0
    assert json.loads(rest[rest.index("{") :])["models"]["qwen-vl-plus"]["requests"] == 2


def test_the_options_become_settings():
    options = "--rpm 1200 --tpm none --latency 1.5,8 --faults 0.05 --burst 0.2 --refused-calls-count --seed 1"
    settings = settings_of(parse(options.split()))
    assert (settings.limits.requests_per_min, settings.limits.tokens_per_min, settings.limits.burst_s) == (
        1200,
        None,
        0.2,
    )
    assert settings.limits.refused_calls_count
    assert (settings.latency.median_s, settings.latency.p99_s) == (1.5, 8.0)
    assert set(settings.faults.model_dump().values()) == {0.05}
    assert settings_of(parse([])).limits.requests_per_min == "documented"
    with pytest.raises(SystemExit):
        parse(["--rpm", "many"])
