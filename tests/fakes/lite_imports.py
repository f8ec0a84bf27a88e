"""Bulk import for embedded Milvus, which has none: the importer inserts the rows of the files that it is given."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

import pyarrow.parquet as pq
import pytest

from fakes.import_jobs import PlayedImporter
from tuku.config import Config
from tuku.milvus import capabilities, job, rebuild
from tuku.milvus.connect import connected
from tuku.milvus.export import DYNAMIC
from tuku.milvus.imports import ImportJob


@dataclass
class LiteImporter(PlayedImporter):
    """A `PlayedImporter` whose jobs end with their rows in the collection.

    Attributes:
        config: whose Milvus it is.
    """

    config: Config = field(default_factory=Config)
    _of: dict[str, str] = field(default_factory=dict)

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """All loads of this process import by it."""
        ask = capabilities.ask
        monkeypatch.setattr(job, "ask", lambda client, config: replace(ask(client, config), imports="grpc"))
        monkeypatch.setattr(rebuild, "importer", lambda config, kind: self)

    def start(self, collection: str, path: str) -> str:
        job_id = super().start(collection, path)
        self._of[job_id] = collection
        return job_id

    def jobs(self, collection: str) -> list[ImportJob]:
        return [each for each in super().jobs(collection) if self._of[each.job_id] == collection]

    def _over(self, job: ImportJob) -> ImportJob:
        over = super()._over(job)
        if over.state == "done":
            rows = pq.read_table(job.path).to_pylist()
            with connected(self.config.milvus) as client:
                client.insert(self._of[job.job_id], [{**json.loads(row.pop(DYNAMIC)), **row} for row in rows])
        return over
