"""Milvus on this machine is reached whatever proxy the environment names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pymilvus.exceptions import MilvusException

from tuku.config import Config, LoadConfig, MilvusConfig
from tuku.errors import ConfigError, MilvusError, StorageError
from tuku.milvus import connect, target
from tuku.milvus.address import is_this_machine, require_address
from tuku.milvus.capabilities import embedded
from tuku.milvus.connect import connected


@pytest.mark.parametrize(
    ("uri", "here"),
    [
        ("demo/milvus.db", True),
        ("http://localhost:19530", True),
        ("http://127.0.0.1:19530", True),
        ("https://user:pw@[::1]:19530/db", True),
        ("http://milvus:19530", False),
        ("http://10.0.0.7:19530", False),
        ("http://[::1", False),
    ],
)
def test_what_is_on_this_machine(uri: str, here: bool) -> None:
    assert is_this_machine(uri) is here


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("proxied")
def test_embedded_milvus_is_not_asked_through_a_proxy(tmp_path: Path) -> None:
    with connected(MilvusConfig(uri=str(tmp_path / "milvus.db"))) as client:
        assert client.list_collections() == []


@pytest.mark.usefixtures("proxied")
def test_a_first_run_learns_before_it_pays_that_embedded_milvus_cannot_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(milvus=MilvusConfig(uri=str(tmp_path / "new" / "milvus.db")))
    target.check_target(config, embed_model="a/b@c", dim=2)
    monkeypatch.setattr(connect, "_NO_PROXY", {})
    with pytest.raises(MilvusError, match="cannot be opened"):
        target.check_target(config, embed_model="a/b@c", dim=2)
    assert list(tmp_path.iterdir()) == []


def test_a_first_run_learns_that_the_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = Config(milvus=MilvusConfig(uri=str(tmp_path / "file" / "milvus.db")))
    with pytest.raises(StorageError, match="not a folder that you may write to"):
        target.check_target(config, embed_model="a/b@c", dim=2)


def test_a_first_run_learns_that_no_files_can_be_staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    milvus = MilvusConfig(uri=str(tmp_path / "milvus.db"))
    with connected(milvus):
        pass
    able = replace(embedded(), imports="grpc")  # as a server's would be
    monkeypatch.setattr(target, "ask", lambda client, config: able)
    (tmp_path / "file").write_text("")
    wrong, right = (
        Config(milvus=milvus, load=LoadConfig(staging_uri=str(tmp_path / name))) for name in ("file", "staged")
    )
    with pytest.raises(StorageError, match="Files for Milvus cannot be staged"):
        target.check_target(wrong, embed_model="a/b@c", dim=2)
    target.check_target(right, embed_model="a/b@c", dim=2)
    assert [path for path in (tmp_path / "staged").rglob("*") if path.is_file()] == []


def pem(folder: Path, *names: str) -> dict[str, str]:
    """Files of a connection, by the key of `milvus.tls`."""
    for name in names:
        (folder / name).write_text("pem")
    return {name: str(folder / name) for name in names}


def options(uri: str = "https://milvus:19530", **tls: str) -> dict:
    found = connect._options(MilvusConfig.model_validate({"uri": uri, "tls": tls}))
    assert list(found.pop("grpc_options")) == ["grpc.service_config"]  # the deadline; any proxy may lead there
    return found


def test_a_server_that_proves_itself_alone(tmp_path: Path) -> None:
    files = pem(tmp_path, "ca_file")
    assert options(**files) == {"server_pem_path": files["ca_file"]}
    assert options(**files, server_name="other")["server_name"] == "other"
    assert options() == {}


def test_both_sides_prove_themselves(tmp_path: Path) -> None:
    files = pem(tmp_path, "ca_file", "cert_file", "key_file")
    assert options(**files) == {
        "ca_pem_path": files["ca_file"],
        "client_pem_path": files["cert_file"],
        "client_key_path": files["key_file"],
    }


@pytest.mark.parametrize("missing", ["ca_file", "cert_file", "key_file"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, missing: str) -> None:
    files = pem(tmp_path, "ca_file", "cert_file", "key_file")
    (tmp_path / missing).unlink()
    with pytest.raises(ConfigError, match=rf"milvus\.tls names .*{missing}"):
        options(**files)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("http://root:secret@h:99999999", r"'http://h:99999999' is no address"),
        ("http://root:se#cret@h:1", r"is no address"),
        ("http://root:12/secret@h:1", r"'http://h:1' is no address"),
        ("grpc://root:secret@h:19530", r"'grpc://h:19530' is no address of a Milvus server: .* http, https, tcp, unix"),
        ("root:secret://@h:19530", r"'h:19530' is no address"),
        ("http://root:secret@h/x.db", r"'http://h/x\.db' is the address of a server and ends in \.db"),
        ("unix:/run/secret@x.db", r"'.*x\.db' is the address of a server"),
        ("unix://root:secret@/run/x.sock", r"'unix:///run/x\.sock' is no address of a socket"),
        ("unix://root:secret@host/run/x.sock", r"'unix://host/run/x\.sock' is no address of a socket"),
        ("unix:root:secret@/run/x.sock", r"'/run/x\.sock' is no address of a socket"),
        ("root:secret@h:19530", r"milvus\.uri is 'h:19530', a path"),
        ("~nobody-of-that-name/milvus.db", "is no path"),
    ],
)
def test_what_is_no_address_is_told_without_credentials(uri: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as raised, connected(MilvusConfig(uri=uri)):
        pass
    assert not [part for part in ("secret", "se#") if part in f"{raised.value}{raised.value.remedy}"]


def test_a_refusal_does_not_repeat_the_token() -> None:
    config = MilvusConfig.model_validate({"uri": "http://me:secret-2@h:1", "token": "root:secret-1"})
    message = str(connect._refused(config, config.uri, MilvusException(1, "bad token root:secret-1")))
    assert "secret" not in message
    assert "http://h:1" in message


@pytest.mark.parametrize("said", ["{uri}", "s%65cret", "secret", "root:secret", "root:s%65cret"])
@pytest.mark.parametrize("user", ["root:s%65cret", "s%65cret"])  # a token may stand there alone
def test_a_refusal_does_not_repeat_the_password_of_the_address(user: str, said: str) -> None:
    uri = f"http://{user}@h:1/books?key=secret"
    error = MilvusException(1, f"no such user at h: {said.format(uri=uri)}")
    message = str(connect._refused(MilvusConfig(uri=uri), uri, error))
    assert not [part for part in ("secret", "s%65cret") if part in message]
    assert message.startswith("Cannot connect to Milvus at http://h:1/books?***: no such user at h: ")


def test_a_password_that_is_a_word_garbles_no_message() -> None:
    uri = "http://root:Milvus@h:1"
    message = str(connect._refused(MilvusConfig(uri=uri), uri, MilvusException(1, "nobody there")))
    assert message == "Cannot connect to Milvus at http://h:1: nobody there."


@pytest.mark.parametrize(
    "uri", ["HTTP://root:pw@h:19530/books", "tcp://h", "https://[::1]:443", "unix:/run/a@b", "unix:///run/a"]
)
def test_what_is_an_address(uri: str) -> None:
    require_address(uri)
