"""Nights with everything in a bucket of a real S3 server: pictures, manifests and lake; nothing is fetched twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.counting_proxy import CountingProxy, counting_proxy
from s3_server import BUCKET, S3Server, s3_server
from support import Ran, Tuku
from tuku.lake import Lake
from tuku.lake_view import LakeView

pytestmark = [pytest.mark.ray, pytest.mark.milvus, pytest.mark.long, pytest.mark.timeout(600)]

FOLDER = "photos/图 50%"


@dataclass
class Nights:
    """Runs over one bucket; all that is asked of it goes through a proxy."""

    tuku: Tuku
    s3: S3Server
    proxy: CountingProxy

    def put(self, key: str, content: bytes) -> None:
        with self.s3.files().open_output_stream(f"{BUCKET}/{key}", compression=None) as stream:
            stream.write(content)

    def ingest(self, key: str, *options: str, **environment: str) -> Ran:
        """One night; what was asked before it is forgotten."""
        self.proxy.exchanges.clear()
        settings = {"lake.uri": self.s3.uri("lake"), "report.gallery": "0", "report.examples": "0"}
        arguments = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
        env = {**self.s3.environment, "AWS_ENDPOINT_URL": self.proxy.url, **environment}
        return self.tuku("ingest", self.s3.uri(key), *arguments, *options, "--json", env=env, timeout_s=200)

    def pictures_asked(self) -> list[tuple[str, int]]:
        """Names and statuses of the requests for pictures."""
        return sorted(
            (Path(each.path).name, each.status) for each in self.proxy.exchanges if f"/{FOLDER}/" in each.path
        )

    def lake_names(self) -> set[str]:
        with self.s3.used():
            view = LakeView.everything(Lake.at(self.s3.uri("lake")))
            return {Path(uri).name for table in view.batches(["uri"]) for uri in table.column("uri").to_pylist()}


@pytest.fixture
def nights(tmp_path: Path, tuku: Tuku) -> Iterator[Nights]:
    with s3_server(tmp_path / "s3") as s3, counting_proxy(s3.endpoint) as proxy:
        yield Nights(tuku, s3, proxy)


def test_night_after_night(nights: Nights, photographs: list[Path]) -> None:
    *stay, other = photographs
    names = [f"{number}#{path.suffix}" for number, path in enumerate(stay)]
    for name, path in zip(names, stay, strict=True):
        nights.put(f"{FOLDER}/{name}", path.read_bytes())
    snapshot = ("--set", "manifest.mode=snapshot", "--set", "limits.max_deleted_fraction=0.5")

    first = nights.ingest("photos/", *snapshot)
    assert first.code == 0, first.err
    assert (first.json["rows"]["new"], first.json["rows"]["ok"]) == (5, 5)
    assert nights.pictures_asked() == [(name, 200) for name in names]
    assert not nights.tuku.lake.exists()

    second = nights.ingest("photos/", *snapshot)
    assert (second.code, second.json["rows"]["unchanged"]) == (0, 5), second.err
    assert nights.pictures_asked() == []

    nights.put(f"{FOLDER}/{names[0]}", other.read_bytes())
    nights.s3.files().delete_file(f"{BUCKET}/{FOLDER}/{names[1]}")
    third = nights.ingest("photos/", *snapshot)
    rows = third.json["rows"]
    assert (third.code, rows["changed"], rows["deleted"], rows["unchanged"]) == (0, 1, 1, 3), third.err
    assert nights.pictures_asked() == [(names[0], 200)]
    assert nights.lake_names() == {names[0], *names[2:]}
    assert third.json["verify"]["passed"]

    check_a_list(nights, names)
    check_a_wrong_key(nights)


def check_a_list(nights: Nights, names: list[str]) -> None:
    """The same pictures by a list in the bucket: each is asked for with its ETag, and none is sent."""
    listed = [f"../{FOLDER}/{name}" for name in (names[0], *names[1:])]
    foreign = "s3://no-such-bucket/a.jpg"
    nights.put("lists/today.csv", "\n".join(["uri", *listed, foreign]).encode())
    night = nights.ingest("lists/today.csv", "--set", "limits.max_failed_fraction=1")
    assert (night.code, night.json["rows"]["unchanged"]) == (0, 4), night.err
    assert night.json["errors"] == {"not_found": 2}
    assert nights.pictures_asked() == [(name, 404 if name == names[1] else 304) for name in names]

    only = ("--set", f'fetch.allowed_hosts=["{BUCKET}"]', "--set", "limits.max_failed_fraction=1")
    guarded = nights.ingest("lists/today.csv", *only)
    assert guarded.json["errors"] == {"not_found": 1, "blocked_host": 1}, guarded.err


def check_a_wrong_key(nights: Nights) -> None:
    night = nights.ingest("photos/", AWS_SECRET_ACCESS_KEY="another-secret")
    assert night.code == 2, night.err
    assert "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY" in night.err
    assert "another-secret" not in night.err + night.out
