"""What makes two loads the same: where they go, and what is to arrive there."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from tuku.milvus.address import one_spelling
from tuku.milvus.made_as import settled

if TYPE_CHECKING:
    from tuku.config import MilvusConfig
    from tuku.milvus.context import LoadContext


def target(config: MilvusConfig) -> str:
    """Which Milvus, database and alias a load is for."""
    return f"{one_spelling(config.uri)} {config.db} {config.collection}"


def is_for(config: MilvusConfig, other: str) -> bool:
    """Whether another load's target is this one's; earlier versions of tuku noted addresses as they were spelt."""
    uri, *place = other.rsplit(" ", 2)
    return " ".join([one_spelling(uri), *place]) == target(config)


def content(context: LoadContext) -> str:
    """A digest of what decides which rows and which fields a fresh collection gets, and which files they come in.

    Not the runs: every `tuku ingest` commits one, also when nothing has changed since the load was cut off.
    """
    milvus, loading = context.config.milvus, context.config.load
    decides = {
        "sources": context.lake.sources(),
        "rows": context.lake.rows(),
        "model": [context.embed_model, context.dim],
        "fields": [milvus.vectors, milvus.indexed_metadata, milvus.partition_key],
        "made_as": [settled(milvus), milvus.index.metric],
        "alias": loading.alias,
        "staged": [loading.staging_uri, loading.bulk_import, loading.file_mb],
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
