"""The command line: its help comes at once, and whatever goes wrong ends in one paragraph and the contract's code."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from fakes.reports import full_report
from support import environment
from tuku import __version__
from tuku.cli import cli, main
from tuku.errors import StorageError
from tuku.runtime import ingest as ingesting
from tuku.runtime import loading, searching

COMMANDS = [
    "evaluate",
    "ingest",
    "retry",
    "plan",
    "load",
    "verify",
    "search",
    "serve",
    "errors",
    "report",
    "lake",
    "models",
    "doctor",
    "collections",
    "rollback",
]


@pytest.fixture(autouse=True)
def _without_a_profile(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TUKU__")]:
        monkeypatch.delenv(name)


def run(capsys, *arguments: str) -> tuple[object, str, str]:
    """The exit code, stdout and stderr of `tuku`, run in this process."""
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    out, err = capsys.readouterr()
    return stop.value.code, out, err


def test_the_help_names_every_command():
    shown = CliRunner().invoke(cli, ["--help"])
    assert shown.exit_code == 0
    listed = {line.split()[0] for line in shown.output.partition("Commands:")[2].splitlines() if line.strip()}
    assert listed == set(COMMANDS) == set(cli.commands)


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_says_what_it_does_and_takes(name, flag):
    shown = CliRunner().invoke(cli, [name, flag], prog_name="tuku")
    assert shown.exit_code == 0
    assert shown.output.startswith(f"Usage: tuku {name} [OPTIONS]")
    assert cli.commands[name].get_short_help_str(30).split("...")[0] in shown.output
    for option in ("--config", "--set", "--json"):
        assert option in shown.output


def test_no_help_waits_for_a_heavy_package():
    code = (
        "import sys\n"
        "from tuku.cli import main\n"
        f"for arguments in {[['--help'], ['--version'], *([name, '--help'] for name in COMMANDS)]}:\n"
        "    try:\n"
        "        main(arguments)\n"
        "    except SystemExit as stop:\n"
        "        assert stop.code == 0, arguments\n"
        "print('loaded:', *{name.partition('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "click" in loaded
    assert not loaded & {"numpy", "pandas", "PIL", "pyarrow", "pydantic", "pymilvus", "ray", "rich", "yaml"}


def test_the_version(capsys):
    code, out, err = run(capsys, "--version")
    assert (code, err) == (0, "")
    assert __version__ in out


def test_a_wrong_configuration(capsys):
    code, out, err = run(capsys, "ingest", "pictures.csv", "--set", "decode.max_pixel=5")
    assert (code, out) == (2, "")
    assert err.startswith("tuku: ")
    assert "decode.max_pixel" in err
    assert "Traceback" not in err


def test_a_wrong_configuration_as_json(capsys):
    code, out, err = run(capsys, "ingest", "pictures.csv", "--set", "decode.max_pixel=5", "--json")
    assert code == 2
    answer = json.loads(out)
    assert (answer["status"], answer["exit_code"]) == ("failed", 2)
    assert "decode.max_pixel" in answer["message"]
    assert err.startswith("tuku: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["server"],
        ["search", "a cat", "--within", "text"],
        ["search", "a cat", "--in", "tags"],
        ["search", "a cat", "--limit", "0"],
        ["load", "--strategy", "replace"],
        ["ingest", "a.csv", "--max-cost", "-1"],
        ["ingest", "a.csv", "--max-cost", "nan"],
        ["ingest", "a.csv", "--max-minutes", "inf"],
        ["ingest", "a.csv", "--max-calls", "1.5"],
        ["ingest", "a.csv", "--max-minutes", "0"],
    ],
    ids=" ".join,
)
def test_a_command_line_that_is_not_understood(capsys, arguments):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("tuku: ")
    assert "tuku COMMAND --help" in err
    assert "--set" not in err


def test_a_budget_on_the_command_line_is_that_of_the_configuration(capfd, monkeypatch):
    given = []

    def run_ingest(config, _progress, *, wait_s):
        assert wait_s is None
        given.append(config)
        return full_report()

    monkeypatch.setattr(ingesting, "ingest", run_ingest)
    options = ["--max-cost", "2.5", "--max-calls", "100", "--max-minutes", "0.5", "--limit", "7", "--shard", "2/3"]
    code, _, _ = run(capfd, "ingest", "图 1.csv", "--set", "limits.max_cost=9", *options, "--json")
    assert code == 0
    limits = given[0].limits
    assert (limits.max_cost, limits.max_calls, limits.max_minutes) == (2.5, 100, 0.5)
    assert (given[0].manifest.uri, given[0].manifest.limit, given[0].manifest.shard) == ("图 1.csv", 7, "2/3")
    run(capfd, "ingest", "a.csv", "--max-calls", "0", "--json")
    assert (given[1].limits.max_calls, given[1].limits.max_cost, given[1].limits.max_minutes) == (0, None, None)


def test_load_waits_for_another_run_only_if_it_is_told_to(capfd, monkeypatch):
    asked = []

    def run_load(_config, _progress, *, wait_s):
        asked.append(wait_s)
        raise StorageError("Another run works on the lake.")

    monkeypatch.setattr(loading, "load", run_load)
    assert [run(capfd, *arguments)[0] for arguments in (["load"], ["load", "--wait"])] == [2, 2]
    assert asked == [None, math.inf]


def test_a_doctor_who_finds_something_ends_with_2(capsys, tmp_path):
    code, out, err = run(capsys, "doctor", "--set", "caption.provider=nobody", "--json")
    assert (code, err) == (2, "")
    found = json.loads(out)
    assert found["ok"] is False
    checks = {check["name"]: check for check in found["checks"]}
    assert set(checks["lake"]) == {"name", "status", "detail", "remedy"}
    assert checks["caption model"]["status"] == "failed"
    assert "nobody" in checks["caption model"]["detail"]
    assert not list(tmp_path.iterdir())


def test_the_report_of_an_empty_lake(capsys, tmp_path):
    code, out, err = run(capsys, "report", "--set", f"lake.uri={tmp_path / 'lake'}")
    assert (code, out) == (2, "")
    assert err.startswith("tuku: ")
    assert not (tmp_path / "lake").exists()


def test_what_nobody_expected_is_one_line_and_a_way_to_see_more(capsys, monkeypatch):
    def fail(*_arguments: object, **_options: object) -> None:
        raise ValueError("three of a kind\nand a second line")

    monkeypatch.delenv("TUKU_DEBUG", raising=False)
    monkeypatch.setattr(searching, "search", fail)
    code, out, err = run(capsys, "search", "a cat")
    assert (code, out) == (1, "")
    what, remedy = err.splitlines()
    assert what == "tuku: Unexpected ValueError: three of a kind"
    assert "TUKU_DEBUG" in remedy
    monkeypatch.setenv("TUKU_DEBUG", "1")
    code, out, err = run(capsys, "search", "a cat", "--json")
    assert code == json.loads(out)["exit_code"] == 1
    assert err.startswith("Traceback")
    assert "and a second line" in err
    assert err.splitlines()[-2] == what
    code, out, err = run(capsys, "ingest", "a.csv", "--set", "decode.max_pixel=5", "--json")
    assert code == json.loads(out)["exit_code"] == 2
    assert err.startswith("Traceback")


def test_ctrl_c_outside_of_a_run(capsys, monkeypatch):
    def stop(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(searching, "search", stop)
    code, out, err = run(capsys, "search", "a cat")
    assert (code, out) == (130, "")
    assert err.strip().startswith(
        "tuku: Stopped by SIGINT.\n      What was finished is kept. Run the same command again"
    )
    answer = json.loads(run(capsys, "search", "a cat", "--json")[1])
    assert (answer["status"], answer["exit_code"]) == ("stopped", 130)
