"""How fully the job uses a service's quota, and how often it is refused, against the local DashScope.

    python benchmarks/api_quota.py [SCENARIO ...] [--seconds 90]

Every scenario is a whole `tuku ingest` of captions and embeddings; the witness is the server, which enforces its quota
per second and per minute. Latency is log-normal, median 1.5 s and 99th percentile 8 s, where nothing else is said.
Pictures have 0.15 megapixel there (0.79 where no quota binds), so that two cores, which run the server too, can do
6,000 of them a minute.

* use: captions accepted in the steady state (first and last tenth of the time dropped) over what the quota allows.
  Where the limit changes on the way: use from 30 s after the service accepts anything again. When it is halved, the
  last minute holds twice what it may, and for 30 s nothing is accepted, whoever asks.
* refused: of all requests for captions. The highest minute and second are over what the quota allows in one.
* free: no quota, latency 1 s, 256 requests in flight: captions/s over those of a script written by hand (asyncio, the
  SDK, one process, JPEGs shrunk on load) in the same run.
* article: seconds an image of the loop that the reference article has (one after the other, a second of sleep), over
  tuku's at 1,200 a minute. The loop runs on 20 images.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from api_peers import CAPTIONER, EMBEDDER, seconds_an_image_one_after_the_other
from pictures import make_catalogue

from fakes.dashscope.server import DashScopeServer
from fakes.dashscope.settings import Latency, Limits, Settings

BENCH = Path(".bench")
LATENCY = Latency(median_s=1.5, p99_s=8.0)
RECOVERY_S = 30
ARTICLE_IMAGES = 20
_TOKENS_A_CAPTION = 280  # about; only decides how long the run with a token limit takes


@dataclass(frozen=True)
class Scenario:
    """One run of the job.

    Attributes:
        captions_per_min: how many captions the binding limit allows; 0: tokens bind.
        limits: as the server enforces them, and as tuku is told them.
        seconds: how long the run should take, as a multiple of what was asked for.
        overrides: of the configuration.
        changes: (part of the time, requests_per_min) of what the server changes meanwhile.
        goal: least use.
    """

    captions_per_min: float
    limits: Limits
    seconds: float = 1.0
    overrides: tuple[str, ...] = ()
    changes: tuple[tuple[float, int], ...] = ()
    goal: float = 0.97
    nodes: int = 1


def per_minute(requests: int, *, strict: bool = False) -> Limits:
    """A server that allows so many requests a minute; a strict one counts refused ones too, and allows no bursts."""
    burst_s = 0.2 if strict else 1.0
    return Limits(requests_per_min=requests, tokens_per_min=100_000_000, refused_calls_count=strict, burst_s=burst_s)


SCENARIOS = {
    "1200": Scenario(1200, per_minute(1200)),
    "6000": Scenario(6000, per_minute(6000)),
    "tokens": Scenario(0, Limits(requests_per_min=100_000, tokens_per_min=400_000)),
    "halved": Scenario(1200, per_minute(1200), seconds=4.0, changes=((1 / 3, 600), (2 / 3, 1200))),
    "strict": Scenario(1200, per_minute(1200, strict=True), goal=0.9),
    "nodes": Scenario(1200, per_minute(1200), nodes=2),
}


@dataclass
class Measured:
    """What the server saw."""

    page: dict[str, Any] = field(repr=False)
    limits_per_s: list[float] = field(repr=False)
    """What the binding limit allowed in each second since the start."""

    @property
    def captions(self) -> dict[str, Any]:
        """Counters of the captioner."""
        return self.page["models"][CAPTIONER]

    def accepted(self) -> list[int]:
        """Captions accepted in each second."""
        return self.captions["timeline"]["accepted"]

    def refused(self) -> float:
        """Fraction of the requests for captions."""
        return sum(self.captions["refused"].values()) / self.captions["requests"]

    def steady(self) -> range:
        """The seconds between the first and the last tenth of the time in which there was work."""
        busy = [second for second, count in enumerate(self.accepted()) if count]
        first, last = busy[0], busy[-1]
        tenth = round((last - first + 1) / 10)
        return range(first + tenth, last + 1 - tenth)

    def use(self, seconds: range | None = None) -> float:
        """Captions accepted over captions allowed in these seconds; by default in the steady state."""
        seconds = seconds or self.steady()
        return sum(self.accepted()[second] for second in seconds) / sum(self.limits_per_s[s] for s in seconds)

    def highest(self, window_s: int) -> float:
        """Most captions accepted in a window of 1 or 60 s, over what is allowed in one."""
        return self.captions["peaks"]["accepted"][f"in_{window_s}_s"] / (max(self.limits_per_s) * window_s)


def run(name: str, scenario: Scenario, seconds: float) -> Measured:
    """Run the job until the catalogue is done."""
    seconds *= scenario.seconds
    settings = Settings(latency=LATENCY, model_limits={CAPTIONER: scenario.limits}, answers="fixed")
    with DashScopeServer(settings) as server:
        rate = scenario.captions_per_min or scenario.limits.tokens_per_min / _TOKENS_A_CAPTION
        count = round(rate / 60 * seconds)
        overrides = [
            f"caption.quota.requests_per_min={scenario.limits.requests_per_min}",
            f"caption.quota.tokens_per_min={scenario.limits.tokens_per_min}",
            *scenario.overrides,
        ]
        job = start(small_pictures(count), BENCH / f"out-{name}", server, overrides, scenario.nodes)
        limits, started, pending = [], None, list(scenario.changes)
        while job.poll() is None:
            time.sleep(0.2)
            page = server.counters()
            asked = CAPTIONER in page["models"] and page["models"][CAPTIONER]["accepted"] > 0
            started = started or (time.monotonic() if asked else None)
            if pending and started and time.monotonic() - started > pending[0][0] * seconds:
                rate = pending.pop(0)[1]
                server.configure(model_limits={CAPTIONER: {**scenario.limits.model_dump(), "requests_per_min": rate}})
            limits += [rate / 60] * (int(page["seconds"]) + 1 - len(limits))
        if job.returncode:
            raise SystemExit(f"{name}: tuku ended with {job.returncode}")
        page = server.counters()
    limits += [rate / 60] * (int(page["seconds"]) + 2 - len(limits))
    if not scenario.captions_per_min:  # what a caption used is known only now
        limits = [captions_within(scenario.limits, page) / 60] * len(limits)
    return Measured(page, limits)


def small_pictures(count: int) -> Path:
    """A catalogue of pictures that cost little to decode."""
    return make_catalogue(BENCH / "small-pictures", count, mean_pixels=150_000)


def captions_within(limits: Limits, page: dict[str, Any]) -> float:
    """How many captions a minute the token limit allows, by what each used."""
    counters = page["models"][CAPTIONER]
    return limits.tokens_per_min * counters["answered"] / sum(counters["usage"].values())


def start(
    catalogue: Path, out: Path, server: DashScopeServer, overrides: list[str], nodes: int
) -> subprocess.Popen[bytes]:
    """Start `tuku ingest`, on a cluster of its own."""
    shutil.rmtree(out, ignore_errors=True)
    settings = [
        *("caption.provider=dashscope", f"caption.model={CAPTIONER}"),
        *("embed.provider=dashscope", f"embed.model={EMBEDDER}"),
        *("embed.quota.requests_per_min=100000", "embed.quota.tokens_per_min=100000000"),
        *(f"lake.uri={out}/lake", f"milvus.uri={out}/milvus.db", "verify.min_recall=0", "fetch.concurrency=4"),
        # The local server's vectors are colours: near ones are too near to be told apart.
        "milvus.index.type=FLAT",
        *overrides,
    ]
    command = [sys.executable, "-m", "tuku", "ingest", str(catalogue), *[f"--set={setting}" for setting in settings]]
    environment = {**os.environ, **server.environment}
    log = (BENCH / f"{out.name}.log").open("wb")
    if nodes > 1:
        command = [sys.executable, str(Path(__file__).with_name("two_nodes.py")), *command]
    return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def free(seconds: float) -> None:
    """No quota, a second of latency: what the client itself can do."""
    settings = Settings(latency=Latency(median_s=1.0), answers="fixed")
    rates = {}
    catalogue = make_catalogue(BENCH / "pictures", min(6000, round(120 * seconds)))
    for name in ("script", "tuku"):
        with DashScopeServer(settings) as server:
            if name == "tuku":
                overrides = [
                    *("caption.quota.requests_per_min=1000000", "caption.quota.tokens_per_min=1000000000"),
                    *("caption.concurrency=128", "embed.concurrency=128"),
                ]
                if start(catalogue, BENCH / "out-free", server, overrides, 1).wait():
                    raise SystemExit("tuku failed")
            else:
                command = [sys.executable, str(Path(__file__).with_name("api_peers.py")), str(catalogue)]
                subprocess.run(command, check=True, env={**os.environ, **server.environment})
            measured = Measured(server.counters(), [])
            steady = measured.steady()
            rates[name] = sum(measured.accepted()[second] for second in steady) / len(steady)
            print(f"  {name}: {rates[name]:.0f} captions/s, {measured.captions['in_flight_peak']} in flight at most")
    print(f"free: tuku's captions/s over the script's: {rates['tuku'] / rates['script']:.2f} (goal 0.85)")


def article(seconds_an_image: float) -> None:
    """The reference article's loop, over tuku's time."""
    catalogue = make_catalogue(BENCH / "pictures", ARTICLE_IMAGES)
    with DashScopeServer(Settings(latency=LATENCY, answers="fixed")) as server:
        os.environ.update(server.environment)
        loop = seconds_an_image_one_after_the_other(catalogue)
    factor = loop / seconds_an_image
    print(f"article: {loop:.2f} s an image; tuku at 1,200 a minute {seconds_an_image:.3f} s: factor {factor:.0f}")


def show(name: str, scenario: Scenario, measured: Measured) -> None:
    """One line of figures."""
    print(
        f"{name}: use {measured.use():.3f} (goal {scenario.goal}), refused {100 * measured.refused():.2f}% (goal 0.5%),"
        f" highest minute {measured.highest(60):.3f}, second {measured.highest(1):.2f} (goal 1.25)",
        flush=True,
    )
    if scenario.changes:
        steady = measured.steady()
        changed = [s for s in steady if measured.limits_per_s[s] != measured.limits_per_s[s - 1]]
        for begin, end in zip(changed, [*changed[1:], steady[-1]], strict=True):
            now, before = measured.limits_per_s[begin], measured.limits_per_s[begin - 1]
            shut_s = max(0, round(60 * (1 - now / before)))
            part = range(min(begin + shut_s + RECOVERY_S, end), end)
            since = f"{shut_s} + {RECOVERY_S} s after {60 * now:.0f} a minute"
            print(f"  {since}: use {measured.use(part):.3f}", flush=True)


def main() -> None:
    """Run the scenarios that were named, or all."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    extra: dict[str, Callable[[float], None]] = {"free": free, "article": lambda _: article(60 / 1200)}
    options.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, *extra, []])
    options.add_argument("--seconds", type=float, default=90)
    options.add_argument("--set", action="append", default=[], help="of tuku's configuration, as its own option")
    given = options.parse_args()
    BENCH.mkdir(exist_ok=True)
    for name in given.scenarios or [*SCENARIOS, *extra]:
        if name in SCENARIOS:
            scenario = replace(SCENARIOS[name], overrides=tuple(given.set))
            show(name, scenario, run(name, scenario, given.seconds))
        else:
            extra[name](given.seconds)


if __name__ == "__main__":
    main()
