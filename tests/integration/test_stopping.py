"""SIGTERM, Ctrl-C and `ray job stop`: what is under way is finished, nothing is lost, the same command goes on."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dashscope_job import FAST, many_pictures, paid_again, profile, stored, wait_for_requests
from fakes.dashscope import DashScopeServer, Latency, Settings
from ray_head import RAY, ray_head
from support import Tuku, environment
from tuku.lease import holder_in
from tuku.storage import DiskStorage

pytestmark = [pytest.mark.ray, pytest.mark.milvus, pytest.mark.timeout(300)]

PICTURES = 80
LONG_ANSWERS = ("--set", "retry.request_timeout_s=120")
SLOWLY = ("--set", "caption.quota.requests_per_min=600", *LONG_ANSWERS)
# `ray job stop` itself takes seconds.
FOR_A_MINUTE = ("--set", f"caption.quota.requests_per_min={PICTURES}", *LONG_ANSWERS)
CAPTIONER = "qwen3-vl-flash"
NEVER = Latency(median_s=100)
QUICK = Latency(median_s=0.3)
JOB = Path(__file__).parents[2] / "jobs" / "ingest.py"


class Running:
    """A `tuku ingest` (or what `command` says) at the head of a process group of its own, as a shell starts it."""

    def __init__(
        self,
        tuku: Tuku,
        *arguments: str,
        command: str = "ingest",
        env: dict[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ):
        self._log = tuku.folder / "stderr.txt"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [*prefix, *tuku.command(command, *arguments)],
                cwd=tuku.folder, env=environment(env), stdout=subprocess.DEVNULL, stderr=log, start_new_session=True,
            )  # fmt: skip

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def said(self) -> str:
        return self._log.read_text()

    def wait_for_phase(self, name: str) -> None:
        deadline = time.monotonic() + 120
        while not re.search(rf"tuku {name}\b", self.said):
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def signal_group(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)

    def ends_within(self, seconds: float) -> int:
        code = self.process.wait(seconds)
        assert "Traceback" not in self.said
        return code


def newest_report(tuku: Tuku) -> dict[str, Any]:
    newest = max(tuku.lake.glob("runs/*/report.json"), key=lambda path: path.parent.name)
    report: dict[str, Any] = json.loads(newest.read_text(encoding="utf-8"))
    return report


def require_stopped(tuku: Tuku, said: str, number: signal.Signals) -> None:
    report = newest_report(tuku)
    assert (report["status"], report["exit_code"]) == ("stopped", 130)
    assert f"Stopped by {number.name}" in report["message"]
    assert "Run the same command again" in said
    assert (report["rows"]["failed"], report["errors"]) == (0, {})
    require_free(tuku)


def require_free(tuku: Tuku) -> None:
    """Nobody holds the lake's lease, so the next one need not find out whether its holder lives."""
    assert holder_in(DiskStorage(tuku.lake)) is None


@pytest.fixture(scope="module")
def running_server() -> Iterator[DashScopeServer]:
    with DashScopeServer() as running:
        yield running


@pytest.fixture
def server(running_server: DashScopeServer) -> DashScopeServer:
    running_server.configure(**Settings(answers="numbered", latency=QUICK).model_dump(mode="json"))
    running_server.reset()
    return running_server


@pytest.fixture
def served(tuku: Tuku, tmp_path: Path) -> list[str]:
    """The arguments of an ingestion that asks a service."""
    return [str(many_pictures(tmp_path / "pictures", PICTURES)), *profile("dashscope_modern"), *FAST]


def captions(server: DashScopeServer) -> dict[str, Any]:
    counters: dict[str, Any] = server.counters()["models"][CAPTIONER]
    return counters


def require_completed(tuku: Tuku, server: DashScopeServer, served: list[str], *, resumed: bool = True) -> None:
    """The next run does the rest, and asks for nothing that was answered."""
    done = tuku("ingest", *served, "--json", env=server.environment, timeout_s=200)
    assert done.code == 0, done.out + done.err
    assert done.json["resumed"] is resumed
    assert done.json["verify"]["passed"]
    assert len({row["image_id"] for row in stored(tuku, "parts")}) == PICTURES
    assert captions(server)["items"]["answered"] == PICTURES
    assert set(paid_again(server).values()) == {0}, server.counters()["models"]


@pytest.mark.long
@pytest.mark.parametrize("how", ["SIGTERM", "Ctrl-C", "timeout"])
def test_every_answer_under_way_arrives_and_is_kept(
    tuku: Tuku, server: DashScopeServer, served: list[str], how: str
) -> None:
    number = signal.SIGINT if how == "Ctrl-C" else signal.SIGTERM
    with Running(tuku, *served, *SLOWLY, env=server.environment) as run:
        wait_for_requests(server, 15, timeout_s=120)
        if how != "Ctrl-C":
            run.signal(number)
        if how != "SIGTERM":
            run.signal_group(number)  # `timeout` does both, and Ray's processes hear it too
        assert run.ends_within(60) == 130, run.said
        require_stopped(tuku, run.said, number)
        assert "What is under way is finished" in run.said
    assert captions(server)["answered"] == server.counters()["arrived"]
    assert captions(server)["answered"] < PICTURES
    require_completed(tuku, server, served)


@pytest.mark.long
@pytest.mark.parametrize("how", ["a second Ctrl-C", "the grace time"])
def test_it_does_not_wait_for_ever(tuku: Tuku, server: DashScopeServer, served: list[str], how: str) -> None:
    server.configure(latency=NEVER.model_dump(mode="json"))
    grace_s = 2 if how == "the grace time" else 90
    with Running(tuku, *served, *SLOWLY, "--set", f"stop.grace_s={grace_s}", env=server.environment) as run:
        wait_for_requests(server, 5, timeout_s=120)
        run.signal_group(signal.SIGINT)
        run.wait_for_phase("stop")
        if how == "a second Ctrl-C":
            time.sleep(1)
            run.signal_group(signal.SIGINT)
        assert run.ends_within(30) == 130, run.said
        require_stopped(tuku, run.said, signal.SIGINT)
    server.configure(latency=QUICK.model_dump(mode="json"))
    require_completed(tuku, server, served, resumed=False)  # nothing had been answered


@pytest.mark.long
def test_ray_job_stop(tuku: Tuku, server: DashScopeServer, served: list[str], tmp_path: Path) -> None:
    # Ray sends SIGKILL after 3 seconds, unless its head node has been told to wait for longer.
    env = {**server.environment, "RAY_JOB_STOP_WAIT_TIME_S": "60"}
    entrypoint = [sys.executable, str(JOB), *tuku.command("ingest", *served, *FOR_A_MINUTE)[4:]]
    with ray_head(tmp_path / "head.log", env=env) as head:

        def job(*command: str) -> None:
            subprocess.run(
                [RAY, "job", command[0], "--address", head.dashboard, *command[1:]],
                env=environment({"RAY_AUTH_MODE": "disabled"}), capture_output=True, timeout=120, check=True,
            )  # fmt: skip

        job("submit", "--no-wait", "--submission-id", "night", "--", *entrypoint)
        wait_for_requests(server, 15, timeout_s=120)
        job("stop", "night")
    report = newest_report(tuku)
    assert (report["status"], report["exit_code"]) == ("stopped", 130)
    assert captions(server)["answered"] == server.counters()["arrived"]
    require_completed(tuku, server, served)


@pytest.mark.long
def test_as_the_first_process_of_a_container(tuku: Tuku, server: DashScopeServer, served: list[str]) -> None:
    # The kernel keeps signals without a handler from process 1.
    prefix = ("unshare", "--fork", "--pid", "--mount-proc", "--kill-child")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("may not begin a process namespace")
    with Running(tuku, *served, *SLOWLY, env=server.environment, prefix=prefix) as run:
        wait_for_requests(server, 15, timeout_s=120)
        unshare = run.process.pid
        first = int(Path(f"/proc/{unshare}/task/{unshare}/children").read_text())
        os.kill(first, signal.SIGTERM)
        assert run.ends_within(60) == 130, run.said
        require_stopped(tuku, run.said, signal.SIGTERM)
    assert captions(server)["answered"] == server.counters()["arrived"]
    require_completed(tuku, server, served)


@pytest.mark.long
def test_with_bundled_models_blocks_end_early_and_the_next_run_goes_on(
    tuku: Tuku, catalogue: Path, tmp_path: Path
) -> None:
    listed = _many_photographs(catalogue, tmp_path / "many", count=480)
    arguments = [str(listed), "--set", "runtime.block_rows=32"]
    with Running(tuku, *arguments) as run:
        deadline = time.monotonic() + 100
        while not list(tuku.lake.glob("runs/*/parts/part-*.parquet")):
            assert time.monotonic() < deadline, run.said
            assert run.process.poll() is None, run.said
            time.sleep(0.05)
        run.signal(signal.SIGINT)
        assert run.ends_within(60) == 130, run.said
        require_stopped(tuku, run.said, signal.SIGINT)
    kept = len(stored(tuku, "parts"))
    assert newest_report(tuku)["rows"]["ok"] == kept > 0
    again = tuku("ingest", *arguments, "--json", timeout_s=200)
    assert again.code == 0, again.err
    rows = again.json["rows"]
    assert again.json["resumed"]
    assert (rows["unchanged"], rows["ok"]) == (kept, rows["manifest"] - kept)
    assert again.json["verify"]["passed"]


def test_whatever_it_is_about_a_signal_stops_it(tuku: Tuku, photographs: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "six"
    folder.mkdir()
    for path in photographs:
        shutil.copy(path, folder)
    for phase, number in {
        "plan": signal.SIGTERM, "start": signal.SIGTERM, "pipeline": signal.SIGINT, "load": signal.SIGTERM,
        "verify": signal.SIGINT,
    }.items():  # fmt: skip
        with Running(tuku, str(folder)) as run:
            run.wait_for_phase(phase)
            run.signal_group(number)
            assert run.ends_within(60) == 130, (phase, run.said)
            require_stopped(tuku, run.said, number)
    done = tuku("ingest", str(folder), "--json")
    assert done.code == 0, done.err
    assert done.json["rows"]["unchanged"] == len(photographs)
    assert done.json["verify"]["passed"]
    assert {row["image_id"] for row in stored(tuku, "errors")} == set()
    with Running(tuku, "--strategy", "rebuild", command="load") as run:
        run.wait_for_phase("load")
        run.signal_group(signal.SIGTERM)
        assert run.ends_within(60) == 130, run.said
    require_free(tuku)
    assert tuku("verify").code == 0


def _many_photographs(catalogue: Path, folder: Path, count: int) -> Path:
    """A folder of small pictures, no two alike: an index full of equal vectors would fail its proof, rightly."""
    folder.mkdir()
    chance = random.Random(7)
    sources = sorted(path for path in catalogue.parent.rglob("*") if path.suffix in {".jpg", ".png"})
    pictures = [Image.open(path).convert("RGB") for path in sources[:12]]
    for number in range(count):
        picture = pictures[number % len(pictures)]
        left, top = chance.uniform(0, 0.6) * picture.width, chance.uniform(0, 0.6) * picture.height
        box = (left, top, left + 0.4 * picture.width, top + 0.4 * picture.height)
        picture.resize((160, 120), box=box).save(folder / f"{number:04d}.jpg")
    return folder
