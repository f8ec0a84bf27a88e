"""Opening and closing Milvus: embedded (a path that ends in .db) or a server (a URL)."""

from __future__ import annotations

import importlib.util
import json
import logging
import threading
import warnings
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuku.errors import ConfigError, MilvusError
from tuku.milvus.address import (
    is_local,
    is_this_machine,
    local_path,
    require_address,
    secrets_of,
    without_credentials,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymilvus import MilvusClient

    from tuku.config import MilvusConfig

CONNECT_TIMEOUT_S = 5.0

_NO_PROXY = {"grpc.enable_http_proxy": 0}
"""gRPC would take HTTPS_PROXY and HTTP_PROXY for itself; no proxy leads back to this machine."""

# Milvus Lite keeps a file open and locked until its server in this process is released: with the last client.
_users: Counter[str] = Counter()
_users_lock = threading.Lock()


class MissingFileError(ConfigError):
    """There is no local Milvus file yet."""


def connect(config: MilvusConfig, *, create: bool = True) -> MilvusClient:
    """A client, to be given back with `disconnect` (see `connected`).

    Args:
        config: where Milvus is.
        create: makes a local file that is missing, and its folder.

    Raises:
        MissingFileError: with `create` false, there is no such local file.
        ConfigError: no address; or the path does not end in .db or is none, or the package milvus-lite is missing.
        MilvusError: another process has the file open, or no server answers within 5 s.
    """
    return _open_local(config, create=create) if is_local(config.uri) else _open_server(config)


def disconnect(client: MilvusClient, config: MilvusConfig) -> None:
    """Closes the client; the last one of a local file lets go of the file."""
    client.close()
    if not is_local(config.uri):
        return
    from milvus_lite.server_manager import server_manager_instance

    path = local_path(config.uri)
    with _users_lock:
        _users[path] -= 1
        if _users[path] <= 0:
            del _users[path]
            server_manager_instance.release_server(path)


@contextmanager
def connected(config: MilvusConfig, *, create: bool = True) -> Iterator[MilvusClient]:
    """A client for the length of a `with` block; see `connect`."""
    client = connect(config, create=create)
    try:
        yield client
    finally:
        disconnect(client, config)


def _open_local(config: MilvusConfig, *, create: bool) -> MilvusClient:
    path, shown = local_path(config.uri), without_credentials(config.uri)
    if not path.endswith(".db"):
        raise ConfigError(
            f"milvus.uri is {shown!r}, a path that does not end in .db.",
            "Name a local file such as demo/milvus.db, or a server such as http://localhost:19530.",
        )
    if Path(path).is_file():
        raise ConfigError(
            f"milvus.uri {shown!r} is a file that embedded Milvus has not made (it keeps a folder).",
            "Move it away, or name another path.",
        )
    if importlib.util.find_spec("milvus_lite") is None:
        raise ConfigError(
            f"milvus.uri {shown!r} is a local file, and that needs the package milvus-lite.",
            'Install it with: pip install "tuku[local]"',
        )
    if create:
        _make_folder(path, config.uri)
    elif not Path(path).exists():
        raise MissingFileError(f"There is no Milvus file {path}.", "Run `tuku ingest`, or check milvus.uri.")
    with _users_lock:
        client = _start_lite(path, config)
        _users[path] += 1
    return client


def _make_folder(path: str, uri: str) -> None:
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"The folder of milvus.uri {uri!r} cannot be created: {error}.") from error


class _KeptErrors(logging.Handler):
    """Milvus Lite logs why it could not open a file, and does not raise it: keeps the reason."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self.reasons.append(record.exc_info[1])


def _start_lite(path: str, config: MilvusConfig) -> MilvusClient:
    from milvus_lite.exceptions import DataDirLockedError

    logger = logging.getLogger("milvus_lite.server_manager")
    kept, propagate = _KeptErrors(), logger.propagate
    logger.addHandler(kept)
    logger.propagate = False
    try:
        return _client(config, path)
    except MilvusError as error:
        reason = kept.reasons[-1] if kept.reasons else None
        if isinstance(reason, DataDirLockedError):
            raise MilvusError(
                f"The local Milvus file {config.uri} is open in another process.",
                "Milvus Lite serves one process at a time: end the other one (a `tuku serve`, a notebook), "
                "or set milvus.uri to a Milvus server.",
            ) from error
        raise MilvusError(f"The local Milvus file {config.uri} cannot be opened: {reason or error}.") from error
    finally:
        logger.removeHandler(kept)
        logger.propagate = propagate


def _open_server(config: MilvusConfig) -> MilvusClient:
    require_address(config.uri)
    try:
        return _client(config, config.uri)
    except MilvusError as error:
        raise MilvusError(
            error.message, "Check milvus.uri, that the server is up, and MILVUS_TOKEN if it asks for one."
        ) from error


@contextmanager
def older_interface() -> Iterator[None]:
    """Pymilvus says of each call that it goes in 3.1. pyproject.toml keeps to versions before: nobody need be told."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def open_orm(config: MilvusConfig, alias: str) -> None:
    """Open a connection to a server under an alias of pymilvus' older interface, which has the bulk imports.

    Raises:
        MilvusError: no server answers within 5 s.
    """
    from pymilvus import connections
    from pymilvus.exceptions import MilvusException

    try:
        with older_interface():
            connections.connect(
                alias,
                uri=config.uri,
                token=_token(config),
                db_name=config.db,
                timeout=CONNECT_TIMEOUT_S,
                **_options(config),
            )
    except MilvusException as error:
        raise _refused(config, config.uri, error) from None


def _client(config: MilvusConfig, uri: str) -> MilvusClient:
    import grpc
    from pymilvus import MilvusClient
    from pymilvus.exceptions import MilvusException

    # Both print a traceback for every refused call; what matters is in the exceptions that tuku raises.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    logging.getLogger("milvus_lite").propagate = False
    logging.getLogger("milvus_lite").addHandler(logging.NullHandler())
    try:
        # A dedicated connection ends with its client; a shared one would outlive the local server.
        return MilvusClient(
            uri,
            token=_token(config),
            db_name=config.db,
            timeout=CONNECT_TIMEOUT_S,
            dedicated=True,
            **_options(config),
        )
    except (MilvusException, grpc.RpcError) as error:
        raise _refused(config, uri, error) from None


def _token(config: MilvusConfig) -> str:
    return config.token.get_secret_value() if config.token else ""


def _options(config: MilvusConfig) -> dict[str, Any]:
    """What a connection to a server needs besides its address, in pymilvus' names."""
    channel = {"grpc.service_config": _deadline(config.timeout_s)} | (_NO_PROXY if is_this_machine(config.uri) else {})
    options: dict[str, Any] = {"grpc_options": channel}
    tls = config.tls
    for file in (tls.ca_file, tls.cert_file, tls.key_file):
        if file is not None and not Path(file).is_file():
            raise ConfigError(f"milvus.tls names {file}, and there is no such file.")
    if tls.cert_file is not None:
        options |= {"client_pem_path": tls.cert_file, "client_key_path": tls.key_file, "ca_pem_path": tls.ca_file}
    elif tls.ca_file is not None:
        options["server_pem_path"] = tls.ca_file  # so pymilvus names it where only the server proves itself
    if tls.server_name is not None:
        options["server_name"] = tls.server_name
    return options


def _deadline(seconds: float) -> str:
    """For all requests to which nobody gives one, in gRPC's words (its service config).

    Pymilvus' own `timeout` is something else: with it, a request is repeated until then.
    """
    return json.dumps({"methodConfig": [{"name": [{}], "timeout": f"{seconds:.3f}s"}]})


def _refused(config: MilvusConfig, uri: str, error: Any) -> MilvusError:
    # Pymilvus has one code for a server that is not there and for one that does not know us.
    said = str(error.details() if hasattr(error, "details") else error.message)
    shown = without_credentials(uri)
    said = said.replace(uri, shown)
    for secret in (_token(config), *secrets_of(uri)):
        said = said.replace(secret, "***") if secret else said
    return MilvusError(f"Cannot connect to Milvus at {shown}: {said}.")
