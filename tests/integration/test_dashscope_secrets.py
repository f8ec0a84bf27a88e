"""The key of the account is in nothing that tuku or Ray write or show, whatever happens.

All runs are on a Ray cluster of the test's own with its dashboard, whose processes have the key in their environment,
as a cluster's pods have it. What is searched: the lake with its reports, the Milvus file, what the commands print, all
of Ray's session folder, and what the dashboard knows of actors, tasks, jobs, workers and nodes.
"""

from __future__ import annotations

import os
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dashscope_job import FAST, many_pictures, profile
from fakes.dashscope import DashScopeServer, Settings
from ray_head import Head, ray_head
from support import Ran, Tuku

pytestmark = [pytest.mark.long, pytest.mark.ray, pytest.mark.milvus, pytest.mark.timeout(240)]

SECRET = "recognisable0f6d2b71"
KEY = f"sk-{SECRET}"
STATES = ("actors", "jobs", "tasks", "workers", "nodes", "objects", "runtime_envs")
# Each page of Ray's dashboard, with words that show that it is filled.
DASHBOARD = {
    **{f"api/v0/{what}?detail=true&limit=1000": b"" for what in STATES},
    "api/v0/actors?detail=true&limit=1000": b"MapWorker",
    "api/v0/tasks?detail=true&limit=1000": b"MapBatches",
    "api/v0/jobs?detail=true&limit=1000": b"tuku ingest",
    "nodes?view=summary": b"raylet",
    "logical/actors": b"MapWorker",
    "api/jobs/": b"",
}

# Runs at the start of every Python process. `sdk`: the SDK's requests raise an error whose text holds all that was to
# be sent, the key in its header too; `block`: a worker fails to write a block as nobody expects it to.
SABOTAGE = """
import pathlib
import sys
import aiohttp
import pyarrow.parquet

folder = pathlib.Path({folder!r})
request, write = aiohttp.ClientSession._request, pyarrow.parquet.write_table

async def broken_request(self, *arguments, **options):
    if (folder / "sdk").exists():
        text = f"cannot send {{arguments}} {{options}}"
        if {key!r} in text:
            (folder / "it-held-the-key").touch()
        raise RuntimeError(text)
    return await request(self, *arguments, **options)

def broken_write(*arguments, **options):
    if (folder / "block").exists() and sys.argv[0].endswith("default_worker.py"):
        raise RuntimeError("out of ink")
    return write(*arguments, **options)

aiohttp.ClientSession._request, pyarrow.parquet.write_table = broken_request, broken_write
"""


@dataclass(frozen=True)
class Site:
    """Where everything happens.

    Attributes:
        ray: the folder in which Ray keeps everything.
        sabotage: a file in it, named for what is to break, breaks it.
    """

    server: DashScopeServer
    env: dict[str, str]
    head: Head
    ray: Path
    sabotage: Path

    def run(self, tuku: Tuku, *arguments: object) -> Ran:
        options = [*profile("dashscope_modern"), *FAST, "--set", f"runtime.address={self.head.address}"]
        return tuku(*arguments, *options, env=self.env)


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    sabotage = tmp_path_factory.mktemp("sabotage")
    (sabotage / "sitecustomize.py").write_text(SABOTAGE.format(folder=str(sabotage), key=SECRET))
    with (
        tempfile.TemporaryDirectory(prefix="tuku-ray-", ignore_cleanup_errors=True) as folder,
        DashScopeServer(Settings(keys=(KEY,), answers="numbered")) as server,
    ):
        path = os.pathsep.join(filter(None, [str(sabotage), os.environ.get("PYTHONPATH")]))
        env = {**server.environment, "PYTHONPATH": path, "TUKU_DEBUG": "1"}
        with ray_head(Path(folder, "head.log"), env, Path(folder)) as head:
            yield Site(server, env, head, Path(folder), sabotage)


def test_the_key_is_nowhere(site: Site, tmp_path: Path) -> None:
    catalogue = many_pictures(tmp_path / "pictures", 20)
    good, refused, broken, crashed = (_tuku(tmp_path / name) for name in ("good", "refused", "broken", "crashed"))
    said = []

    def run(tuku: Tuku, code: int, words: str, *arguments: object) -> None:
        ran = site.run(tuku, *arguments)
        assert ran.code == code, ran.out + ran.err
        assert words in ran.out + ran.err
        said.append(ran.out + ran.err)

    run(good, 0, "", "ingest", catalogue)
    run(good, 0, "there is one", "doctor")
    (site.sabotage / "sdk").touch()
    run(broken, 3, "unexpected_error", "ingest", catalogue, "--json")
    run(good, 1, "RuntimeError", "search", "red")
    assert (site.sabotage / "it-held-the-key").exists()
    (site.sabotage / "sdk").unlink()
    (site.sabotage / "block").touch()
    run(crashed, 1, "traceback.txt", "ingest", catalogue)
    (site.sabotage / "block").unlink()
    site.server.configure(keys=("sk-another",))
    run(refused, 5, "does not accept the key", "ingest", catalogue)
    run(refused, 2, "does not accept the key", "doctor")
    run(good, 5, "Traceback", "search", "red")  # TUKU_DEBUG shows where

    pages = {page: _page(site.head.dashboard, page) for page in DASHBOARD}
    assert [page for page, words in DASHBOARD.items() if words not in pages[page]] == []
    files = _files(tmp_path) | _files(site.ray)
    assert any(b"out of ink" in content for content in files.values())
    assert any(b"could not be sent" in content for path, content in files.items() if path.suffix == ".parquet")
    assert any(path.name.startswith("worker-") for path in files)
    searched = [("what the commands print", "\n".join(said).encode()), *pages.items(), *files.items()]
    assert [where for where, content in searched if SECRET.encode() in content] == []


def _tuku(folder: Path) -> Tuku:
    folder.mkdir()
    return Tuku(folder)


def _page(dashboard: str, page: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{dashboard}/{page}", timeout=30) as answer:
        content: bytes = answer.read()
    return content


def _files(folder: Path) -> dict[Path, bytes]:
    return {path: _content(path) for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}


def _content(path: Path) -> bytes:
    """What a search finds something in: Parquet is compressed."""
    if path.suffix == ".parquet":
        return repr(pq.read_table(path, partitioning=None).to_pylist()).encode()
    return path.read_bytes()
