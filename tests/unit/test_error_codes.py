"""docs/errors.md is true: it has every code that the source can fail a row with, at its stage, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tuku import errors
from tuku.config import Config
from tuku.fetching import faults as fetching
from tuku.providers.api import transport_faults as transport
from tuku.providers.dashscope import faults as dashscope

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tuku"
TEXT = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(?P<code>\w+)` \| (?P<again>[^|]+) \| [^|]+ \| [^|]+ \|$", re.MULTILINE)

# What makes a row's failure, and whether one made so is retryable where nothing is said.
MAKERS = {"RowError": False, "ThrottledError": False, "Throttled": True, "Unavailable": True, "_fault": True}
SECTIONS = {
    "manifest, plan": ("stages/manifest*.py", "stages/metadata.py", "stages/plan.py"),
    "fetch": ("stages/fetch.py", "fetching/*.py"),
    "decode": ("stages/decode.py", "imaging/*.py"),
    "caption, embed": ("stages/caption.py", "stages/embed.py", "providers/**/*.py"),
}
# Not rows: a load's request, and a search's second look.
ELSEWHERE = {
    "milvus/calls.py",
    "providers/api/ranker.py",
    "providers/api/ranking_text.py",
    "providers/dashscope/reranker.py",
}
# Where the code is not written in the call: what it may be.
COMPUTED = {
    ("fetching/faults.py", "fault_of_request", False): {code for _, code, _ in fetching._LASTING},
    ("fetching/faults.py", "fault_of_request", True): {"connection_failed", "dns_failed", "incomplete_download"},
    ("fetching/faults.py", "fault_of_status", None): {"http_NNN"},
    ("providers/api/http_faults.py", "fault_of_status", None): {"http_NNN"},
    ("providers/api/quality.py", "_fault", True): set(),  # its callers write them
    ("providers/api/transport_faults.py", "exception_fault", True): {code for _, code, _ in transport._UNAVAILABLE},
    ("providers/dashscope/faults.py", "classify", None): {code for code, _ in dashscope._OF_THE_ITEM.values()},
}


@cache
def made_in(path: Path) -> tuple[tuple[str, bool | None], ...]:
    """Each code that a file fails rows with, and whether it is retryable; None: now and then."""
    return tuple(read_codes(path))


def read_codes(path: Path) -> Iterator[tuple[str, bool | None]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            continue
        for call in calls_of(function):
            name = getattr(call.func, "id", "")
            given = {keyword.arg: keyword.value for keyword in call.keywords}
            if name == "replace" and "code" in given:
                yield ast.literal_eval(given["code"]), True
            elif name in MAKERS and call.args:
                yield from codes(path, getattr(function, "name", ""), call.args[0], retryable(name, given))


def calls_of(function: ast.AST) -> Iterator[ast.Call]:
    """The calls in a function, or in a module, that are in no function within it."""
    for child in ast.iter_child_nodes(function):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(child, ast.Call):
            yield child
        yield from calls_of(child)


def retryable(maker: str, given: dict[str | None, ast.expr]) -> bool | None:
    said = given.get("retryable", ast.Constant(MAKERS[maker]))
    return said.value if isinstance(said, ast.Constant) else None


def codes(path: Path, function: str, code: ast.expr, again: bool | None) -> Iterator[tuple[str, bool | None]]:
    if isinstance(code, ast.Constant):
        yield code.value, again
    elif isinstance(code, ast.Name) and code.id.isupper():
        assert getattr(errors, code.id) in errors.NO_FAILURES
    else:
        where = path.relative_to(SOURCE).as_posix()
        found = {key: each for key, each in COMPUTED.items() if key[:2] == (where, function)}
        assert found, f"{where}: say in COMPUTED which codes {function} can make"
        assert again is None or (where, function, again) in found or (where, function, None) in found
        for (_, _, kept), each in found.items():
            yield from ((computed, kept) for computed in each)


def made_at(section: str) -> dict[str, set[bool | None]]:
    """By code, whether it is retryable."""
    found: dict[str, set[bool | None]] = {}
    for path in {path for pattern in SECTIONS[section] for path in SOURCE.glob(pattern)}:
        if path.relative_to(SOURCE).as_posix() not in ELSEWHERE:
            for code, again in made_in(path):
                found.setdefault(code, set()).add(again)
    return found


def documented(section: str) -> dict[str, str]:
    """By code, what the table says of it as it is."""
    text = TEXT.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return {row["code"]: row["again"].strip() for row in ROW.finditer(text)}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_code_of_the_stage_is_there_and_no_other(section):
    assert set(documented(section)) == set(made_at(section))


@pytest.mark.parametrize("section", SECTIONS)
def test_the_table_says_what_may_succeed_as_it_is(section):
    said = documented(section)
    for code, again in made_at(section).items():
        if None not in again:
            assert {said[code] == "yes"} == again, code


def test_no_other_part_of_the_source_fails_rows():
    looked_at = {path for patterns in SECTIONS.values() for pattern in patterns for path in SOURCE.glob(pattern)}
    for path in set(SOURCE.rglob("*.py")) - looked_at:
        if path.relative_to(SOURCE).as_posix() not in ELSEWHERE:
            assert made_in(path) == (), path


def test_dashscopes_table_agrees():
    said = documented("caption, embed")
    for code, again in dashscope._OF_THE_ITEM.values():
        assert (said[code] == "yes") == again


def test_every_local_code_of_a_broken_request_is_known():
    text = (SOURCE / "fetching" / "faults.py").read_text(encoding="utf-8")
    body = next(each for each in ast.parse(text).body if getattr(each, "name", "") == "fault_of_request")
    written = {each.value for each in ast.walk(body) if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    assert {each for each in written if re.fullmatch(r"[a-z]+(_[a-z]+)+", each)} == COMPUTED[
        "fetching/faults.py", "fault_of_request", True
    ]


@pytest.mark.parametrize("key", sorted(set(re.findall(r"`([a-z]+\.[a-z_]+)`", TEXT))))
def test_every_key_that_is_named_exists(key):
    section, name = key.split(".")
    assert name in type(getattr(Config(), section)).model_fields


def test_a_table_row_that_is_malformed_would_be_noticed():
    rows = [line for line in TEXT.splitlines() if line.startswith("| `")]
    assert len(rows) == sum(len(documented(section)) for section in SECTIONS)
