"""Pictures in buckets of a real S3 server, put there by another client: the same outcomes as from disks and the web."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import format_datetime
from pathlib import Path

import pytest

from fakes.counting_proxy import CountingProxy, counting_proxy
from s3_server import BUCKET, S3Server, s3_server
from tuku.config import FetchConfig
from tuku.errors import RowError
from tuku.fetching import Fetched, GuardedFetcher, lister
from tuku.fetching.protocol import NotModified, Validators
from tuku.retry import RetryPolicy

KEYS = [
    "plain.jpg",
    "50%.jpg",
    "a%20b.jpg",
    "a b.jpg",
    "what?size=1#top.jpg",
    "图/红 裙.jpg",
    "é+&=;:@,$!*'().jpg",
    '~[1]{2}^|`"<>.jpg',
    "..hidden/a..b.jpg",
    "k" * 200 + ".jpg",
]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3") / "server") as server, server.used():
        yield server


@pytest.fixture
def proxy(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingProxy]:
    with counting_proxy(s3.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


@pytest.fixture
def folder(s3: S3Server, tmp_path: Path) -> str:
    """A prefix of the bucket that nobody else uses."""
    return tmp_path.name


def put(s3: S3Server, key: str, content: bytes) -> str:
    with s3.files().open_output_stream(f"{BUCKET}/{key}", compression=None) as stream:
        stream.write(content)
    return s3.uri(key)


def fetch(*uris: str, known: Validators | None = None, **config: object) -> list[Fetched | NotModified | RowError]:
    with GuardedFetcher(FetchConfig.model_validate(config), policy=RetryPolicy(attempts=1)) as fetcher:
        return fetcher.fetch_changed(uris, dict.fromkeys(uris, known) if known else {})


def code(outcome: object) -> str:
    assert isinstance(outcome, RowError)
    return outcome.code


def test_a_key_means_itself_whatever_is_in_it(s3: S3Server, folder: str) -> None:
    uris = [put(s3, f"{folder}/{key}", key.encode()) for key in KEYS]
    assert [file.content.decode() for file in fetch(*uris)] == KEYS
    assert {listed.uri for listed in lister(FetchConfig())(s3.uri(folder))} == set(uris)


def test_a_file_comes_with_what_a_listing_says_of_it(s3: S3Server, folder: str) -> None:
    uri = put(s3, f"{folder}/a.jpg", b"red")
    [file], [listed] = fetch(uri), lister(FetchConfig())(s3.uri(f"{folder}/"))
    assert file.etag
    assert (listed.uri, listed.validators) == (uri, Validators(file.etag, file.last_modified))


def test_a_file_that_has_not_changed_is_not_sent(s3: S3Server, folder: str, proxy: CountingProxy) -> None:
    uri = put(s3, f"{folder}/a.jpg", b"red")
    [first] = fetch(uri)
    written = s3.files().get_file_info(f"{BUCKET}/{folder}/a.jpg").mtime
    for known in (Validators(first.etag), Validators(last_modified=format_datetime(written, usegmt=True))):
        assert fetch(uri, known=known) == [NotModified()]
    assert [each.status for each in proxy.seen("GET", "a.jpg")] == [200, 304, 304]
    put(s3, f"{folder}/a.jpg", b"blue")
    [changed] = fetch(uri, known=Validators(first.etag))
    assert (changed.content, changed.etag != first.etag) == (b"blue", True)


def test_files_are_in_order_and_none_is_asked_for_twice(s3: S3Server, folder: str, proxy: CountingProxy) -> None:
    uris = [put(s3, f"{folder}/{number}.jpg", str(number).encode()) for number in range(30)]
    files = fetch(*uris, uris[0], concurrency=4)
    assert [int(file.content) for file in files] == [*range(30), 0]
    assert len(proxy.got(".jpg")) == 30


def test_no_file_is_larger_than_the_limit(s3: S3Server, folder: str) -> None:
    uri = put(s3, f"{folder}/a.jpg", bytes(3_000_000))
    assert len(fetch(uri, max_bytes=3_000_000)[0].content) == 3_000_000
    assert code(fetch(uri, max_bytes=2_999_999)[0]) == "too_large"


def test_what_is_not_there_and_what_is_empty(s3: S3Server, folder: str) -> None:
    empty = put(s3, f"{folder}/empty.jpg", b"")
    outcomes = fetch(s3.uri(f"{folder}/none.jpg"), "s3://no-such-bucket/a.jpg", empty)
    assert list(map(code, outcomes)) == ["not_found", "not_found", "empty"]


def test_a_wrong_key_is_said_and_not_shown(s3: S3Server, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = put(s3, f"{folder}/a.jpg", b"red")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    [outcome] = fetch(uri)
    assert (code(outcome), outcome.retryable) == ("permission_denied", False)
    assert "another-secret" not in outcome.message


def test_nobody_there_may_pass(monkeypatch: pytest.MonkeyPatch, s3: S3Server) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    [outcome] = fetch("s3://bucket/a.jpg")
    assert (code(outcome), outcome.retryable) == ("connection_failed", True)


def test_local_files_and_objects_come_together(s3: S3Server, folder: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"here")
    uris = [put(s3, f"{folder}/a.jpg", b"there"), str(tmp_path / "a.jpg"), "ftp://host/a.jpg"]
    there, here, nowhere = fetch(*uris)
    assert (there.content, here.content, code(nowhere)) == (b"there", b"here", "unsupported_scheme")


def test_another_bucket_than_this_identity_may_read(s3: S3Server, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = put(s3, f"{folder}/a.jpg", b"red")
    s3.files().create_dir("private")
    with s3.files().open_output_stream("private/a.jpg") as stream:
        stream.write(b"secret")
    for name, value in s3.reader.items():
        monkeypatch.setenv(name, value)
    ours, theirs = fetch(uri, "s3://private/a.jpg")
    assert (ours.content, code(theirs)) == (b"red", "permission_denied")
