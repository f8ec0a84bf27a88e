from __future__ import annotations

import pytest

from tuku.errors import ConfigError
from tuku.providers.api.proxy import proxy_for

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def company(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.company.test:3128")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost,.company.test")


@pytest.mark.parametrize(
    ("address", "proxy"),
    [
        ("https://dashscope.aliyuncs.com/api/v1", "http://proxy.company.test:3128"),
        ("http://dashscope.aliyuncs.com/api/v1", None),
        ("https://127.0.0.1:8099/api/v1", None),
        ("https://vllm.company.test/v1", None),
        ("", None),
    ],
)
def test_the_environment_decides_by_scheme_and_host(address: str, proxy: str | None) -> None:
    assert proxy_for(address) == proxy


@pytest.mark.parametrize(
    ("named", "proxy"),
    [
        ("proxy:3128", "http://proxy:3128"),
        ("http://user:pw@proxy:3128", "http://user:pw@proxy:3128"),
        ("https://proxy", "https://proxy"),
    ],
)
def test_a_proxy_may_be_named_without_a_scheme(monkeypatch: pytest.MonkeyPatch, named: str, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", named)
    assert proxy_for("https://dashscope.aliyuncs.com/api/v1") == proxy


@pytest.mark.parametrize(
    ("variable", "named", "said"),
    [
        ("HTTPS_PROXY", "not a proxy", "HTTPS_PROXY is not the address of a proxy"),
        ("https_proxy", "http://", "https_proxy is not the address of a proxy"),
        ("HTTPS_PROXY", "http://user:pw@proxy:99999", "HTTPS_PROXY is not the address of a proxy"),
        ("HTTPS_PROXY", "ftp://proxy", "HTTPS_PROXY is not the address of a proxy"),
        ("HTTPS_PROXY", "socks5://user:pw@proxy:1080", "HTTPS_PROXY names a SOCKS proxy"),
        ("https_proxy", "socks5h://proxy", "https_proxy names a SOCKS proxy"),
    ],
)
def test_what_is_no_proxy_is_refused_by_its_variable_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, named: str, said: str
) -> None:
    monkeypatch.delenv("HTTPS_PROXY")
    monkeypatch.setenv(variable, named)
    with pytest.raises(ConfigError) as caught:
        proxy_for("https://dashscope.aliyuncs.com/api/v1")
    assert caught.value.message.startswith(said)
    assert "pw" not in str(caught.value)
    assert proxy_for("https://127.0.0.1:1/v1") is None  # nobody asks it


def test_without_a_proxy_requests_go_straight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HTTPS_PROXY")
    assert proxy_for("https://dashscope.aliyuncs.com/api/v1") is None
