"""What the doctor makes of findings, and in which order he looks."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tuku.config import CaptionConfig, Config, LakeConfig, MilvusConfig
from tuku.errors import ConfigError
from tuku.runtime import doctor
from tuku.runtime.doctor import examine
from tuku.runtime.findings import Diagnosis, Finding, Skipped, find
from tuku.terminal import make_console

NAMES = [
    *("python", "configuration", "caption model", "embed model", "caption key", "embed key", "caption call"),
    *("embed call", "milvus", "collection", "staging", "lake", "manifest"),
]


@pytest.fixture
def healthy(tmp_path: Path) -> Config:
    milvus = MilvusConfig(uri=str(tmp_path / "milvus.db"))
    return Config(lake=LakeConfig(uri=str(tmp_path / "lake")), milvus=milvus)


def statuses(diagnosis: Diagnosis) -> dict[str, str]:
    return {finding.name: finding.status for finding in diagnosis.checks}


def test_a_healthy_laptop(healthy: Config, tmp_path: Path):
    diagnosis = examine(lambda: healthy)
    assert [finding.name for finding in diagnosis.checks] == NAMES
    assert diagnosis.ok, diagnosis
    skipped = [name for name, status in statuses(diagnosis).items() if status == "skipped"]
    assert skipped == ["caption key", "embed key", "staging", "manifest"]
    assert list(tmp_path.iterdir()) == []


def test_without_a_configuration_the_rest_is_skipped():
    def broken() -> Config:
        raise ConfigError("caption.x is unknown.", "Look into base.yaml.")

    diagnosis = examine(broken)
    assert not diagnosis.ok
    found = statuses(diagnosis)
    assert list(found) == NAMES
    assert found.pop("python") == "ok"
    assert found.pop("configuration") == "failed"
    assert set(found.values()) == {"skipped"}


def test_what_needs_something_that_failed_is_not_tried(healthy: Config):
    config = healthy.model_copy(update={"caption": CaptionConfig(provider="nobody")})
    found = {finding.name: finding for finding in examine(lambda: config).checks}
    assert found["caption model"].status == "failed"
    assert "Known are:" in found["caption model"].remedy
    assert (found["caption key"].status, found["caption call"].status) == ("skipped", "skipped")
    assert found["caption call"].detail == "needs the caption key"
    assert found["embed call"].status == "ok"


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "_PACKAGES", ("pyarrow", "no-such-package"))
    finding = find("python", doctor.check_python)
    assert finding.status == "failed"
    assert "no-such-package" in finding.detail
    assert "pip install" in finding.remedy


def test_a_check_that_breaks_is_a_finding_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def check() -> str:
        raise ZeroDivisionError("one by\nnought")

    monkeypatch.delenv("TUKU_DEBUG", raising=False)
    assert find("sums", check) == Finding(
        "sums", "failed", "Unexpected ZeroDivisionError: one by", "TUKU_DEBUG=1 shows where."
    )
    monkeypatch.setenv("TUKU_DEBUG", "1")
    assert find("sums", check).status == "failed"
    assert "ZeroDivisionError: one by" in capsys.readouterr().err.rpartition("Traceback")[2]


def test_findings_for_programs_and_for_people():
    diagnosis = Diagnosis(
        (
            find("a", lambda: "well"),
            find("b", lambda: Skipped("nothing there")),
            Finding("c", "failed", "bad\x1b[2J\ntwice", "Do it again."),
        )
    )
    assert json.loads(json.dumps(diagnosis.to_dict())) == {
        "ok": False,
        "checks": [
            {"name": "a", "status": "ok", "detail": "well", "remedy": ""},
            {"name": "b", "status": "skipped", "detail": "nothing there", "remedy": ""},
            {"name": "c", "status": "failed", "detail": "bad\x1b[2J\ntwice", "remedy": "Do it again."},
        ],
    }
    stream = io.StringIO()
    make_console(stream).print(diagnosis.summary())
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert lines == [
        "ok       a  well",
        "skipped  b  nothing there",
        "FAILED   c  bad\\e[2J",
        "            twice",
        "            Do it again.",
    ]
