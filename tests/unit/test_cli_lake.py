"""`tuku lake` on the command line: what there is, compaction and vacuum, each as one JSON object or for people."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fakes.nights import captions, files, night
from tuku.cli import main
from tuku.housekeeping.overview import STATES
from tuku.lake import Lake


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TUKU__")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TUKU__LAKE__URI", str(tmp_path / "lake"))
    return Lake.at(str(tmp_path / "lake"))


@pytest.fixture
def old(lake: Lake) -> Lake:
    night(lake, ok="abcd", failed="x", paid="p")
    night(lake, ok="b", gone="c")
    night(lake, ok="z", end="nothing")
    return lake


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["lake", *arguments])
    out, err = capfd.readouterr()
    return stop.value.code, out, err


def told(capfd: pytest.CaptureFixture[str], *arguments: str) -> dict:
    code, out, _ = run(capfd, *arguments, "--json")
    assert code == 0
    assert len(out.splitlines()) == 1
    return json.loads(out)


def test_a_lake_that_is_not_there_yet(lake: Lake, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd)
    assert (code, "no run has ended yet" in out) == (0, True)
    assert told(capfd)["newest"] is None
    for command in ("compact", "vacuum"):
        code, _, err = run(capfd, command)
        assert (code, "There is no lake at" in err) == (2, True)
    assert not Path(lake.storage.uri).exists()


def test_what_there_is(old: Lake, capfd: pytest.CaptureFixture[str]) -> None:
    there = files(old)
    seen = told(capfd)
    assert (seen["images"], seen["stored_rows"], seen["small_files"]) == (3, 5, 3)
    assert seen["newest"] == old.committed_runs()[-1].run_id
    assert seen["runs"] == {**dict.fromkeys(STATES, 0), "committed": 2, "open": 1}
    counted = {kind: each["files"] for kind, each in seen["kinds"].items()}
    assert counted == {"parts": 4, "errors": 1, "deleted": 1, "paid": 1, "plan": 3, "other": 7}
    sizes = sum(file.size for file in old.storage.walk())
    assert sum(each["bytes"] for each in seen["kinds"].values()) == sizes
    assert seen["removable"]["work lists"]["files"] == 2
    _, out, _ = run(capfd)
    for text in (
        "3 images (2 superseded rows)",
        "dead letters",
        "committed 2 · open 1",
        "3 files of images are smaller",
    ):
        assert text in out
    assert files(old) == there


def test_compact(old: Lake, capfd: pytest.CaptureFixture[str]) -> None:
    done = told(capfd, "compact")
    assert done["compacted"]["files"] == 1
    assert len(done["compacted"]["replaced"]) == 3  # the interrupted run was sealed
    assert done["seconds"] > 0
    assert captions(old) == "a1 b2 d1 z3"
    seen = told(capfd)["runs"]
    assert seen == {**dict.fromkeys(STATES, 0), "compaction": 1, "replaced": 3}
    assert told(capfd, "compact")["compacted"] is None
    _, out, _ = run(capfd, "compact")
    assert out == "nothing to compact: the lake's files are few and full\n"


def test_compact_for_people(old: Lake, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, "compact", "--all")
    assert code == 0
    assert out.startswith("4 files (")
    assert " of 3 runs compacted into 1 file (" in out
    assert "compact: " in err


def test_vacuum(old: Lake, capfd: pytest.CaptureFixture[str]) -> None:
    there = files(old)
    tried = told(capfd, "vacuum", "--dry-run")
    assert files(old) == there
    done = told(capfd, "vacuum")
    assert tried | {"seconds": 0} == done | {"dry_run": True, "seconds": 0}
    assert (done["files"], list(done["reasons"])) == (2, ["work lists"])
    assert done["bytes"] == done["reasons"]["work lists"]["bytes"] > 0
    assert len(there - files(old)) == 2
    _, out, _ = run(capfd, "vacuum")
    assert out.startswith("nothing to remove")


def test_vacuum_for_people(old: Lake, capfd: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capfd, "vacuum", "--dry-run")
    assert "2 files (" in out
    assert "could be removed" in out
    assert "work lists" in out
    _, out, _ = run(capfd, "vacuum")
    assert "removed in" in out


@pytest.mark.parametrize("command", [("compact",), ("vacuum",), ("vacuum", "--dry-run")])
def test_a_lake_that_somebody_works_on(old: Lake, capfd: pytest.CaptureFixture[str], command: tuple[str, ...]) -> None:
    there = files(old)
    with old.exclusive(command="tuku ingest"):
        code, out, _ = run(capfd, *command, "--json")
        assert told(capfd)["images"] == 3  # looking is free
    assert code == 2
    assert "tuku ingest" in json.loads(out)["message"]
    assert files(old) == there


@pytest.mark.parametrize(
    "arguments", [("--json", "compact"), ("--set", "lake.part_mb=200", "vacuum"), ("tidy",), ("compact", "--dry-run")]
)
def test_options_that_are_not_understood(
    old: Lake, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    there = files(old)
    code, out, err = run(capfd, *arguments)
    assert code == 2
    assert "tuku lake" in err or "tuku COMMAND --help" in err
    assert files(old) == there
    assert not out or json.loads(out)


def test_a_damaged_file_is_one_json_object_and_exit_2(old: Lake, capfd: pytest.CaptureFixture[str]) -> None:
    old.storage.write(old.runs()[0].parts()[0], b"no Parquet")
    for command in ((), ("compact",)):
        code, out, _ = run(capfd, *command, "--json")
        assert code == 2
        assert "cannot be read" in json.loads(out)["message"]
