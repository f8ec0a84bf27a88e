"""The README is true: its commands parse, its make targets and the files that it points at exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from tuku.cli import cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = [
    line
    for block in re.findall(r"^```\w*\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
COMMANDS = [line for line in LINES if line.startswith("tuku ")]
TARGETS = sorted(
    set(re.findall(r"^make ([a-z-]+)", "\n".join(LINES), re.MULTILINE) + re.findall(r"`make ([a-z-]+)`", README))
)
LINKS = sorted({link for link in re.findall(r"\]\(([^)\s]+)\)", README) if not re.match(r"[a-z]+:|#", link)})


def parse(line: str) -> click.Context:
    """Read a command line as `tuku` does, but run nothing.

    Raises:
        click.UsageError: there is no such command, option or value.
    """
    _, *arguments = shlex.split(line, comments=True)
    group = cli.make_context("tuku", list(arguments))
    name, command, rest = cli.resolve_command(group, arguments)
    while isinstance(command, click.Group) and rest:
        name, command, rest = command.resolve_command(group, rest)
    assert command is not None
    return command.make_context(name, rest, parent=group)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_line_parses(line):
    assert parse(line).command.name in line.split()[1:3]


@pytest.mark.parametrize(
    "line",
    ["tuku serve --prot 80", "tuku search cat --within text", "tuku load --strategy replace", "tuku lake vacuum --all"],
)
def test_a_wrong_command_line_would_be_noticed(line):
    with pytest.raises(click.UsageError):
        parse(line)


def test_every_command_is_shown():
    assert {line.split()[1] for line in COMMANDS} == set(cli.commands)
    below = {name for command in cli.commands.values() if isinstance(command, click.Group) for name in command.commands}
    assert below <= {parse(line).command.name for line in COMMANDS}


@pytest.mark.parametrize("target", TARGETS)
def test_every_make_target_exists(target):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("link", LINKS)
def test_every_relative_link_leads_to_a_file(link):
    assert (ROOT / link.partition("#")[0]).exists()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\b(?:conf|jobs)/\w+\.(?:py|yaml)", README))))
def test_every_profile_and_job_that_is_named_exists(path):
    assert (ROOT / path).is_file()


def test_there_was_something_to_check():
    assert {"demo", "test", "bench"} <= set(TARGETS)
    assert "docs/search.png" in LINKS
