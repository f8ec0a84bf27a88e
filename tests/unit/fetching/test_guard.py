from __future__ import annotations

import pytest

from tuku.config import FetchConfig
from tuku.errors import ConfigError, RowError
from tuku.fetching.guard import Guard, address_in, is_public
from tuku.fetching.urls import parse_url


def code_of(url: str, **config) -> str | None:
    try:
        Guard.of(FetchConfig(**config)).check_url(parse_url(url))
    except RowError as error:
        return error.code
    return None


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "169.254.169.254", "168.63.129.16",
        "172.16.0.1", "192.0.0.192", "192.168.1.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "3fff::1",
        "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "5f00::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "100.63.255.255",
        "172.32.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::",
    ],
)
def test_public_addresses(address):
    assert is_public(address)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("::ffff:7f00:1", "::ffff:127.0.0.1"),
        ("example.com", None),
        ("1.example", None),
    ],
)
def test_address_in_a_host(host, address):
    found = address_in(host)
    assert found == address or (address and ":" in address and not is_public(found))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "017700000001", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254",
     "127.0.0.1.", "１２７.0.0.1", "[fe80::1%25eth0]", "10.0.0.1:8080", "user:pw@127.0.0.1"],
)  # fmt: skip
def test_every_spelling_of_a_private_address_is_blocked(host):
    assert code_of(f"http://{host}/a.jpg") == "blocked_address"
    assert code_of(f"http://{host}/a.jpg", allow_private_networks=True) in {None, "bad_url"}


def test_public_address_in_an_odd_form_is_a_bad_url():
    assert code_of("http://134744072/") == "bad_url"
    assert code_of("http://8.8.8.8/") is None
    assert code_of("http://8.8.8.8./") == "bad_url"


def test_schemes():
    assert code_of("http://example.com/", schemes=("https",)) == "blocked_scheme"
    assert code_of("https://example.com/", schemes=("https",)) is None


@pytest.mark.parametrize(
    ("url", "entry", "code"),
    [
        ("http://example.com/", "example.com", None),
        ("http://EXAMPLE.com./", "Example.COM", None),
        ("http://example.com/", "*.example.com", "blocked_host"),
        ("http://a.example.com/", "*.example.com", None),
        ("http://a.b.example.com/", "*.example.com", None),
        ("http://notexample.com/", "*.example.com", "blocked_host"),
        ("http://example.com.evil.org/", "example.com", "blocked_host"),
        ("http://example.com:8080/", "example.com", None),
        ("http://example.com:8080/", "example.com:8080", None),
        ("http://example.com/", "example.com:8080", "blocked_host"),
        ("https://example.com/", "example.com:443", None),
        ("http://10.0.0.1/", "10.0.0.1", None),
        ("http://10.0.0.2/", "10.0.0.1", "blocked_host"),
        ("http://[fd00::1]:81/", "[fd00::1]:81", None),
        ("http://[fd00::1]/", "fd00:0::1", None),
        ("http://例子.测试/", "例子.测试", None),
        ("http://example.com@evil.org/", "example.com", "blocked_host"),
    ],
)
def test_allowed_hosts(url, entry, code):
    assert code_of(url, allowed_hosts=(entry,)) == code


@pytest.mark.parametrize("entry", ["http://example.com", "example.com/path", "a b", "example.com:x", "a..b", "[::1"])
def test_a_wrong_entry_is_found_before_work_starts(entry):
    with pytest.raises(ConfigError, match="allowed_hosts"):
        Guard.of(FetchConfig(allowed_hosts=(entry,)))


def test_hosts_that_are_named_may_be_private():
    assert Guard.of(FetchConfig(allowed_hosts=("intranet",))).may_connect("10.0.0.1")
    assert not Guard.of(FetchConfig()).may_connect("10.0.0.1")
