"""Every fault that the local DashScope knows, each in one request of twenty, and a quota that is just enough.

300 pictures; 2,000 with ``TUKU_LONG_TESTS=1``.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dashscope_job import FAST, many_pictures, paid_again, profile, stored
from fakes.dashscope import DashScopeServer, Faults, Latency, Limits, Settings
from fakes.dashscope.luck import is_bad
from support import Tuku
from tuku.protocols import Picture, PictureSize
from tuku.providers.api.picture import EncodedPicture, PictureLimits, encode_picture

PICTURES = 2_000 if os.environ.get("TUKU_LONG_TESTS") else 300
pytestmark = [pytest.mark.long, pytest.mark.ray, pytest.mark.milvus, pytest.mark.timeout(PICTURES)]

PROBABILITY = 0.05
PER_MIN = 3_000
CAPTION_SIDE_PX = 32  # not the embedder's: a picture that one of them must not look at is fine for the other

# By code: whether another run may do better, as the dead letter says.
CODES = {
    "content_refused": False,  # a permanently bad item
    **dict.fromkeys(("server_error", "service_unavailable", "bad_answer", "timeout", "connection_reset"), True),
    **dict.fromkeys(("empty_caption", "cut_caption", "repeated_caption", "refused_caption"), True),
    **dict.fromkeys(("missing_vector", "bad_vector"), True),
}


@pytest.fixture
def server() -> Iterator[DashScopeServer]:
    settings = Settings(
        answers="numbered",  # equal captions would be one item: its second row would seem to be paid for again
        caption_form="by_seed",
        usage_shape="by_seed",
        latency=Latency(median_s=0.05, p99_s=0.3),
        limits=Limits(requests_per_min=PER_MIN),
        faults=Faults.all_at(PROBABILITY),
    )
    with DashScopeServer(settings) as running:
        yield running


def test_every_row_ends_right_and_nothing_is_paid_for_twice(
    server: DashScopeServer, tuku: Tuku, tmp_path: Path
) -> None:
    catalogue = many_pictures(tmp_path / "pictures", PICTURES)
    options = [
        *profile("dashscope_modern"),
        *FAST,
        *("--set", f"caption.quota.requests_per_min={PER_MIN}"),
        *("--set", f"embed.quota.requests_per_min={PER_MIN}"),
        *("--set", f"caption.max_side_px={CAPTION_SIDE_PX}"),
        *("--set", "limits.max_failed_fraction=1"),
    ]

    def ingest() -> Any:
        ran = tuku("ingest", catalogue, *options, "--json", env=server.environment, timeout_s=PICTURES)
        assert ran.code == 0, ran.out + ran.err
        assert "Traceback" not in ran.err
        return ran.json

    report = ingest()
    failed = {row["image_id"]: row for row in stored(tuku, "errors")}
    done = {row["image_id"]: row for row in stored(tuku, "parts")}
    _each_row_ends_once(report, done, failed)
    _dead_letters_make_sense(failed)
    _bad_items_and_no_others_are_refused(catalogue, failed)
    _stored_is_sound(done)
    _all_faults_befell_it(server)
    assert set(paid_again(server).values()) == {0}, server.counters()["models"]

    server.configure(faults=Faults())
    healed = ingest()
    assert healed["rows"]["unchanged"] == len(done)
    assert healed["rows"]["ok"] == len(failed)
    assert healed["verify"]["passed"]
    assert set(paid_again(server).values()) == {0}, server.counters()["models"]
    captioned = server.counters()["models"]["qwen3-vl-flash"]["items"]
    assert captioned["distinct"] == captioned["answered"] == PICTURES


def _each_row_ends_once(report: dict[str, Any], done: dict[str, Any], failed: dict[str, Any]) -> None:
    rows = report["rows"]
    assert rows["manifest"] == rows["ok"] + rows["failed"] == PICTURES
    assert (len(done), len(failed)) == (rows["ok"], rows["failed"])
    assert set(done) | set(failed) == {f"p{number}" for number in range(PICTURES)}
    assert report["errors"] == Counter(row["code"] for row in failed.values())
    assert report["load"]["inserted"] == len(done) > PICTURES / 2
    assert report["verify"]["passed"]


def _dead_letters_make_sense(failed: dict[str, Any]) -> None:
    for row in failed.values():
        assert row["code"] in CODES, row
        assert row["stage"] in {"caption", "embed"}
        assert row["retryable"] == CODES[row["code"]]
        assert row["message"]
        assert row["attempts"] >= (1 if row["code"] == "content_refused" else 3)
        assert "sk-" not in row["message"]


def _bad_items_and_no_others_are_refused(catalogue: Path, failed: dict[str, Any]) -> None:
    refused = {(row["stage"], name) for name, row in failed.items() if row["code"] == "content_refused"}
    lost_before = {name for name, row in failed.items() if row["stage"] == "caption"}
    bad = set()
    with catalogue.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            file_name = catalogue.parent / row["path"]
            if _is_bad(file_name, CAPTION_SIDE_PX):
                bad.add(("caption", row["id"]))
            elif _is_bad(file_name, None) and row["id"] not in lost_before:
                bad.add(("embed", row["id"]))
    assert refused == bad
    assert {stage for stage, _ in bad} == {"caption", "embed"}


def _is_bad(path: Path, side_px: int | None) -> bool:
    """Whether the server never looks at a picture, as it is sent to it."""
    picture = Picture(np.asarray(Image.open(path)), path.name)
    sent = encode_picture(picture, PictureSize(long_side_px=side_px), PictureLimits(10_000_000, 10, 200))
    assert isinstance(sent, EncodedPicture)
    content = base64.b64decode(sent.data_uri.partition(",")[2])
    return is_bad(hashlib.sha256(content).hexdigest(), PROBABILITY)


def _stored_is_sound(done: dict[str, Any]) -> None:
    for row in done.values():
        assert row["caption"] == row["caption"].strip()
        assert "图" not in row["caption"][:1]
        assert any(word in row["caption"] for word in ("画面以", "picture, plain"))
        assert row["keywords"]
        for name in ("image_embedding", "text_embedding"):
            assert np.linalg.norm(row[name]) == pytest.approx(1, abs=1e-5)
    assert len({row["caption"] for row in done.values()}) == len(done)


def _all_faults_befell_it(server: DashScopeServer) -> None:
    counted = Counter[str]()
    for counters in server.counters()["models"].values():
        counted.update(counters["faults"])
    assert set(counted) == set(Faults.model_fields), "a fault that never came proves nothing"
