"""The command: ``PYTHONPATH=tests python -m fakes.dashscope --port 8099 --rpm 1200 --tpm 1000000 --latency 1.5,8``."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal

from fakes.dashscope.app import running
from fakes.dashscope.endpoints import COMPATIBLE_ROOT, NATIVE_ROOT
from fakes.dashscope.settings import Faults, Latency, Limits, PerMinute, Settings
from fakes.dashscope.state import State

_WATCH_S = 0.5


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """What was typed."""
    parser = argparse.ArgumentParser(prog="python -m fakes.dashscope", description="A local DashScope.")
    parser.add_argument("--port", type=int, default=8099, help="0: any that is free (default: %(default)s)")
    parser.add_argument(
        "--rpm", type=_per_minute, default="documented", help="requests a minute of each model, or none"
    )
    parser.add_argument("--tpm", type=_per_minute, default="documented", help="tokens a minute of each model, or none")
    parser.add_argument("--burst", type=float, default=1.0, help="seconds' worth of quota at once")
    parser.add_argument("--refused-calls-count", action="store_true", help="a refused call uses quota too")
    parser.add_argument("--latency", type=_latency, default=Latency(), help="median[,p99] in seconds: 1.5,8")
    parser.add_argument("--faults", type=float, default=0.0, help="probability of every fault that is not fatal")
    parser.add_argument("--answers", choices=["colours", "numbered", "fixed", "models"], default="colours")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--settings", type=Settings.model_validate_json, help="all of them as JSON, for programs")
    parser.add_argument("--parent", type=int, help="end when this is no longer the parent process, for programs")
    return parser.parse_args(arguments)


def settings_of(typed: argparse.Namespace) -> Settings:
    """The settings that were typed."""
    if typed.settings is not None:
        given: Settings = typed.settings
        return given
    return Settings(
        seed=typed.seed,
        limits=Limits(
            requests_per_min=typed.rpm,
            tokens_per_min=typed.tpm,
            burst_s=typed.burst,
            refused_calls_count=typed.refused_calls_count,
        ),
        latency=typed.latency,
        faults=Faults.all_at(typed.faults),
        answers=typed.answers,
    )


def _per_minute(typed: str) -> PerMinute:
    return None if typed == "none" else int(typed) if typed != "documented" else "documented"


def _latency(typed: str) -> Latency:
    median_s, _, p99_s = typed.partition(",")
    return Latency(median_s=float(median_s), p99_s=float(p99_s) if p99_s else None)


async def _serve(typed: argparse.Namespace) -> None:
    settings = settings_of(typed)
    state = State(settings)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(state, typed.port) as url:
        if typed.parent is not None:
            _say(url)
            await _until_orphaned(typed.parent, stop)
            return
        _say(f"export DASHSCOPE_HTTP_BASE_URL={url}{NATIVE_ROOT}\nexport DASHSCOPE_API_KEY={settings.keys[0]}")
        _say(f"# Compatible with OpenAI: {url}{COMPATIBLE_ROOT}  Counters: {url}/control  Ctrl-C ends it")
        await stop.wait()
        _say(json.dumps(state.page(), indent=1, ensure_ascii=False))


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  # its output is what it is started for


async def _until_orphaned(parent: int, stop: asyncio.Event) -> None:
    while os.getppid() == parent and not stop.is_set():
        try:
            await asyncio.wait_for(stop.wait(), _WATCH_S)
        except asyncio.TimeoutError:  # Python 3.10 has two of them
            continue


if __name__ == "__main__":
    asyncio.run(_serve(parse()))
