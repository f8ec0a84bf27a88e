"""`tuku plan` as a user types it: real files, no key, no Ray, and nothing written."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image

from support import Ran, Tuku, environment

PAID = ["--set", "caption.provider=dashscope", "--set", "embed.provider=dashscope"]
SIDE_PX = 256  # 8 × 8 patches of 32 px and the frame: 66 tokens


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    folder = tmp_path / "catalogue"
    folder.mkdir()
    for number in range(20):
        Image.new("RGB", (SIDE_PX, SIDE_PX), (number * 10, 40, 80)).save(folder / f"{number}.png")
    rows = [[str(number), f"{number}.png", number] for number in range(20)]
    with (folder / "catalogue.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "uri", "price"], *rows])
    return folder / "catalogue.csv"


def plan(tuku: Tuku, *arguments: object) -> Ran:
    without_key = {name: "" for name in environment() if name.endswith("_API_KEY")}
    ran = tuku("plan", *arguments, env=without_key)
    assert ran.code == 0, ran.err
    return ran


def test_a_new_catalogue_has_its_price_and_nothing_is_written(tuku: Tuku, manifest: Path) -> None:
    before = sorted(tuku.folder.rglob("*"))
    found = plan(tuku, manifest, *PAID, "--json").json
    assert sorted(tuku.folder.rglob("*")) == before
    assert set(found) == {"rows", "reasons", "calls", "tokens", "cost", "minutes_at_quota"}
    assert found["rows"]["manifest"] == found["rows"]["new"] == 20
    assert found["calls"] == {"caption": 20, "embed": 3}  # eight pictures a request, and there is room for the texts
    assert found["tokens"]["embed"] == 20 * (66 + 80)
    assert set(found["cost"]) == {"caption", "embed", "total", "currency"}
    assert found["cost"]["total"] == pytest.approx(found["cost"]["caption"] + found["cost"]["embed"], abs=2e-6)
    assert found["cost"]["caption"] > found["cost"]["embed"] > 0
    assert found["minutes_at_quota"] == pytest.approx(20 / 1_200, abs=1e-3)
    assert plan(tuku, manifest, *PAID, "--json").json == found


def test_prices_quotas_and_share_are_those_of_the_configuration(tuku: Tuku, manifest: Path) -> None:
    changed = ["caption.price.input_per_1k=1", "caption.price.output_per_1k=0", "caption.price.as_of=2030-01-02"]
    changed += ["embed.price.input_per_1k=0", "caption.quota.requests_per_min=10", "quota.share=0.5"]
    options = [part for change in changed for part in ("--set", change)]
    found = plan(tuku, manifest, *PAID, *options, "--json").json
    assert found["cost"]["embed"] == 0
    assert found["cost"]["caption"] == pytest.approx((found["tokens"]["caption"] - 20 * 80) / 1000)
    assert found["minutes_at_quota"] == 4.0
    for_people = plan(tuku, manifest, *PAID, *options, "--set", "limits.max_calls=5").out
    assert "at prices of 2026-" in for_people
    assert "2030-01-02" in for_people
    assert "limits.max_calls = 5 will stop the run" in for_people


def test_smaller_pictures_are_cheaper(tuku: Tuku, manifest: Path) -> None:
    whole = plan(tuku, manifest, *PAID, "--json").json
    small = plan(tuku, manifest, *PAID, "--set", "caption.max_side_px=64", "--json").json
    assert whole["tokens"]["caption"] - small["tokens"]["caption"] == 20 * (66 - 6)
    assert whole["tokens"]["embed"] == small["tokens"]["embed"]


def test_pictures_that_cannot_be_read_are_not_paid_for(tuku: Tuku, manifest: Path) -> None:
    for number in range(5):
        (manifest.parent / f"{number}.png").write_bytes(b"no picture %d" % number)
    ran = plan(tuku, manifest, *PAID)
    assert "20 of 20 pictures; 5 cannot be read (not_an_image 5)" in ran.out
    assert "About 5 of 20 rows will fail, more than limits.max_failed_fraction (0.05) allows" in ran.out
    allowed = plan(tuku, manifest, *PAID, "--set", "limits.max_failed_fraction=0.25")
    assert "will fail" not in allowed.out
    assert plan(tuku, manifest, *PAID, "--json").json["calls"]["caption"] == 15


def test_models_that_run_here_cost_nothing(tuku: Tuku, manifest: Path) -> None:
    found = plan(tuku, manifest, "--json").json
    assert found["calls"] == found["tokens"] == {"caption": 0, "embed": 0}
    assert (found["cost"]["total"], found["minutes_at_quota"]) == (0.0, 0.0)
    assert "no calls, no cost: the models run here" in plan(tuku, manifest).out


def test_a_manifest_that_is_not_there(tuku: Tuku) -> None:
    ran = tuku("plan", tuku.folder / "absent.csv", "--json")
    assert (ran.code, ran.json["exit_code"]) == (2, 2)
    assert tuku("plan").code == 2


@pytest.mark.ray
@pytest.mark.milvus
def test_after_a_run_there_is_nothing_to_do_until_something_changes(tuku: Tuku, manifest: Path) -> None:
    assert tuku("ingest", manifest).code in {0, 4}
    assert "nothing to do" in plan(tuku, manifest).out
    [marker] = tuku.lake.glob("runs/*/_COMMITTED")
    marker.unlink()  # as a run that was killed leaves it: the next one builds on it
    lake = {path: path.stat().st_mtime_ns for path in tuku.lake.rglob("*")}
    found = plan(tuku, manifest, "--json").json
    assert found["rows"]["unchanged"] == 20
    assert found["minutes_at_quota"] == 0.0
    assert {path: path.stat().st_mtime_ns for path in tuku.lake.rglob("*")} == lake
    paid = plan(tuku, manifest, *PAID, "--json").json
    assert paid["rows"]["changed"] == paid["calls"]["caption"] == 20
