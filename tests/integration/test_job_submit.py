"""jobs/ingest.py through `ray job submit`, on a head node started with `ray start --head`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ray_head import RAY, ray_head
from support import environment

pytestmark = [pytest.mark.ray, pytest.mark.milvus, pytest.mark.timeout(240)]
_JOB = Path(__file__).parents[2] / "jobs" / "ingest.py"


def test_the_job_runs_on_a_standing_cluster(tuku, catalogue, tmp_path):
    arguments = ["ingest", str(catalogue), "--json"]
    entrypoint = [sys.executable, str(_JOB), *tuku.command(*arguments)[4:]]
    with ray_head(tmp_path / "head.log") as head:
        submitted = subprocess.run(
            [RAY, "job", "submit", "--address", head.dashboard, "--", *entrypoint],
            env=environment({"RAY_AUTH_MODE": "disabled"}), capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    report = json.loads(next(tuku.lake.glob("runs/*/report.json")).read_text(encoding="utf-8"))
    assert report["status"] == "ok"
    assert report["rows"]["ok"] == report["rows"]["manifest"] > 0
    assert report["verify"]["passed"]
