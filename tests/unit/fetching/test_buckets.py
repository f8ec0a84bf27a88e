"""Stores that no real server here speaks for: who is asked, how, and as whom. S3: contract/test_bucket_fetching."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from fakes.object_server import GENERATION, ObjectServer, object_server
from tuku.config import FetchConfig
from tuku.errors import ConfigError, ManifestError, RowError, StorageError
from tuku.fetching import Fetched, GuardedFetcher, open_stream
from tuku.fetching.guard import Guard
from tuku.fetching.protocol import NotModified, Validators
from tuku.retry import RetryPolicy
from tuku.storage import storage_at
from tuku.storage.bucket_stores import open_bucket

OSS = {"OSS_ACCESS_KEY_ID": "oss-id", "OSS_ACCESS_KEY_SECRET": "oss-secret", "OSS_REGION": "cn-hangzhou"}
AMAZON = {
    "AWS_ACCESS_KEY_ID": "aws-id",
    "AWS_SECRET_ACCESS_KEY": "aws-secret",
    "AWS_SESSION_TOKEN": "aws-token",
    "AWS_ENDPOINT_URL": "http://aws.example",
    "AWS_ENDPOINT_URL_S3": "http://aws.example",
    "AWS_REGION": "us-west-2",
}


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("AWS_", "OSS_", "GOOGLE_")):
            monkeypatch.delenv(name)


@pytest.fixture
def store() -> Iterator[ObjectServer]:
    with object_server() as server:
        yield server


@pytest.fixture
def aliyun(store: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> ObjectServer:
    """OSS, reached through a proxy, in an environment that has somebody's keys for Amazon too."""
    for name, value in {**OSS, **AMAZON, "OSS_ENDPOINT": "http://oss.example", "HTTP_PROXY": store.url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    return store


@pytest.fixture
def google(store: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> ObjectServer:
    monkeypatch.setenv("GOOGLE_BASE_URL", store.url)
    monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")
    return store


def fetch(uri: str, known: Validators | None = None, **config: object) -> Fetched | NotModified | RowError:
    with GuardedFetcher(FetchConfig.model_validate(config), policy=RetryPolicy(attempts=2)) as fetcher:
        return fetcher.fetch_changed([uri], {uri: known} if known else {})[0]


def test_aliyun_is_asked_in_its_own_style_and_as_its_own_user(aliyun: ObjectServer) -> None:
    aliyun.objects["http://pictures.oss.example/图/50% a.jpg"] = b"red"
    assert fetch("oss://pictures/图/50% a.jpg") == Fetched(b"red", '"red"', None)
    [asked] = aliyun.asked
    assert asked.headers["host"] == "pictures.oss.example"
    assert "Credential=oss-id/" in asked.headers["authorization"]
    assert "/cn-hangzhou/s3/" in asked.headers["authorization"]
    assert "aws" not in str(asked.headers).lower().replace("aws4", "").replace("aws_", "")


def test_temporary_keys_of_aliyun_bring_their_token(aliyun: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSS_SESSION_TOKEN", "oss-token")
    aliyun.objects["http://pictures.oss.example/a.jpg"] = b"red"
    fetch("oss://pictures/a.jpg")
    assert aliyun.asked[0].headers["x-amz-security-token"] == "oss-token"


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({}, "https://b.s3.oss-cn-hangzhou.aliyuncs.com"),
        ({"OSS_REGION": "oss-cn-hangzhou"}, "https://b.s3.oss-cn-hangzhou.aliyuncs.com"),
        ({"OSS_ENDPOINT": "oss-cn-beijing-internal.aliyuncs.com"}, "https://b.oss-cn-beijing-internal.aliyuncs.com"),
        ({"OSS_ENDPOINT": "http://oss.example/"}, "http://b.oss.example"),
    ],
)
def test_where_a_bucket_of_aliyun_is(
    environment: dict[str, str], endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**OSS, **environment}.items():
        monkeypatch.setenv(name, value)
    assert open_bucket("oss", "b").config["endpoint"] == endpoint


@pytest.mark.parametrize(
    ("lacking", "said"),
    [("OSS_REGION", "OSS_REGION (such as cn-hangzhou) or OSS_ENDPOINT"), ("OSS_ACCESS_KEY_SECRET", "OSS_ACCESS_KEY")],
)
def test_what_aliyun_lacks_fails_the_row_and_stops_a_manifest(
    lacking: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in OSS.items():
        if name != lacking:
            monkeypatch.setenv(name, value)
    outcome = fetch("oss://pictures/a.jpg")
    assert isinstance(outcome, RowError)
    assert (outcome.code, outcome.retryable, said in outcome.message) == ("store_not_configured", False, True)
    with pytest.raises(ConfigError) as refused:
        open_stream(FetchConfig())("oss://pictures/a.csv")
    assert said in str(refused.value)


def test_credentials_that_are_not_there_fail_the_row_and_stop_a_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file.json")
    outcome = fetch("gs://pictures/a.jpg")
    assert isinstance(outcome, RowError)
    assert (outcome.code, "GOOGLE_APPLICATION_CREDENTIALS" in outcome.message) == ("store_not_configured", True)
    with pytest.raises(ConfigError, match="GOOGLE_APPLICATION_CREDENTIALS"):
        open_stream(FetchConfig())("gs://pictures/a.csv")


def test_google_is_asked_and_says_what_has_not_changed(google: ObjectServer) -> None:
    google.objects["/pictures/a b/c.jpg"] = b"red"
    uri = "gs://pictures/a b/c.jpg"
    assert fetch(uri) == Fetched(b"red", '"red"', None)
    assert fetch(uri, Validators('"red"')) == NotModified()
    assert fetch(uri, Validators('"blue"')) == Fetched(b"red", '"red"', None)


def test_a_lake_is_refused_where_nothing_keeps_two_runs_apart(aliyun: ObjectServer) -> None:
    with pytest.raises(StorageError, match="If-None-Match") as refused:
        storage_at("oss://bucket/lake").prepare()
    assert "pictures and manifests can stay" in refused.value.remedy
    assert aliyun.asked == []


def test_a_lake_names_the_variables_of_its_own_store(google: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    google.statuses += [403]
    with pytest.raises(StorageError, match="access denied") as refused:
        storage_at("gs://bucket/lake").find("a")
    assert "GOOGLE_APPLICATION_CREDENTIALS" in refused.value.remedy
    assert "AWS" not in str(refused.value)


def test_a_lake_of_google_s_is_written_under_conditions(google: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_SKIP_SIGNATURE")
    monkeypatch.setenv("GOOGLE_BEARER_TOKEN", "a-token")
    lake = storage_at("gs://bucket/lake")
    google.objects["/bucket/lake/lease.json"] = b"old"
    assert lake.swap("lease.json", b"new", expected=b"old")
    assert google.asked[-1].headers["x-goog-if-generation-match"] == GENERATION
    google.statuses += [412]
    assert not lake.create("lease.json", b"new")
    assert [each.headers["x-goog-if-generation-match"] for each in google.asked if each.method == "PUT"] == [
        GENERATION,
        "0",
    ]


def test_a_store_that_fails_is_asked_again(google: ObjectServer) -> None:
    google.objects["/pictures/a.jpg"] = b"red"
    google.statuses += [503]
    assert isinstance(fetch("gs://pictures/a.jpg"), Fetched)
    google.statuses += [503, 500]
    outcome = fetch("gs://pictures/a.jpg")
    assert isinstance(outcome, RowError)
    assert (outcome.code, outcome.attempts, outcome.retryable) == ("connection_failed", 2, True)
    assert len(google.asked) == 4


def test_content_that_breaks_off_is_no_picture(google: ObjectServer) -> None:
    google.objects["/pictures/a.jpg"] = b"red"
    google.cut.add("/pictures/a.jpg")
    outcome = fetch("gs://pictures/a.jpg")
    assert isinstance(outcome, RowError)
    assert (outcome.code, outcome.retryable) == ("incomplete_download", True)


def test_the_whole_file_has_one_time_limit(google: ObjectServer) -> None:
    google.objects["/pictures/a.jpg"] = b"red"
    google.hung_s["/pictures/a.jpg"] = 1.0
    outcome = fetch("gs://pictures/a.jpg", timeout_s=0.2)
    assert isinstance(outcome, RowError)
    assert (outcome.code, outcome.retryable, outcome.attempts) == ("timeout", True, 2)


@pytest.mark.parametrize(
    "uri",
    [
        "s3://bucket",
        "s3://bucket/",
        "s3:///a.jpg",
        "s3://bucket//a.jpg",
        "s3://bucket/a/../b.jpg",
        "s3://bucket/./b.jpg",
        "s3://bucket/a\n.jpg",
        "s3://key:a-secret@bucket/a.jpg",
        "oss://evil.example#/a.jpg",
        "oss://127.0.0.1:80/a.jpg",
        "gs://b u/a.jpg",
    ],
)
def test_a_name_that_would_become_another_one_is_refused(uri: str) -> None:
    outcome = fetch(uri)
    assert isinstance(outcome, RowError)
    assert outcome.code == "bad_url"
    assert "a-secret" not in outcome.message
    assert "\n" not in outcome.message


@pytest.mark.parametrize(
    ("hosts", "passes"),
    [
        ((), True),
        (("pictures",), True),
        (("Pictures",), True),
        (("other", "*.pictures"), False),
        (("pictures:80",), False),
    ],
)
def test_only_the_buckets_that_are_named(hosts: tuple[str, ...], passes: bool, google: ObjectServer) -> None:
    google.objects["/pictures/a.jpg"] = b"red"
    outcome = fetch("gs://pictures/a.jpg", allowed_hosts=hosts)
    assert (isinstance(outcome, Fetched), len(google.asked)) == (passes, int(passes))
    if not passes:
        assert isinstance(outcome, RowError)
        assert outcome.code == "blocked_host"
        with pytest.raises(ManifestError, match="blocked_host"):
            open_stream(FetchConfig(allowed_hosts=hosts))("gs://pictures/a.csv")


def test_a_scheme_that_is_not_named_is_asked_of_nobody(google: ObjectServer) -> None:
    outcome = fetch("gs://pictures/a.jpg", schemes=("file", "s3"))
    assert isinstance(outcome, RowError)
    assert (outcome.code, google.asked) == ("blocked_scheme", [])
    with pytest.raises(RowError, match="blocked_scheme"):
        Guard.of(FetchConfig(schemes=("http",))).check_bucket("gs", "pictures")


def test_without_the_package_a_row_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name for name in sys.modules if name.startswith(("tuku.fetching.buck", "tuku.fetching.obj", "obstore"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "obstore", None)
    outcome = fetch("s3://bucket/a.jpg")
    assert isinstance(outcome, RowError)
    assert (outcome.code, "tuku[s3]" in outcome.message) == ("store_not_configured", True)
    with pytest.raises(ConfigError, match=r"package obstore.*tuku\[s3\]"):
        open_stream(FetchConfig())("s3://bucket/a.csv")
