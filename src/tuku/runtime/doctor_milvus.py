"""Milvus' health: what stands there, what it can do, and whether it can be given files."""

from __future__ import annotations

from pathlib import Path

from tuku.config import Config
from tuku.runtime.doctor_places import require_writable
from tuku.runtime.findings import Doubtful, Skipped
from tuku.storage import DiskStorage


def check_milvus(config: Config) -> str | Doubtful:
    """Whether Milvus is there, its version, what it can do, and what follows for this configuration.

    Raises:
        ConfigError: a path that is none, the package milvus-lite is missing, or this Milvus cannot have the configured
            collection.
        MilvusError: no server answers, it refuses the token, or another process has the file open.
    """
    from tuku.milvus.condition import condition

    found = condition(config)
    detail = "\n".join(found.lines)
    if not found.there:
        require_writable(Path(config.milvus.uri).expanduser().resolve().parent)
        detail = f"{detail}\nit is not there yet, the first load makes it"
    if found.doubt:
        return Doubtful(f"{found.doubt}\n{detail}", "Leave load.staging_uri out, or set milvus.uri to a server.")
    return detail


def check_staging(config: Config) -> str | Skipped:
    """Whether files for a bulk import can be written, and by what name Milvus looks for them; makes no folder.

    Raises:
        ConfigError: files for Milvus cannot be staged at such an address.
        StorageError: they cannot be written there.
        StoppedError: the bucket does not answer.
    """
    from tuku.load_ledger import STAGING_FOLDER
    from tuku.milvus.staging import Staging

    if config.load.staging_uri is None:
        return Skipped("load.staging_uri is not set: nothing is staged")
    staging = Staging.of(config.load, STAGING_FOLDER)
    found, storage = "can be written to", staging.storage
    if isinstance(storage, DiskStorage) and not storage.root.parent.exists():
        require_writable(storage.root)
        found = "is not there yet, the first load makes it"
    else:
        staging.prepare()
    return f"{config.load.staging_uri} {found}; Milvus looks for files below {staging.seen_at}"
