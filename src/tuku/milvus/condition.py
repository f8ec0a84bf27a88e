"""What stands at `milvus.uri`, told to people: what it can do, and what follows for this configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuku.errors import ConfigError, MilvusError
from tuku.milvus.address import without_credentials
from tuku.milvus.calls import milvus_errors
from tuku.milvus.capabilities import Capabilities, ask, embedded, require_able
from tuku.milvus.connect import MissingFileError, connected
from tuku.milvus.import_grpc import GrpcImporter
from tuku.milvus.import_rest import RestImporter

if TYPE_CHECKING:
    from pymilvus import MilvusClient

    from tuku.config import Config, MilvusConfig

_ANY_DIM = 0
"""Every number divides it: whether an index fits the model's vectors is found out with the collection."""


@dataclass(frozen=True)
class Condition:
    """What was found.

    Attributes:
        there: False: an embedded Milvus whose file the first load makes.
        lines: what it is and can do, and how a collection will be filled, a line each.
        doubt: what is configured and will not happen; empty if all will.
    """

    there: bool
    lines: tuple[str, ...]
    doubt: str


def condition(config: Config) -> Condition:
    """Ask what stands there; writes nothing, makes nothing.

    Raises:
        ConfigError: the configured collection cannot exist there, or be filled as configured.
        MilvusError: no server answers, it refuses the token, or another process has the file open.
    """
    try:
        with connected(config.milvus, create=False) as client:
            able = ask(client, config)
            databases = _databases(client)
    except MissingFileError:
        require_able(embedded(), config.milvus, _ANY_DIM)
        return Condition(False, tuple(_lines(embedded(), config)), _doubt(embedded(), config))
    require_able(able, config.milvus, _ANY_DIM)
    _require_imports(able, config)
    lines = _lines(able, config)
    if not able.lite:
        lines[1:1] = [f"databases {', '.join(databases)}", _token(config.milvus)]
    return Condition(True, tuple(lines), _doubt(able, config))


def _lines(able: Capabilities, config: Config) -> list[str]:
    kind = "Milvus Lite" if able.lite else "a Milvus server"
    names = "an alias" if config.load.alias else "a collection"
    readers = f"readers use {names} named {config.milvus.collection}"
    first = f"{kind}, version {able.said}, at {without_credentials(config.milvus.uri)}"
    return [first, *able.lines(), readers, f"a fresh collection is filled by {_filled_by(able, config)}"]


def _filled_by(able: Capabilities, config: Config) -> str:
    if able.imports and config.load.staging_uri is not None:
        return f"bulk import of files of {config.load.file_mb} MB"
    return "inserting rows" if config.load.staging_uri else "inserting rows (load.staging_uri is not set)"


def _doubt(able: Capabilities, config: Config) -> str:
    if config.load.staging_uri is None or able.imports or config.load.bulk_import == "never":
        return ""
    return "load.staging_uri is set, and this Milvus has no bulk import: rows will be inserted."


def _require_imports(able: Capabilities, config: Config) -> None:
    """Whether the interface that was asked for by name is there."""
    kind = config.load.bulk_import
    if kind not in {"grpc", "rest"} or able.lite:
        return
    there = RestImporter(config).is_there() if kind == "rest" else GrpcImporter(config.milvus).is_there()
    if not there:
        raise ConfigError(f"load.bulk_import is {kind}, which this Milvus does not have.", "Set it to auto.")


def _databases(client: MilvusClient) -> list[str]:
    """Also the first question that a server answers only to those whom it knows."""
    with milvus_errors("listing databases"):
        return sorted(client.list_databases())


def _token(config: MilvusConfig) -> str:
    """Whether the server asks who one is.

    Raises:
        MilvusError: it has gone away.
    """
    if config.token is None:
        return "it asks for no token" if "@" not in config.uri else "its token is in milvus.uri"
    stranger = config.model_copy(update={"token": None})
    try:
        with connected(stranger, create=False) as client:
            _databases(client)
    except MilvusError:
        with connected(config, create=False) as client:
            _databases(client)  # it has not gone away meanwhile
        return "it asks for a token, and takes this one"
    return "it asks for no token, though one is set"
