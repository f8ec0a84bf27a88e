"""Bulk imports by gRPC. pymilvus has these calls in its older interface only, and means to drop them there."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Literal

from tuku.errors import MilvusError
from tuku.milvus.calls import MilvusAwayError, milvus_errors
from tuku.milvus.connect import older_interface, open_orm
from tuku.milvus.imports import ImportJob

if TYPE_CHECKING:
    from tuku.config import MilvusConfig

_TIMEOUT_S = 30.0
_ONCE = 0
"""Retries of pymilvus itself: a start that was sent again would import the file twice."""


class GrpcImporter:
    """Implements `Importer` with Milvus' bulk insert.

    Args:
        config: where Milvus is. A connection of its own is opened at the first call.
    """

    def __init__(self, config: MilvusConfig) -> None:
        self._config = config
        self._alias = ""

    def is_there(self) -> bool:
        """Whether the server has these calls, and lets us use them.

        Raises:
            MilvusAwayError: it is starting, busy or out of reach.
        """
        from pymilvus import utility

        try:
            with milvus_errors("asking for bulk imports"), older_interface():
                utility.list_bulk_insert_tasks(limit=1, timeout=_TIMEOUT_S, using=self._using())
        except MilvusAwayError:
            raise
        except MilvusError:
            return False
        finally:
            self.close()
        return True

    def start(self, collection: str, path: str) -> str:
        """As `Importer.start`."""
        from pymilvus import utility

        with milvus_errors(f"starting the import of {path}"), older_interface():
            return str(utility.do_bulk_insert(collection, [path], using=self._using(), retry_times=_ONCE))

    def job(self, job_id: str) -> ImportJob:
        """As `Importer.job`."""
        from pymilvus import utility

        with milvus_errors(f"asking for the import {job_id}"), older_interface():
            return _job(utility.get_bulk_insert_state(int(job_id), timeout=_TIMEOUT_S, using=self._using()))

    def jobs(self, collection: str) -> list[ImportJob]:
        """As `Importer.jobs`."""
        from pymilvus import utility

        with milvus_errors(f"listing the imports into {collection}"), older_interface():
            listed = utility.list_bulk_insert_tasks(collection_name=collection, timeout=_TIMEOUT_S, using=self._using())
        return [_job(state) for state in listed]

    def close(self) -> None:
        """As `Importer.close`."""
        from pymilvus import connections

        if self._alias:
            with older_interface():
                connections.remove_connection(self._alias)
            self._alias = ""

    def _using(self) -> str:
        if not self._alias:
            self._alias = f"tuku-imports-{uuid.uuid4().hex}"
            open_orm(self._config, self._alias)
        return self._alias


def _job(state: Any) -> ImportJob:
    return ImportJob(
        job_id=str(state.task_id),
        path=state.files,
        state=_state(state.state),
        percent=state.progress,
        rows=state.row_count,
        reason=state.failed_reason,
    )


def _state(state: int) -> Literal["running", "done", "failed"]:
    from pymilvus import BulkInsertState

    if state == BulkInsertState.ImportCompleted:
        return "done"
    failed = {BulkInsertState.ImportFailed, BulkInsertState.ImportFailedAndCleaned}
    return "failed" if state in failed else "running"
