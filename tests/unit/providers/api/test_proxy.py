from __future__ import annotations

import pytest

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


def test_without_a_proxy_requests_go_straight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HTTPS_PROXY")
    assert proxy_for("https://dashscope.aliyuncs.com/api/v1") is None
