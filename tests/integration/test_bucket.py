"""A whole run with its lake in a bucket, on a real S3 server: killed, refused to a second one, ended by the next."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from dashscope_job import FAST, many_pictures, paid_again, profile, wait_for_requests
from fakes.dashscope import DashScopeServer, Latency, Settings
from s3_server import s3_server
from support import Tuku, environment
from tuku.lake import Lake
from tuku.lake_view import LakeView

pytestmark = [pytest.mark.ray, pytest.mark.milvus, pytest.mark.long, pytest.mark.timeout(400)]

PICTURES = 40
CAPTIONER = "qwen3-vl-flash"
FLUSHED_AFTER_S = 1
A_SECOND = 2  # captions


def test_a_killed_run_is_gone_on_with(tmp_path: Path) -> None:
    catalogue = many_pictures(tmp_path / "pictures", PICTURES)
    with DashScopeServer(Settings(latency=Latency(median_s=0.3))) as server, s3_server(tmp_path / "s3") as s3:
        uri, env = s3.uri("lake"), {**server.environment, **s3.environment}
        options = [*profile("dashscope_modern"), *FAST, "--set", f"lake.uri={uri}"]
        options += ["--set", f"write.flush_interval_s={FLUSHED_AFTER_S}"]
        slowly = ["--set", f"caption.quota.requests_per_min={60 * A_SECOND}"]
        tuku = Tuku(tmp_path)
        command = tuku.command("ingest", str(catalogue), *options, *slowly)
        with subprocess.Popen(command, cwd=tmp_path, env=environment(env), stderr=subprocess.DEVNULL) as first:
            wait_for_requests(server, PICTURES // 4, timeout_s=120)
            second = tuku("ingest", str(catalogue), *options, env=env)
            assert (second.code, "Another run works on the lake s3://" in second.err) == (2, True), second.err
            first.send_signal(signal.SIGKILL)
        third = tuku("ingest", str(catalogue), *options, "--json", env=env, timeout_s=200)
        assert third.code == 0, third.err
        assert (third.json["resumed"], third.json["rows"]["failed"]) == (True, 0)
        with s3.used():
            view = LakeView.everything(Lake.at(uri))
            rows = [row for table in view.batches(["image_id"]) for row in table.to_pylist()]
        assert len({row["image_id"] for row in rows}) == len(rows) == PICTURES
        # What came in since the last flush, which takes a moment itself: captions, and vectors, of 20 texts at a time.
        again = paid_again(server)
        assert again[CAPTIONER] <= A_SECOND * (FLUSHED_AFTER_S + 2)
        assert sum(again.values()) <= again[CAPTIONER] + 2 * 20
        assert tuku("verify", *options, env=env).code == 0
