"""URIs as text: nothing secret is shown, and what is no address of a service is told from what is one."""

from __future__ import annotations

import pytest

from tuku.uris import address_fault, bare, redact


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://user:pw@host/a.png?token=x#y", "http://host/a.png"),
        ("https://b.oss.example/图.png?Signature=x", "https://b.oss.example/图.png"),
        ("s3://key:secret@bucket/a", "s3://bucket/a"),
        ("http://[::1", "http://…"),
        ("/pictures/a?b#c@d.png", "/pictures/a?b#c@d.png"),
    ],
)
def test_credentials_query_and_fragment_are_not_shown(uri: str, shown: str) -> None:
    assert bare(uri) == redact(uri) == shown


def test_a_message_stays_on_one_line() -> None:
    assert bare("/a\n.png") == "/a\n.png"
    assert redact("/a\n.png") == "'/a\\n.png'"


@pytest.mark.parametrize(
    "address",
    [
        "https://dashscope.aliyuncs.com/api/v1",
        "http://localhost:8000/v1/",
        "http://[::1]:8000",
        "http://10.0.0.1",
        "http://vllm_1.svc",
        "https://服务.example/v1",
    ],
)
def test_an_address(address: str) -> None:
    assert address_fault(address) is None


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("localhost:8000", "begin with http"),
        ("ftp://host", "begin with http"),
        ("http://", "host or port"),
        ("http://[::1", "host or port"),
        ("http://host:99999", "host or port"),
        ("http://host:0", "host or port"),
        ("http://host:abc", "host or port"),
        ("http://{host}/v1", "host or port"),
        ("http://a b/v1", "blanks"),
        ("http://host/v1\n", "blanks"),
        ("http://user:pw@host/v1", "user or a password"),
        ("http://@host/v1", "user or a password"),
        ("http://host/v1?key=pw", "query"),
        ("http://host/v1#", "query"),
    ],
)
def test_what_is_no_address(address: str, fault: str) -> None:
    said = address_fault(address)
    assert said is not None
    assert fault in said
    assert "pw" not in said
