"""The places a run reads from and writes to: the collection, the lake, the manifest. Milvus itself: `doctor_milvus`."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

from tuku import units
from tuku.config import Config
from tuku.errors import ManifestError, StorageError
from tuku.fetching import lister, open_stream
from tuku.runtime.findings import Skipped
from tuku.runtime.inputs import manifest_uri
from tuku.runtime.loading import check_target
from tuku.runtime.models import describe_models
from tuku.stages.manifest import read_manifest
from tuku.stages.metadata import check_metadata
from tuku.storage import DiskStorage, storage_at

_LEAST_FREE_BYTES = 200_000_000
_HEAD_ROWS = 100


def check_collection(config: Config) -> str:
    """Whether what the models make can go where readers look.

    Raises:
        ConfigError: models that do not fit together, or another model's collection.
        MilvusError: Milvus cannot be reached.
    """
    check_target(config, describe_models(config))
    return f"{config.milvus.collection} can take vectors of this model"


def check_lake(uri: str) -> str:
    """Whether the lake can be written to, and how much room there is; makes no folder.

    Raises:
        StorageError: it cannot, or there is none.
    """
    storage = storage_at(uri)
    if not isinstance(storage, DiskStorage):
        storage.prepare()
        return f"{storage.uri} can be written to"
    if storage.root.exists():
        storage.prepare()
        there, new = storage.root, ""
    else:
        there, new = require_writable(storage.root), "; the first run makes it"
    free = shutil.disk_usage(there).free
    if free < _LEAST_FREE_BYTES:
        raise StorageError(
            f"{storage.root} has room for {free / 1e6:,.0f} MB only.",
            "Free some space, or set lake.uri to another disk.",
        )
    return f"{storage.root} can be written to, {free / 1e9:,.1f} GB are free{new}"


def check_manifest(config: Config) -> str | Skipped:
    """Whether the manifest's first rows can be read.

    Raises:
        ManifestError: they cannot, or all of them are wrong.
    """
    if not config.manifest.uri:
        return Skipped("none was named")
    head = config.manifest.model_copy(update={"limit": min(_HEAD_ROWS, config.manifest.limit or _HEAD_ROWS)})
    codes: list[str | None] = []
    opener, listed = open_stream(config.fetch), lister(config.fetch)
    for batch in read_manifest(head, manifest_uri(config), opener=opener, lister=listed):
        codes += check_metadata(batch, config.milvus.indexed_metadata).column("code").to_pylist()
    wrong = Counter(code for code in codes if code is not None)
    said = ", ".join(f"{code} {number}" for code, number in wrong.most_common())
    if codes and wrong.total() == len(codes):
        raise ManifestError(
            f"None of its first {units.plural(len(codes), 'row')} is right: {said}.", "Check its columns."
        )
    first = f"its first {units.plural(len(codes), 'row')} can be read" if codes else "it has no rows"
    return f"{first}, {wrong.total()} of them wrong: {said}" if wrong else first


def require_writable(folder: Path) -> Path:
    """The nearest folder that is there, in which this one can be made.

    Raises:
        StorageError: it cannot be made there.
    """
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise StorageError(
            f"{folder} cannot be made: {there} is not a folder that you may write to.", "Choose another."
        )
    return there
