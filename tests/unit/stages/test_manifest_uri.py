"""Normalised URIs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuku.errors import RowError
from tuku.stages.manifest_uri import UriResolver

LOCAL = UriResolver("/data/set", remote=False)
HTTP = UriResolver("https://host.example/lists/m.csv", remote=True)
STORE = UriResolver("s3://bucket/lists/m.csv", remote=True)


def code(outcome: str | RowError) -> str | None:
    return outcome.code if isinstance(outcome, RowError) else None


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("a.jpg", "/data/set/a.jpg"),
        ("  a b.jpg \n", "/data/set/a b.jpg"),
        ("./x/../a.jpg", "/data/set/a.jpg"),
        ("../a.jpg", "/data/a.jpg"),
        ("x//a.jpg", "/data/set/x/a.jpg"),
        ("x/./a.jpg", "/data/set/x/a.jpg"),
        (".hidden/a.jpg", "/data/set/.hidden/a.jpg"),
        ("/abs/a.jpg", "/abs/a.jpg"),
        ("/abs/../a.jpg", "/a.jpg"),
        ("//abs/a.jpg", "/abs/a.jpg"),
        ("file:///abs/a%20b.jpg", "/abs/a b.jpg"),
        ("file://localhost/abs/a.jpg", "/abs/a.jpg"),
        ("FILE:/abs/%E7%BA%A2#1?.jpg", "/abs/红#1?.jpg"),
        ("100%.jpg", "/data/set/100%.jpg"),
        ("12:30.jpg", "/data/set/12:30.jpg"),
        ("cam:1.jpg", "/data/set/cam:1.jpg"),
        ("~x.jpg", "/data/set/~x.jpg"),
    ],
)
def test_local_paths(uri: str, expected: str):
    assert LOCAL(uri) == expected


def test_home_folder(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/li")
    assert LOCAL("~/a.jpg") == "/home/li/a.jpg"


@pytest.mark.parametrize("resolve", [LOCAL, HTTP, STORE])
@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://a.example/x.jpg?w=1&h=2", "http://a.example/x.jpg?w=1&h=2"),
        ("HTTPS://A.Example:443/X.jpg#top", "https://a.example/X.jpg"),
        ("http://a.example:8080", "http://a.example:8080/"),
        ("http://a.example:443/x", "http://a.example:443/x"),
        ("http://a.example/红 裙.jpg?q=蓝", "http://a.example/%E7%BA%A2%20%E8%A3%99.jpg?q=%E8%93%9D"),
        ("http://a.example/%E7%BA%A2.jpg", "http://a.example/%E7%BA%A2.jpg"),
        ("http://a.example/100%.jpg", "http://a.example/100%25.jpg"),
        ("http://[2001:DB8::1]:80/x", "http://[2001:db8::1]/x"),
        ("http://图库.example/x", "http://xn--3bs97r.example/x"),
        ("s3://Bucket/红 裙#1%.jpg", "s3://Bucket/红 裙#1%.jpg"),
        ("OSS://b/k", "oss://b/k"),
        ("gs://b/k", "gs://b/k"),
    ],
)
def test_absolute_uris_are_the_same_everywhere(resolve: UriResolver, uri: str, expected: str):
    if "图库" in uri:
        expected = f"http://{'图库'.encode('idna').decode()}.example/x"
    assert resolve(uri) == expected
    assert resolve(expected) == expected


@pytest.mark.parametrize(
    ("resolve", "uri", "expected"),
    [
        (HTTP, "a.jpg", "https://host.example/lists/a.jpg"),
        (HTTP, "../p/红.jpg", "https://host.example/p/%E7%BA%A2.jpg"),
        (HTTP, "cam:1.jpg", "https://host.example/lists/cam:1.jpg"),
        (HTTP, "?page=2", "https://host.example/lists/?page=2"),
        (STORE, "红 1.jpg", "s3://bucket/lists/红 1.jpg"),
        (STORE, "../../../a.jpg", "s3://bucket/a.jpg"),
    ],
)
def test_relative_uris_of_a_remote_manifest(resolve: UriResolver, uri: str, expected: str):
    assert resolve(uri) == expected


@pytest.mark.parametrize("resolve", [HTTP, STORE])
@pytest.mark.parametrize(
    "uri",
    ["/etc/passwd", "//etc/passwd", "~/x.jpg", "~root/x", "file:///etc/passwd", "FILE:x", "\\\\srv\\x", "C:\\x", " /x"],
)
def test_a_remote_manifest_cannot_name_local_files(resolve: UriResolver, uri: str):
    assert code(resolve(uri)) == "blocked_local_file"


@pytest.mark.parametrize("resolve", [LOCAL, HTTP])
@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("ftp://a.example/x.jpg", "unsupported_scheme"),
        ("javascript:alert(1)", "unsupported_scheme"),
        ("data:image/png;base64,AAAA", "unsupported_scheme"),
        ("hdfs://n/x", "unsupported_scheme"),
        ("http:///x.jpg", "invalid_uri"),
        ("http:x.jpg", "invalid_uri"),
        ("http://a.example:port/x", "invalid_uri"),
        ("http://a.example:99999/x", "invalid_uri"),
        ("http://[::1/x", "invalid_uri"),
        ("http://a b.example/x", "invalid_uri"),
        ("http://a.example/x\ty", "invalid_uri"),
        ("", "missing_uri"),
        (" \t", "missing_uri"),
        ("http://a.example/" + "x" * 4080, "uri_too_long"),
        ("红" * 460 + "/" + "红" * 905, "uri_too_long"),
    ],
)
def test_refused(resolve: UriResolver, uri: str, expected: str):
    assert code(resolve(uri)) == expected


@pytest.mark.parametrize("uri", ["file://server/share/a.jpg", "file:///%FF.jpg", "file://"])
def test_file_uris_that_name_nothing_here(uri: str):
    assert code(LOCAL(uri)) == "invalid_uri"


@pytest.mark.parametrize("uri", ["http://me:hush@a.example:port/x", "ftp://me:hush@a.example/x", "http://me:hush@/x"])
def test_credentials_stay_out_of_messages(uri: str):
    outcome = LOCAL(uri)
    assert isinstance(outcome, RowError)
    assert "hush" not in outcome.message


@given(st.text(max_size=40), st.sampled_from(["", "http://a.example/", "https://", "file:", "s3://b/"]))
def test_any_text_has_an_outcome_that_is_a_fixed_point(text: str, prefix: str):
    once = LOCAL(prefix + text)
    if isinstance(once, str):
        assert LOCAL(once) == once.strip()
