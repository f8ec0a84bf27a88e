"""Downloads from a server on this machine that behaves as badly as it can."""

from __future__ import annotations

import time

import pytest

from fakes.image_server import GZIP_BOMB_BYTES
from tuku.errors import RowError
from tuku.fetching import Fetched
from tuku.fetching.protocol import NotModified, Validators
from tuku.retry import RetryPolicy

ONCE = RetryPolicy(attempts=1)


def one(fetcher, url) -> Fetched | RowError:
    (outcome,) = fetcher.fetch([url])
    return outcome


def test_a_file_with_its_etag(fetcher_of, server):
    assert one(fetcher_of(), f"{server.url}/a.jpg") == Fetched(b"first", '"a.jpg"', None)
    assert server.requests[0]["Accept-Encoding"] == "identity"
    assert server.requests[0]["User-Agent"].startswith("tuku/")


def conditions(server) -> list[tuple[str | None, str | None]]:
    """With what each request asked for news only."""
    return [(each.get("If-None-Match"), each.get("If-Modified-Since")) for each in server.requests]


def changed(fetcher, url, *known) -> Fetched | NotModified | RowError:
    (outcome,) = fetcher.fetch_changed([url], {url: Validators(*known)})
    return outcome


ETAG, DATE = '"1"', "Mon, 02 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize("known", [(ETAG, None), (None, DATE), (ETAG, DATE)])
def test_a_file_that_has_not_changed_is_not_sent(fetcher_of, server, known):
    said = [f"{name}={value}" for name, value in zip(("ETag", "Last-Modified"), known, strict=True) if value]
    url = f"{server.url}/-/version/a.jpg?{'&'.join(said)}"
    assert one(fetcher_of(), url) == Fetched(b"first", *known)
    assert changed(fetcher_of(), url, *known) == NotModified()
    assert conditions(server) == [(None, None), known]


@pytest.mark.parametrize("known", [('"0"', None), ('W/"0"', DATE)])
def test_a_file_that_has_changed_is_sent_with_what_tells_it_now(fetcher_of, server, known):
    outcome = changed(fetcher_of(), f"{server.url}/-/version/a.jpg?ETag={ETAG}", *known)
    assert outcome == Fetched(b"first", ETAG, None)
    assert conditions(server) == [known]


def test_only_what_is_known_is_asked_about(fetcher_of, server):
    urls = [f"{server.url}/-/version/a.jpg?ETag={ETAG}&{i}" for i in range(3)]
    outcomes = fetcher_of().fetch_changed([*urls, urls[1]], {urls[1]: Validators(ETAG)})
    fetched = Fetched(b"first", ETAG, None)
    assert outcomes == [fetched, NotModified(), fetched, NotModified()]
    assert len(server.requests) == 3


def test_not_modified_without_having_been_asked_is_a_fault(fetcher_of, server):
    outcome = one(fetcher_of(), f"{server.url}/-/status/304")
    assert (outcome.code, outcome.retryable) == ("http_304", False)
    assert changed(fetcher_of(), f"{server.url}/-/status/304").code == "http_304"
    assert changed(fetcher_of(), f"{server.url}/-/status/304", ETAG) == NotModified()


def test_the_end_of_a_redirect_is_told_by_its_etag_and_not_by_its_date(fetcher_of, server):
    target = f"/-/version/a.jpg%3FETag={ETAG}%26Last-Modified={DATE}"
    url = f"{server.url}/-/redirect?to={target}"
    assert one(fetcher_of(), url) == Fetched(b"first", ETAG, DATE)
    server.requests.clear()
    assert changed(fetcher_of(), url, ETAG, DATE) == NotModified()
    assert conditions(server) == [(ETAG, DATE), (ETAG, None)]
    assert changed(fetcher_of(), url, None, DATE).content == b"first"


def test_a_redirect_to_what_was_not_asked_about_is_followed_without_conditions(fetcher_of, server):
    url = f"{server.url}/-/redirect?to=/-/status/304"
    assert changed(fetcher_of(), url, None, DATE).code == "http_304"
    assert conditions(server)[-1] == (None, None)


def test_a_fault_is_a_fault_whatever_was_asked(fetcher_of, server):
    assert changed(fetcher_of(), f"{server.url}/none.jpg", ETAG).code == "http_404"
    assert changed(fetcher_of(), f"{server.url}/-/flaky/2/a.jpg", '"0"').content == b"first"
    assert conditions(server)[-3:] == [('"0"', None)] * 3


def test_what_cannot_be_sent_back_is_not_asked_with(fetcher_of, server):
    for etag in ('"\udcff"', '"图"'):
        assert changed(fetcher_of(), f"{server.url}/a.jpg", etag).content == b"first"
    assert conditions(server) == [(None, None)] * 2


@pytest.mark.parametrize("name", ["图 片.jpg", "%E5%9B%BE%20%E7%89%87.jpg"])
def test_chinese_file_names(fetcher_of, server, name):
    assert one(fetcher_of(), f"{server.url}/{name}").content == "图".encode()


@pytest.mark.parametrize(
    ("path", "code", "retryable"),
    [
        ("/none.jpg", "http_404", False),
        ("/-/status/204", "http_204", False),
        ("/-/status/302", "http_302", False),
        ("/-/status/403", "http_403", False),
        ("/-/status/408", "http_408", True),
        ("/-/status/425", "http_425", True),
        ("/-/status/429", "http_429", True),
        ("/-/status/500", "http_500", True),
        ("/-/status/799", "http_799", True),
        ("/-/empty", "empty", False),
        ("/-/short", "incomplete_download", True),
        ("/-/gzip-cut", "incomplete_download", True),
        ("/-/hang-up", "connection_failed", True),
        ("/-/huge", "too_large", False),
        ("/-/endless", "too_large", False),
        ("/-/gzip-bomb", "too_large", False),
        ("/-/encoding/br", "unsupported_encoding", False),
        ("/-/encoding/gzip", "unsupported_encoding", False),
        ("/-/loop", "too_many_redirects", False),
        ("/-/redirect?to=file:///etc/passwd", "blocked_scheme", False),
        ("/-/redirect?to=s3://bucket/a.jpg", "blocked_scheme", False),
        ("/-/redirect?to=http://[", "bad_url", False),
    ],
)
def test_every_fault_has_its_code(fetcher_of, server, path, code, retryable):
    outcome = one(fetcher_of(max_bytes=1_000_000), f"{server.url}{path}")
    assert isinstance(outcome, RowError)
    assert (outcome.code, outcome.retryable) == (code, retryable)
    assert outcome.attempts == (3 if retryable else 1)
    assert outcome.__traceback__ is None


def test_the_gzip_bomb_is_small_as_sent_and_large_unpacked(fetcher_of, server):
    assert len(one(fetcher_of(max_bytes=GZIP_BOMB_BYTES), f"{server.url}/-/gzip-bomb").content) == GZIP_BOMB_BYTES


def test_content_that_is_compressed_unasked_is_unpacked(fetcher_of, server):
    assert one(fetcher_of(), f"{server.url}/-/gzip/hello").content == b"hello"


@pytest.mark.parametrize("path", ["/-/drip", "/-/silent", "/-/redirect?to=/-/drip"])
def test_a_slow_server_cannot_outlast_the_limit(fetcher_of, server, path):
    started = time.perf_counter()
    outcome = one(fetcher_of(timeout_s=0.3, policy=ONCE), f"{server.url}{path}")
    assert (outcome.code, outcome.retryable) == ("timeout", True)
    assert 0.2 < time.perf_counter() - started < 2


def test_waiting_for_a_turn_does_not_count_as_the_servers_time(fetcher_of, server):
    fetcher = fetcher_of(timeout_s=0.4, concurrency=1, policy=ONCE)
    slow = [f"{server.url}/-/drip?{i}" for i in range(3)]
    outcomes = fetcher.fetch([*slow, f"{server.url}/a.jpg"])
    assert [outcome.code for outcome in outcomes[:3]] == ["timeout"] * 3
    assert outcomes[3].content == b"first"


def test_a_transient_failure_is_tried_again(fetcher_of, server):
    assert one(fetcher_of(), f"{server.url}/-/flaky/2/a.jpg").content == b"first"
    assert server.hits["/-/flaky/2/a.jpg"] == 3


def test_redirects_are_followed_up_to_the_limit(fetcher_of, server):
    url = f"{server.url}/-/redirect?to=/-/redirect?to=/a.jpg"
    assert one(fetcher_of(max_redirects=2), url).content == b"first"
    assert one(fetcher_of(max_redirects=1), url).code == "too_many_redirects"
    assert one(fetcher_of(max_redirects=0), f"{server.url}/-/redirect?to=/a.jpg").code == "too_many_redirects"


def test_a_redirect_to_a_private_address_is_blocked(fetcher_of, server):
    port = server.url.rpartition(":")[2]
    allowed = fetcher_of(allowed_hosts=("127.0.0.1",))
    assert one(allowed, f"{server.url}/a.jpg").content == b"first"
    for target in (f"http://localhost:{port}/a.jpg", "http://169.254.169.254/latest/meta-data", "http://[::1]/"):
        assert one(allowed, f"{server.url}/-/redirect?to={target}").code == "blocked_host"
    assert server.hits["/a.jpg"] == 1


def test_credentials_go_to_their_server_only_and_are_not_shown(fetcher_of, server):
    port = server.url.rpartition(":")[2]
    fetcher = fetcher_of(policy=ONCE)
    signed = f"http://me:hush@127.0.0.1:{port}"
    assert one(fetcher, f"{signed}/-/echo/Authorization").content.startswith(b"Basic ")
    assert one(fetcher, f"{signed}/-/redirect?to=/-/echo/Authorization").content.startswith(b"Basic ")
    other = f"http://localhost:{port}/-/echo/Authorization"
    assert one(fetcher, f"{signed}/-/redirect?to={other}").content == b"none"
    for path in ("/none.jpg?token=hush", "/-/hang-up?token=hush", "/-/loop?token=hush", "/-/huge?token=hush"):
        assert "hush" not in str(one(fetcher, f"{signed}{path}"))


def test_no_cookie_is_sent_back(fetcher_of, server):
    fetcher = fetcher_of()
    one(fetcher, f"{server.url}/-/status/404?Set-Cookie=a=b")
    assert one(fetcher, f"{server.url}/-/echo/Cookie").content == b"none"


def test_proxies_of_the_environment_are_not_used(fetcher_of, server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert one(fetcher_of(), f"{server.url}/a.jpg").content == b"first"


def test_tls_where_there_is_none(fetcher_of, server):
    outcome = one(fetcher_of(), server.url.replace("http:", "https:"))
    assert (outcome.code, outcome.retryable) == ("tls_failed", False)


def test_nobody_listens(fetcher_of):
    outcome = one(fetcher_of(), "http://127.0.0.1:1/a.jpg")
    assert (outcome.code, outcome.retryable, outcome.attempts) == ("connection_failed", True, 3)
