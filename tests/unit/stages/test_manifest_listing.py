"""What lies below a prefix of a bucket, as a manifest."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice

import pytest

from tuku.config import ManifestConfig
from tuku.errors import ManifestError
from tuku.fetching.protocol import Listed, Validators
from tuku.stages.fingerprints import served_fingerprint
from tuku.stages.manifest import read_manifest

KEYS = [
    "a/.hidden.jpg",
    "a/.trash/b.jpg",
    "a/1.jpg",
    "a/50%/what?.JPEG",
    "a/b/c/deep.webp",
    "a/list.csv",
    "a/note.txt",
    "a/图 1.png",
    "b/2.jpg",
]


class Bucket:
    """Lists what it holds, and notes which prefix was asked for and how far it was read."""

    def __init__(self, keys: list[str], bucket: str = "s3://bucket") -> None:
        self.keys, self.bucket = keys, bucket
        self.asked: list[str] = []
        self.given = 0

    def __call__(self, uri: str) -> Iterator[Listed]:
        self.asked.append(uri)
        for key in self.keys:
            if f"{self.bucket}/{key}".startswith(uri):
                self.given += 1
                yield Listed(f"{self.bucket}/{key}", Validators(f'"{key}"'))


def rows(uri: str, bucket: Bucket, **config: object) -> list[dict[str, object]]:
    tables = read_manifest(
        ManifestConfig.model_validate(config), uri, opener=lambda _: io.BytesIO(b"uri\n"), lister=bucket
    )
    return [row for table in tables for row in table.to_pylist()]


@pytest.mark.parametrize(
    ("uri", "prefix", "found"),
    [
        ("s3://bucket/a/", "s3://bucket/a/", ["a/1.jpg", "a/50%/what?.JPEG", "a/b/c/deep.webp", "a/图 1.png"]),
        ("s3://bucket/a/b/", "s3://bucket/a/b/", ["a/b/c/deep.webp"]),
        ("s3://bucket/a/*.jpg", "s3://bucket/a/", ["a/1.jpg"]),
        ("s3://bucket/*/?.jpg", "s3://bucket/", ["a/1.jpg", "b/2.jpg"]),
        ("s3://bucket/a/**/*.webp", "s3://bucket/a/", ["a/b/c/deep.webp"]),
        (
            "s3://bucket/**",
            "s3://bucket/",
            [key for key in KEYS if "." not in key[2] and key[-3:] not in {"csv", "txt"}],
        ),
        ("s3://bucket/b", "s3://bucket/b/", ["b/2.jpg"]),
    ],
)
def test_the_pictures_below_a_prefix_in_the_store_s_order(uri: str, prefix: str, found: list[str]) -> None:
    bucket = Bucket(KEYS)
    read = rows(uri, bucket, format="folder" if uri.endswith("/b") else "auto")
    assert bucket.asked == [prefix]
    assert [row["uri"] for row in read] == [f"s3://bucket/{key}" for key in found]
    assert [row["source_fingerprint"] for row in read] == [served_fingerprint(f'"{key}"', None) for key in found]
    assert {row["code"] for row in read} == {None}
    assert {row["manifest_uri"] for row in read} == {uri}


@pytest.mark.parametrize("uri", ["gs://bucket", "gs://bucket/"])
def test_a_whole_bucket(uri: str) -> None:
    bucket = Bucket(["1.jpg"], "gs://bucket")
    assert [row["uri"] for row in rows(uri, bucket)] == ["gs://bucket/1.jpg"]


def test_no_more_is_listed_than_is_read() -> None:
    bucket = Bucket([f"a/{number}.jpg" for number in range(1_000)])
    tables = read_manifest(
        ManifestConfig(), "s3://bucket/a/", batch_rows=10, opener=lambda _: io.BytesIO(), lister=bucket
    )
    assert [table.num_rows for table in islice(tables, 3)] == [10, 10, 10]
    assert bucket.given <= 40


def test_a_prefix_without_a_picture_is_no_empty_catalogue() -> None:
    with pytest.raises(ManifestError, match="no pictures in s3://bucket/c/"):
        rows("s3://bucket/c/", Bucket(KEYS))


def test_a_file_with_the_marks_of_a_glob_in_its_name_is_a_file() -> None:
    bucket = Bucket(KEYS)
    assert rows("s3://bucket/lists/a[1]?.csv", bucket) == []
    assert bucket.asked == []


@pytest.mark.parametrize(
    ("uri", "options", "said"),
    [
        ("s3://bucket/a/", {"format": "csv"}, "is a folder, but manifest.format is csv"),
        ("s3://bucket/a", {}, r"cannot be told from its ending.*in a bucket it ends in '/'"),
        ("https://host.example/a/", {"format": "folder"}, "cannot be listed"),
    ],
)
def test_what_is_no_folder(uri: str, options: dict[str, str], said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        rows(uri, Bucket(KEYS), **options)
