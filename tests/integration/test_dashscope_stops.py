"""A run that has to stop says why, keeps what was paid for, and the same command goes on from there.

All runs share a standing Ray cluster, and with it the quota: what stopped one of them must not stop the next.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashscope_job import FAST, many_pictures, paid_again, profile, stored, wait_for_requests
from fakes.dashscope import DashScopeServer, Fatal, Latency, Outage, Settings
from support import Ran, Tuku, environment
from tuku.config import RuntimeConfig
from tuku.runtime.cluster import cluster

pytestmark = [pytest.mark.long, pytest.mark.ray, pytest.mark.milvus, pytest.mark.timeout(240)]

PICTURES = 80
# The run must last until something has been done to it.
SLOWLY = ("--set", "caption.quota.requests_per_min=600", "--set", "retry.first_wait_s=1")
PRICED = ("--set", "caption.price.input_per_1k=1", "--set", "caption.price.output_per_1k=1")  # a token: 0.001
NO_TOKEN = {"RAY_AUTH_MODE": "disabled"}  # whoever is on this machine may join the cluster
CAPTIONER = "qwen3-vl-flash"


@pytest.fixture(scope="module")
def running_server() -> Iterator[DashScopeServer]:
    with DashScopeServer() as running:
        yield running


@pytest.fixture(scope="module")
def address(running_server: DashScopeServer) -> Iterator[str]:
    """Of a Ray cluster whose processes have the key in their environment."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**running_server.environment, **NO_TOKEN}.items():
            patch.setenv(name, value)
        with cluster(RuntimeConfig(workers=2)):
            yield ray.get_runtime_context().gcs_address


@pytest.fixture
def server(running_server: DashScopeServer) -> DashScopeServer:
    running_server.configure(**Settings(answers="numbered", latency=Latency(median_s=0.1)).model_dump(mode="json"))
    running_server.reset()
    return running_server


class Job:
    """The same ingestion, again and again."""

    def __init__(self, tuku: Tuku, server: DashScopeServer, address: str, catalogue: Path) -> None:
        self._tuku, self._server = tuku, server
        options = [*profile("dashscope_modern"), *FAST, "--set", f"runtime.address={address}"]
        self._arguments = ["ingest", str(catalogue), *options, "--json"]

    def run(self, *options: str) -> Ran:
        return self._tuku(*self._arguments, *options, env={**self._server.environment, **NO_TOKEN})

    def start(self, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._tuku.command(*self._arguments, *options),
            cwd=self._tuku.folder,
            env=environment({**self._server.environment, **NO_TOKEN}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def job(tuku: Tuku, server: DashScopeServer, address: str, tmp_path: Path) -> Job:
    return Job(tuku, server, address, many_pictures(tmp_path / "pictures", PICTURES))


def finished(process: subprocess.Popen[str]) -> Ran:
    try:
        out, err = process.communicate(timeout=90)
    finally:
        process.kill()
    return Ran(process.returncode, out, err)


def answered(server: DashScopeServer) -> int:
    return sum(counters["answered"] for counters in server.counters()["models"].values())


def caption_tokens(server: DashScopeServer) -> int:
    usage: dict[str, int] = server.counters()["models"][CAPTIONER]["usage"]
    return sum(usage.values())


def requires_stopped(ran: Ran, *said: str) -> None:
    """Stopped, resumable, in a paragraph with these words, and no row was failed for it."""
    assert ran.code == 5, ran.out + ran.err
    report = ran.json
    assert (report["status"], report["exit_code"]) == ("stopped", 5)
    for words in said:
        assert words in report["message"]
        assert words in ran.err
    assert (report["rows"]["failed"], report["errors"]) == (0, {})
    assert "Traceback" not in ran.err


def requires_done(ran: Ran, tuku: Tuku, server: DashScopeServer) -> None:
    """Everything is there, every caption was asked for and let in exactly once over all runs."""
    assert ran.code == 0, ran.out + ran.err
    rows = ran.json["rows"]
    assert rows["unchanged"] + rows["ok"] == rows["manifest"] == PICTURES
    assert ran.json["verify"]["passed"]
    assert len({row["image_id"] for row in stored(tuku, "parts")}) == PICTURES
    assert stored(tuku, "errors") == []
    captions = server.counters()["models"][CAPTIONER]["items"]
    assert captions["distinct"] == captions["answered"] == PICTURES
    assert set(paid_again(server).values()) == {0}, server.counters()["models"]


def test_a_budget_stops_a_run_and_the_next_one_goes_on(job: Job, tuku: Tuku, server: DashScopeServer) -> None:
    requires_stopped(job.run("--max-calls", "25"), "limits.max_calls = 25 is reached", "the same command goes on")
    calls = server.counters()["arrived"]
    assert 20 <= calls <= 25

    before = caption_tokens(server)
    requires_stopped(job.run("--max-cost", "5", *PRICED), "limits.max_cost = 5 is reached")
    # What is under way is set aside in full: a run this short ends well before its limit.
    assert 1_000 < caption_tokens(server) - before <= 5_000

    calls = server.counters()["arrived"]
    ran = job.run("--max-minutes", "0.15", "--set", "caption.quota.requests_per_min=60")
    requires_stopped(ran, "limits.max_minutes = 0.15 has passed")
    assert calls < server.counters()["arrived"]

    requires_done(job.run(), tuku, server)


def test_what_the_service_ends_goes_on_when_it_works_again(job: Job, tuku: Tuku, server: DashScopeServer) -> None:
    server.configure(fatal=Fatal(code="Arrearage", after_requests=20))
    requires_stopped(job.run(), "overdue payments (Arrearage", "Settle the account's bills")
    assert answered(server) == 20

    arrived = server.counters()["arrived"]
    server.configure(fatal=Fatal(code="InvalidApiKey", after_requests=arrived + 15))
    requires_stopped(job.run(), "does not accept the key (InvalidApiKey", "Check DASHSCOPE_API_KEY")
    assert answered(server) == 35

    server.configure(fatal=None)
    arrived = server.counters()["arrived"]
    running = job.start(*SLOWLY, "--set", "retry.max_outage_s=4")
    wait_for_requests(server, arrived + 15)
    server.configure(outage=Outage(seconds=600, how="close"))  # for good, as far as this run can tell
    requires_stopped(finished(running), f"dashscope/{CAPTIONER} has not answered since", "retry.max_outage_s")
    assert answered(server) > 35

    server.configure(outage=None)
    arrived = server.counters()["arrived"]
    running = job.start(*SLOWLY)
    wait_for_requests(server, arrived + 10)
    server.configure(outage=Outage(seconds=5, how="503"))
    ran = finished(running)
    requires_done(ran, tuku, server)
    assert ran.json["rows"]["failed"] == 0
    assert ran.json["api"]["caption"]["retries"] > 0
