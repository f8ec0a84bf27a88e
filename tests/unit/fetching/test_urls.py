from __future__ import annotations

import pytest

from tuku.errors import RowError
from tuku.fetching.urls import next_url, parse_url, redact, scheme_of


@pytest.mark.parametrize(
    ("uri", "scheme"),
    [
        ("/a/b.jpg", "file"),
        ("b.jpg", "file"),
        ("FILE:///a.jpg", "file"),
        ("file:/a.jpg", "file"),
        ("HTTPS://h/a.jpg", "https"),
        ("s3://bucket/a.jpg", "s3"),
        ("name:1.jpg", "file"),
        ("?a=http://h/", "file"),
    ],
)
def test_scheme(uri, scheme):
    assert scheme_of(uri) == scheme


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://user:secret@host:8080/a/b.jpg?token=secret#secret", "https://host:8080/a/b.jpg"),
        ("http://[broken?token=secret", "http://…"),
        ("/a/b?c.jpg", "/a/b?c.jpg"),
        ("/图片.jpg", "/图片.jpg"),
        ("/two\nlines", r"'/two\nlines'"),
    ],
)
def test_redacted_uri_is_one_line_without_secrets(uri, shown):
    assert redact(uri) == shown


@pytest.mark.parametrize(
    "uri",
    ["http:///a.jpg", "http://h:99999/", "http://h:0/", "http://a b/", "http://h\r\nX: y/", "http://[::1/", "http://"],
)
def test_unusable_urls(uri):
    with pytest.raises(RowError) as caught:
        parse_url(uri)
    assert caught.value.code == "bad_url"


def test_encoded_url_is_kept_to_the_letter_and_others_are_encoded():
    assert str(parse_url("http://h/%2F%e5?X-Credential=a%2Fb#part")) == "http://h/%2F%e5?X-Credential=a%2Fb"
    assert str(parse_url("http://h/图 片.jpg")) == "http://h/%E5%9B%BE%20%E7%89%87.jpg"
    assert str(parse_url("http://例子.测试/")) == "http://xn--fsqu00a.xn--0zwm56d/"


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("b.jpg?next=s3://x", "http://me:pw@host/a/b.jpg?next=s3://x"),
        ("http://host/c", "http://me:pw@host/c"),
        ("//other/c", "http://other/c"),
        ("https://host/c", "https://host/c"),
        ("http://host:8080/c", "http://host:8080/c"),
        ("http://you:pw@other/c", "http://other/c"),
        ("/图.jpg", "http://me:pw@host/%E5%9B%BE.jpg"),
    ],
)
def test_redirects_keep_credentials_on_the_same_server_only(location, target):
    assert str(next_url(parse_url("http://me:pw@host/a/x.jpg"), location)) == target


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("file:///etc/passwd", "blocked_scheme"),
        ("javascript:alert(1)", "blocked_scheme"),
        ("ftp://host/a", "blocked_scheme"),
        ("http://[::1", "bad_url"),
        ("http://h\udcff/", "bad_url"),
    ],
)
def test_redirects_out_of_http_are_refused(location, code):
    with pytest.raises(RowError) as caught:
        next_url(parse_url("http://host/a"), location)
    assert caught.value.code == code
