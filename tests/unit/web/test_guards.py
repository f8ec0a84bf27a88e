"""Who may ask: by which name, from which page, with which token."""

from __future__ import annotations

import re

import pytest
from starlette.datastructures import Headers

from tuku.config import Config, ServeConfig
from tuku.config_load import load_config
from tuku.errors import ConfigError
from tuku.web.guards import is_loopback
from tuku.web.server import require_closed
from tuku.web.token import SESSION_S, Token
from unit.web.conftest import BASE, serving

TOKEN = "correct horse battery staple"
SEARCH = "/api/v1/search?text=red"


def test_every_answer_has_the_headers(client):
    for path in ("/", SEARCH, "/api", "/static/app.js", "/no/such", "/healthz", "/api/v1/images/red/thumbnail"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "data:" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


def test_the_page_needs_nothing_from_elsewhere_and_nothing_inline(client):
    page = client.get("/").text
    assert not re.search(r"(?:src|href)=\"(?!/)", page)
    assert not re.search(r"<script(?![^>]*src)|<style|\son\w+=|\sstyle=", page)
    for name in re.findall(r"\"(/static/[^\"]+)\"", page):
        assert client.get(name).status_code == 200
    scripts = [
        client.get(f"/static/{name}.js")
        for name in ("app", "outcome", "grid", "details", "filters", "api", "dom", "exact", "where")
    ]
    for script in scripts:
        assert script.headers["content-type"].startswith("text/javascript")
        assert "innerHTML" not in script.text
        for name in re.findall(r"from \"\./([^\"]+)\"", script.text):
            assert client.get(f"/static/{name}").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e%2fapp.py",
        "/static/..%2f..%2fconfig.py",
        "/static/%00",
        "/static/",
        "/static/__init__.py",
    ],
)
def test_only_the_pages_own_files_are_served(client, path):
    assert client.get(path).status_code == 404


def test_the_page_is_asked_for_again_only_when_it_has_changed(client):
    first = client.get("/static/app.css")
    again = client.get("/static/app.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("host", ["127.0.0.1:8600", "localhost", "LOCALHOST:1", "[::1]:8600"])
def test_this_machines_names_are_fine(client, host):
    assert client.get(SEARCH, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "[::2]"])
def test_a_name_that_was_made_to_lead_here_is_refused(client, host):
    answer = client.get(SEARCH, headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "unknown_host")
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_a_proxys_name_can_be_allowed():
    with serving(allowed_hosts=("search.example.com",)) as client:
        assert client.get(SEARCH, headers={"Host": "search.example.com"}).status_code == 200
        assert client.get(SEARCH, headers={"Host": "evil.example"}).status_code == 421
    with serving(host="0.0.0.0") as client:
        assert client.get(SEARCH, headers={"Host": "10.1.2.3:8600"}).status_code == 200
        assert client.get(SEARCH, headers={"Host": "[fd00::1]:8600"}).status_code == 200
        assert client.get(SEARCH, headers={"Host": "rebound.example"}).status_code == 421
    with serving(host="0.0.0.0", token=TOKEN) as client:
        assert client.get(SEARCH, headers={"Host": "search.internal"}).status_code == 401
        assert client.get(SEARCH, headers={"Host": ""}).status_code == 421


@pytest.mark.parametrize(
    ("headers", "fine"),
    [
        ({}, True),
        ({"Origin": BASE}, True),
        ({"Origin": BASE, "Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "http://127.0.0.1:9999"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://["}, False),
        ({"Origin": "127.0.0.1:8600"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/search", "/api/v1/feedback", "/login"])
def test_another_sites_page_cannot_post(client, path, headers, fine):
    answer = client.post(path, json={"text": "red"}, headers=headers)
    assert (answer.status_code == 403) is not fine


def test_another_sites_page_cannot_make_it_ask_a_model(client):
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    assert client.get(SEARCH, headers=link).status_code == 403
    assert client.get("/api/v1/images/red/thumbnail", headers=link).status_code == 403
    assert (
        client.get("/?q=red", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status_code == 200
    )


class TestToken:
    def test_without_it_nothing_of_the_catalogue_is_seen(self):
        with serving(token=TOKEN) as client:
            for path in (SEARCH, "/api/v1/fields", "/api/v1/images", "/api/v1/images/red", "/metrics", "/api", "/"):
                answer = client.get(path)
                assert answer.status_code == 401, path
                assert answer.headers["www-authenticate"] == "Bearer"
            assert client.get("/api/v1/images/red/thumbnail").status_code == 401
            assert client.post("/api/v1/search", json={"text": "red"}).status_code == 401
            assert client.post("/api/v1/feedback", json={}).status_code == 401
            assert client.get("/healthz").status_code == 200

    @pytest.mark.parametrize("given", ["", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "\u00e9" * 20])
    def test_a_wrong_one_is_refused(self, given):
        with serving(token=TOKEN) as client:
            header = {"Authorization": f"Bearer {given}".encode()}
            answer = client.get(SEARCH, headers=header)
            assert (answer.status_code, answer.json()["code"]) == (401, "no_token")
            assert TOKEN not in answer.text

    def test_programs_send_it_as_a_bearer(self):
        with serving(token=TOKEN) as client:
            assert client.get(SEARCH, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200

    def test_people_get_a_cookie_for_it(self):
        with serving(token=TOKEN) as client:
            form = client.get("/?q=a+b", headers={"Accept": "text/html"})
            assert form.status_code == 401
            assert 'name="next" value="/?q=a+b"' in form.text
            wrong = client.post("/login", data={"token": "x", "next": "/"}, headers={"Origin": BASE})
            assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
            right = client.post("/login", data={"token": TOKEN, "next": "/?q=a+b"}, follow_redirects=False)
            assert (right.status_code, right.headers["location"]) == (303, "/?q=a+b")
            cookie = right.headers["set-cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=strict" in cookie
            assert TOKEN not in cookie
            assert client.get(SEARCH).status_code == 200
            assert client.get("/session").json() == {"signed_in": True}

    @pytest.mark.parametrize(
        "after", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nb"]
    )
    def test_the_form_leads_nowhere_else(self, after):
        with serving(token=TOKEN) as client:
            answer = client.post("/login", data={"token": TOKEN, "next": after}, follow_redirects=False)
            assert answer.headers["location"] == "/"

    def test_what_was_typed_into_the_address_is_no_html(self):
        with serving(token=TOKEN) as client:
            form = client.get('/?q="><script>alert(1)</script>', headers={"Accept": "text/html"})
            assert "<script>alert" not in form.text

    @pytest.mark.parametrize("other", ['theme={"a":1}', "a[b]=1", "path=/", "flag", 'a="x', "\u00e9=\u00e9", "a=b c"])
    def test_cookies_of_others_on_this_host_keep_nobody_out(self, other):
        token = Token(TOKEN)
        cookies = f"{other}; tuku_session={token.session()}; {other}"
        assert token.lets_in(Headers(raw=[(b"cookie", cookies.encode("latin-1"))]))

    def test_a_token_in_any_script_is_known_as_a_bearer(self):
        secret = "\u4ee4\u724c" * 8
        assert Token(secret).lets_in(Headers(raw=[(b"authorization", f"Bearer {secret}".encode())]))
        assert not Token(secret).lets_in(Headers(raw=[(b"authorization", f"Bearer {secret}x".encode())]))

    def test_a_session_ends_and_cannot_be_made_up(self):
        now = [1_000_000.0]
        token = Token(TOKEN, lambda: now[0])
        session = token.session()
        assert token.knows(session)
        until, signature = session.split(".")
        for made_up in (
            "",
            ".",
            until,
            f"{int(until) + 1}.{signature}",
            f"{until}.{signature[:-1]}0x",
            f"9{until}.{signature}",
            "é.é",
        ):
            assert not token.knows(made_up)
        assert not Token(TOKEN + "x", lambda: now[0]).knows(session)
        now[0] += SESSION_S + 1
        assert not token.knows(session)

    def test_it_comes_from_the_environment_and_is_shown_nowhere(self):
        config = load_config(None, [], {"TUKU_SERVE_TOKEN": TOKEN})
        assert config.serve.token is not None
        assert TOKEN not in repr(config)
        assert TOKEN not in config.model_dump_json()
        with pytest.raises(ConfigError) as short:
            load_config(None, [], {"TUKU_SERVE_TOKEN": "short-s3cret"})
        assert "16" in str(short.value)
        assert "short-s3cret" not in str(short.value)
        with pytest.raises(ConfigError, match="only in the environment"):
            load_config(None, [f"serve.token={TOKEN}"], {})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "myhost"])
def test_a_catalogue_is_not_opened_to_a_network_unmeant(host):
    with pytest.raises(ConfigError, match="TUKU_SERVE_TOKEN"):
        require_closed(Config(serve=ServeConfig(host=host)))
    require_closed(Config(serve=ServeConfig(host=host, open=True)))
    require_closed(Config(serve=ServeConfig(host=host, token=TOKEN)))


def test_what_is_loopback():
    assert all(map(is_loopback, ["127.0.0.1", "127.8.8.8", "::1", "localhost"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "", "localhost.evil", "10.0.0.1"]))


def test_nobody_is_led_to_a_host_that_a_client_names():
    with serving(host="0.0.0.0", token=TOKEN) as client:
        for path in ("/healthz/", "/login/", "/static/"):
            answer = client.get(path, headers={"Host": "evil.example"}, follow_redirects=False)
            assert (answer.status_code, "location" in answer.headers) == (404, False)
