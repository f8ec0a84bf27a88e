"""Where import files wait: how tuku writes them and how Milvus names them, in folders and in a real bucket."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3_server import S3Server, s3_server
from tuku.config import LoadConfig
from tuku.errors import ConfigError, StorageError
from tuku.milvus.staging import Staging
from tuku.storage import DiskStorage


def staging(uri: str, collection: str = "tuku__r1", **keys: str) -> Staging:
    return Staging.of(LoadConfig(staging_uri=uri, **keys), collection)


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_a_folder_is_named_by_its_path(tmp_path: Path, prefix: str) -> None:
    there = staging(f"{prefix}{tmp_path}/shared folder/")
    assert there.storage == DiskStorage(tmp_path / "shared folder" / "tuku__r1")
    assert there.path("part-00000.parquet") == f"{tmp_path}/shared folder/tuku__r1/part-00000.parquet"


def test_a_folder_from_here_is_named_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert staging("shared").path("a") == f"{tmp_path}/shared/tuku__r1/a"


@pytest.mark.parametrize(
    ("uri", "address", "seen"),
    [
        ("s3://bucket", "s3://bucket/tuku__r1", "tuku__r1/a"),
        ("s3://bucket/", "s3://bucket/tuku__r1", "tuku__r1/a"),
        ("s3://bucket/one/two/", "s3://bucket/one/two/tuku__r1", "one/two/tuku__r1/a"),
    ],
)
def test_a_file_in_milvus_own_bucket_is_named_by_its_key(uri: str, address: str, seen: str) -> None:
    there = staging(uri)
    assert (there.storage.uri, there.path("a")) == (address, seen)


def test_a_managed_service_is_told_the_whole_address(tmp_path: Path) -> None:
    assert staging("s3://bucket/one", cluster_id="in01-abc").path("a") == "s3://bucket/one/tuku__r1/a"
    with pytest.raises(ConfigError, match=r"load\.cluster_id is set, and load\.staging_uri is a folder"):
        staging(str(tmp_path), cluster_id="in01-abc")


@pytest.mark.parametrize("uri", ["/mnt/shared", "s3://bucket/one"])
@pytest.mark.parametrize("path", ["/var/lib/milvus/staged", "/var/lib/milvus/staged/"])
def test_the_server_may_see_the_place_under_another_name(uri: str, path: str) -> None:
    assert staging(uri, staging_path=path).path("a") == "/var/lib/milvus/staged/tuku__r1/a"


@pytest.mark.parametrize("uri", ["gs://bucket/x", "https://host/x", "s3://", "s3://bucket:80/x", "oss://me:secret@b/x"])
def test_where_nothing_can_be_staged(uri: str) -> None:
    with pytest.raises(ConfigError, match=r"load\.staging_uri is .*s3://bucket/prefix, or to a folder") as raised:
        staging(uri)
    assert "secret" not in str(raised.value)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3") / "data") as server, server.used():
        yield server


@pytest.fixture(params=["folder", "bucket"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "shared")
    return request.getfixturevalue("bucket").uri(f"staged/{tmp_path.name}")


def test_only_the_files_of_one_collection_are_cleared(uri: str) -> None:
    names = ["tuku__r1", "tuku__r1_2", "tuku__r"]
    places = [staging(uri, name) for name in names]
    for place in places:
        place.storage.write("part-00000.parquet", b"PAR1")
        place.storage.write("part-00001.parquet", b"PAR1")
    places[0].storage.remove_all("")
    places[0].storage.remove_all("")
    assert [[file.name for file in place.storage.walk()] for place in places] == [
        [],
        *[["part-00000.parquet", "part-00001.parquet"]] * 2,
    ]


def test_a_place_that_is_right_is_left_as_it_was(uri: str) -> None:
    there = staging(uri)
    there.prepare()
    assert list(there.storage.walk()) == []
    there.storage.write("part-00000.parquet", b"PAR1")
    there.prepare()
    assert [file.name for file in there.storage.walk()] == ["part-00000.parquet"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_where_one_may_not_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="cannot be staged"):
        staging(str(tmp_path)).prepare()


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="Files for Milvus cannot be staged"):
        staging(str(tmp_path / "file")).prepare()


def test_a_bucket_that_one_may_not_write_to(bucket: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StorageError, match=r"Files for Milvus cannot be staged: .*denied.*AWS_ACCESS_KEY_ID"):
        staging(bucket.uri("denied")).prepare()
