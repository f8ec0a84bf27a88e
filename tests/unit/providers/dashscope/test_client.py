from __future__ import annotations

import asyncio
import logging
import threading
import traceback

import pytest
from aiohttp import web

from fakes.colours import plain_picture
from tuku.errors import RowError, StoppedError
from tuku.providers.api.loop import service_loop, wait_all
from tuku.providers.api.verdicts import Throttled, Unavailable
from tuku.providers.dashscope.client import DashScopeClient
from unit.providers.dashscope.conftest import KEY

MESSAGES = [{"role": "user", "content": [{"image": "data:image/jpeg;base64,AAAA"}, {"text": "What is it?"}]}]


class Endpoint:
    """A server on the services' own loop that gives the same answer to everything, and keeps what it was sent."""

    def __init__(self, status=200, body=b"{}", headers=None, content_type="application/json"):
        self.answer = {"status": status, "body": body, "headers": headers, "content_type": content_type}
        self.requests = []

    async def _handle(self, request):
        self.requests.append((request.path, dict(request.headers), await request.json()))
        return web.Response(**self.answer)

    async def start(self):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}/api/v1"


def generate(endpoint, **parameters):
    url = service_loop().run(endpoint.start())
    try:
        client = DashScopeClient("qwen3-vl-flash", KEY, url, timeout_s=2.0)
        return service_loop().run(client.generate(MESSAGES, parameters))
    finally:
        service_loop().run(endpoint.runner.cleanup())


def test_what_is_sent(monkeypatch, tmp_path):
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login other password key\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    endpoint = Endpoint()
    generate(endpoint, temperature=0.5, enable_thinking=False)
    ((path, headers, body),) = endpoint.requests
    assert path == "/api/v1/services/aigc/multimodal-generation/generation"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert body["parameters"] == {"temperature": 0.5, "enable_thinking": False}
    assert body["input"]["messages"] == MESSAGES


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (200, b"{}", RowError, "bad_answer"),
        (200, b"[]", RowError, "bad_answer"),
        (200, b'{"output": null}', RowError, "bad_answer"),
        (200, b'{"output": {"choices": ["?"]}}', RowError, "bad_answer"),
        (200, b'{"output": ', RowError, "bad_answer"),
        (200, b'{"code": "DataInspectionFailed", "message": "no", "request_id": "r"}', RowError, "content_refused"),
        (200, b'{"code": "Throttling.BurstRate", "message": "slow", "output": {}}', Throttled, "throttled"),
        (429, b'{"code": "Throttling", "message": "slow"}', Throttled, "throttled"),
        (500, b'{"message": "?"}', Unavailable, "server_error"),
        (502, b"", RowError, "bad_answer"),  # no JSON where JSON was announced
        (504, b'{"code": "?"}', Unavailable, "service_unavailable"),
    ],
)
def test_every_answer_has_its_verdict(status, body, kind, code):
    reply = generate(Endpoint(status, body))
    assert type(reply) is kind
    assert reply.code == code


def test_a_fatal_code_inside_an_answer_is_fatal():
    reply = generate(Endpoint(200, b'{"code": "Arrearage", "message": "pay"}'))
    assert isinstance(reply, StoppedError)


def test_a_page_in_place_of_an_answer():
    assert generate(Endpoint(200, b"<html>", content_type="text/html")).code == "bad_answer"
    assert generate(Endpoint(503, b"<html>", content_type="text/html")).code == "service_unavailable"


def test_retry_after_is_passed_on():
    reply = generate(Endpoint(429, b'{"code": "Throttling.RateQuota"}', headers={"retry-after": "7"}))
    assert (reply.kind, reply.retry_after_s) == ("requests", 7.0)


def test_no_connection_is_tried_once_and_is_the_services_affair():
    client = DashScopeClient("qwen3-vl-flash", KEY, "http://127.0.0.1:9/api/v1", timeout_s=2.0)
    reply = service_loop().run(client.generate(MESSAGES, {}))
    assert (type(reply), reply.code) == (Unavailable, "connection_failed")


def test_contents_are_not_changed():
    client = DashScopeClient("some-model", KEY, "http://127.0.0.1:9/api/v1", timeout_s=2.0)
    contents = [{"text": "a"}]
    service_loop().run(client.embed(contents, {}))
    assert contents == [{"text": "a"}]


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_the_key_is_shown_nowhere(status, caplog):
    caplog.set_level(logging.DEBUG)
    body = f'{{"code": "?", "message": "Incorrect API key {KEY}"}}'.encode()
    endpoint = Endpoint(status, body)
    reply = generate(endpoint)
    client = DashScopeClient("m", KEY, None, 1.0)
    shown = [repr(reply), str(reply), "".join(traceback.format_exception(reply)), repr(client), str(client)]
    assert endpoint.requests
    assert KEY not in "\n".join([*shown, caplog.text])


def test_a_call_that_is_interrupted_is_called_off(captioner_of, server, monkeypatch):
    server.configure(latency={"median_s": 1.0})
    monkeypatch.setattr("tuku.providers.api.asking.wait_all", _interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            captioner_of().caption([plain_picture(1)])
    finally:
        server.configure(latency={"median_s": 0.0})
    idle = threading.Event()
    service_loop().submit(_when_idle(idle))
    assert idle.wait(0.8)  # the request would have taken longer


def _interrupted(futures):
    class Interrupted:
        def result(self, timeout=None):
            raise KeyboardInterrupt

        def cancel(self):
            return [future.cancel() for future in futures]

    return wait_all([Interrupted()])


async def _when_idle(idle):
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)
    idle.set()
