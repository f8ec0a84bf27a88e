"""`tuku errors` on the command line: any lake, exactly one JSON object, and rows one a line."""

from __future__ import annotations

import json
import os

import pytest

from fakes.lakes import add_run
from tuku.cli import main
from tuku.cli_options import STAGES
from tuku.dead_letters import UNREADY
from tuku.lake import Lake
from tuku.pipeline import STAGES as PIPELINE


@pytest.fixture
def lake(tmp_path, monkeypatch) -> Lake:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TUKU__")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TUKU__LAKE__URI", str(tmp_path / "lake"))
    return Lake.at(str(tmp_path / "lake"))


def run(capsys, *options: str, command: str = "errors") -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as stop:
        main([command, *options])
    out, err = capsys.readouterr()
    return stop.value.code, out, err


def test_its_stages_are_those_that_can_fail_a_row():
    working = [stage.name for stage in PIPELINE if not stage.on_block and stage.name != "twins"]  # sets rows aside only
    assert [*UNREADY, *working] == list(STAGES)


@pytest.mark.parametrize("options", [(), ("--rows",), ("--json",), ("--rows", "--json")], ids=" ".join)
def test_a_lake_that_is_not_there_yet(lake, capsys, options):
    code, out, err = run(capsys, *options)
    assert (code, err) == (0, "")
    if "--json" in options:
        assert json.loads(out)["rows"] == 0
    else:
        assert out.strip()
    assert not lake.storage.root.exists()


def test_the_options_narrow_down_table_json_and_rows(lake, capsys):
    add_run(
        lake, failed=[{"image_id": "a", "code": "timeout", "retryable": True}, {"image_id": "b", "stage": "decode"}]
    )
    add_run(lake, ok="a", end="nothing")
    _, out, _ = run(capsys, "--json", "--limit", "0")
    assert [(kind["stage"], kind["code"], kind["examples"]) for kind in json.loads(out)["errors"]] == [
        ("decode", "not_found", []),
        ("fetch", "timeout", []),
    ]
    _, out, _ = run(capsys, "--reason", "timeout", "--rows", "--json")
    found = json.loads(out)
    assert (found["rows"], [letter["image_id"] for letter in found["letters"]]) == (1, ["a"])
    _, out, _ = run(capsys, "--stage", "decode", "--rows")
    assert [line.split("\t")[5] for line in out.splitlines()] == ["image_id", "b"]
    _, out, _ = run(capsys, "--stage", "decode")
    assert "1 row failed at the stage decode" in out


@pytest.mark.parametrize("options", [("--stage", "load"), ("--limit", "-1"), ("--reason",)], ids=" ".join)
def test_options_that_are_not_understood(lake, capsys, options):
    code, out, err = run(capsys, *options)
    assert (code, out) == (2, "")
    assert "tuku COMMAND --help" in err


def test_a_stage_that_there_is_not_is_nothing_to_retry(lake, capsys):
    code, _, err = run(capsys, "--stage", "fecth", command="retry")
    assert (code, "'fecth' is not one of" in err) == (2, True)
    assert not lake.storage.exists("runs")


@pytest.mark.parametrize("options", [(), ("--rows",)], ids=" ".join)
def test_a_damaged_file_is_one_json_object_and_exit_2(lake, capsys, options):
    damaged = add_run(lake, failed="a")
    for name in damaged.errors():
        lake.storage.write(name, b"no Parquet")
    code, out, err = run(capsys, "--json", *options)
    assert code == 2
    assert json.loads(out)["exit_code"] == 2
    assert damaged.errors()[0] in err
