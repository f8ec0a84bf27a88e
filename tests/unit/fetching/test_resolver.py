"""The guard holds for the addresses that are connected to, whatever a name server says and when."""

from __future__ import annotations

import socket

import pytest

from tuku.retry import RetryPolicy


def resolver(*answers):
    """Gives one answer after the other, the last one for ever; counts how often it is asked."""

    async def resolve(host: str, port: int) -> list[str]:
        resolve.asked += 1
        answer = answers[min(resolve.asked, len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    resolve.asked = 0
    return resolve


@pytest.fixture
def port(server):
    return server.url.rpartition(":")[2]


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"])
def test_a_name_with_a_private_address_is_blocked(fetcher_of, server, port, address):
    fetcher = fetcher_of(resolver([address]), allow_private_networks=False)
    (outcome,) = fetcher.fetch([f"http://innocent.example:{port}/a.jpg"])
    assert (outcome.code, outcome.attempts) == ("blocked_address", 1)
    assert server.hits == {}


@pytest.fixture
def connections(monkeypatch):
    """The addresses that aiohttp would have connected to; none is reached."""
    tried = []

    async def connect(addr_infos, **_):
        tried.extend(address[0] for *_, address in addr_infos)
        raise OSError("not connected in a test")

    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", connect)
    return tried


def test_of_several_addresses_only_public_ones_are_tried(fetcher_of, connections):
    fetcher = fetcher_of(resolver(["127.0.0.1", "8.8.8.8", "fd00::1", "2606:4700::1111"]), allow_private_networks=False)
    (outcome,) = fetcher.fetch(["http://mixed.example/a.jpg"])
    assert outcome.code == "connection_failed"
    assert set(connections) == {"8.8.8.8", "2606:4700::1111"}


def test_rebinding_gains_nothing_because_the_checked_address_is_the_one_connected_to(fetcher_of, connections):
    """The first answer passes the guard; every later one leads here."""
    resolve = resolver(["8.8.8.8"], ["127.0.0.1"])
    fetcher = fetcher_of(resolve, allow_private_networks=False, policy=RetryPolicy(attempts=1))
    (outcome,) = fetcher.fetch(["http://rebinding.example/a.jpg"])
    assert outcome.code == "connection_failed"
    assert resolve.asked == 1
    assert set(connections) == {"8.8.8.8"}
    resolve.asked = 1
    (outcome,) = fetcher_of(resolve, allow_private_networks=False).fetch(["http://rebinding.example/a.jpg"])
    assert outcome.code == "blocked_address"
    assert set(connections) == {"8.8.8.8"}


def test_a_redirect_to_a_name_with_a_private_address_is_blocked(fetcher_of, server, port):
    async def resolve(host: str, port: int) -> list[str]:
        return {"public.example": ["127.0.0.1"], "inside.example": ["10.0.0.1"]}[host]

    fetcher = fetcher_of(resolve, allowed_hosts=("public.example",))
    (outcome,) = fetcher.fetch([f"http://public.example:{port}/-/redirect?to=http://inside.example:{port}/a.jpg"])
    assert outcome.code == "blocked_host"
    assert server.hits == {"/-/redirect": 1}


def test_a_redirect_is_held_against_the_addresses_too(fetcher_of, server, port, monkeypatch):
    public = {"127.0.0.1"}
    monkeypatch.setattr("tuku.fetching.guard.is_public", lambda address: address in public)
    fetcher = fetcher_of(resolver(["127.0.0.1"], ["10.0.0.1"]), allow_private_networks=False)
    for target in (f"http://inside.example:{port}/a.jpg", "http://10.0.0.1/a.jpg", "http://167772161/a.jpg"):
        (outcome,) = fetcher.fetch([f"http://public.example:{port}/-/redirect?to={target}"])
        assert outcome.code == "blocked_address"
    assert server.hits == {"/-/redirect": 3}


def test_a_host_that_was_named_may_be_private(fetcher_of, server, port):
    fetcher = fetcher_of(resolver(["127.0.0.1"]), allowed_hosts=(f"*.inside.example:{port}",))
    allowed, refused = fetcher.fetch([f"http://a.inside.example:{port}/a.jpg", "http://other.example/a.jpg"])
    assert allowed.content == b"first"
    assert refused.code == "blocked_host"


@pytest.mark.parametrize("answer", [socket.gaierror(socket.EAI_NONAME, "no such name"), []])
def test_a_name_without_an_address(fetcher_of, answer):
    (outcome,) = fetcher_of(resolver(answer)).fetch(["http://nowhere.example/a.jpg"])
    assert (outcome.code, outcome.retryable, outcome.attempts) == ("dns_failed", True, 3)


def test_the_systems_resolver(fetcher_of, port):
    fetcher = fetcher_of()
    (local, too_long) = fetcher.fetch([f"http://localhost:{port}/a.jpg", f"http://{'a' * 64}.example/"])
    assert local.content == b"first"
    assert too_long.code in {"dns_failed", "bad_url"}
