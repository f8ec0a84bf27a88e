from __future__ import annotations

import pytest

from tuku.errors import ConfigError
from tuku.providers.api.environment import key_from_environment, required_access, service_address


def test_a_key_is_taken_without_the_blanks_around_it() -> None:
    assert key_from_environment("A_KEY", "it", {"A_KEY": " sk-1 \n"}) == "sk-1"


@pytest.mark.parametrize("environ", [{}, {"A_KEY": ""}, {"A_KEY": "  "}])
def test_a_missing_key_is_asked_for_by_its_name(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"it needs a key, and A_KEY is not set\. export A_KEY=… Any text will do\."):
        key_from_environment("A_KEY", "it", environ, advice="Any text will do.")


@pytest.mark.parametrize("key", ["sk-1 sk-2", "sk-1\nsk-2", "sk-\u200b1", "钥匙"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigError, match="A_KEY holds characters") as caught:
        key_from_environment("A_KEY", "it", {"A_KEY": key})
    assert key not in str(caught.value)


def test_the_configured_address_comes_first() -> None:
    environ = {"URL": "http://b/v1"}
    assert service_address("x.base_url", "http://a/v1/", "URL", environ) == "http://a/v1"
    assert service_address("x.base_url", None, "URL", environ) == "http://b/v1"
    assert service_address("x.base_url", None, "URL", {}) is None


@pytest.mark.parametrize(
    "address",
    [
        "localhost:8000",
        "ftp://a",
        "http://",
        "http://[::1",
        "user:secret@host",
        "http://u:secret@host",
        "http://a:99999",
        "http://a b",
        "http://a?key=secret",
    ],
)
def test_what_is_no_address_is_refused_and_not_shown(address: str) -> None:
    with pytest.raises(ConfigError, match=r"^x\.base_url is no address") as caught:
        service_address("x.base_url", address, "URL", {})
    assert address not in str(caught.value)
    with pytest.raises(ConfigError, match=r"^URL is no address"):
        service_address("x.base_url", None, "URL", {"URL": address})


def test_access_is_required() -> None:
    with pytest.raises(ValueError, match="access"):
        required_access(None)
