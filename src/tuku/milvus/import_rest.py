"""Bulk imports as REST jobs: Milvus 2.4 and newer, and managed services.

Source: Milvus' RESTful API v2, ``/v2/vectordb/jobs/import/{create,describe,list}`` (in Milvus' repository:
internal/distributed/proxy/httpserver). pymilvus' own functions for it ask for the SDKs of two clouds and cannot tell a
refusal from a server that is down.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Literal

from tuku.errors import ConfigError, MilvusError
from tuku.milvus.imports import ImportJob
from tuku.milvus.rest import AbsentError, RestService

if TYPE_CHECKING:
    from tuku.config import Config, LoadConfig

_JOBS = "/v2/vectordb/jobs/import"
_PAGE = 100
# Of the environment, and as a managed service calls them.
_BUCKET_KEYS = {"AWS_ACCESS_KEY_ID": "accessKey", "AWS_SECRET_ACCESS_KEY": "secretKey", "AWS_SESSION_TOKEN": "token"}
_NEEDED_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_STATES: dict[str, Literal["running", "done", "failed"]] = {"Completed": "done", "Failed": "failed"}
# A server prints the message that it has of a file: id:1 paths:"tuku__r1/part-00000.parquet"
_PRINTED = re.compile(r'paths:\s*"([^"]*)"')


def require_bucket_keys(config: LoadConfig) -> None:
    """Whether a managed service can be given the keys to the bucket of `load.staging_uri`.

    Raises:
        ConfigError: they are not in the environment.
    """
    missing = [name for name in _NEEDED_KEYS if not os.environ.get(name)]
    if config.cluster_id is not None and config.staging_uri is not None and missing:
        raise ConfigError(
            f"load.cluster_id is set, and {' and '.join(missing)} not in the environment: a managed service reads the"
            " bucket of load.staging_uri with those keys.",
            "Set them, or set load.bulk_import to never.",
        )


class RestImporter:
    """Implements `Importer` with REST jobs.

    Args:
        config: `milvus` and `load`. With `load.cluster_id` a file is named by its whole URI, and the keys to its bucket
            (``AWS_ACCESS_KEY_ID`` …, of the environment) are sent along, as managed services want it.
    """

    def __init__(self, config: Config) -> None:
        keys = [os.environ.get(name, "") for name in _BUCKET_KEYS]
        self._service = RestService(config.milvus, config.load.rest_url, secrets=keys)
        self._always = {"dbName": config.milvus.db, "clusterId": config.load.cluster_id or ""}
        self._managed = config.load.cluster_id is not None

    def is_there(self) -> bool:
        """Whether there is such an interface.

        Raises:
            MilvusError: nobody answers, or the token is refused.
        """
        try:
            self._ask("list", {"pageSize": 1, "currentPage": 1})
        except AbsentError:
            return False
        return True

    def start(self, collection: str, path: str) -> str:
        """As `Importer.start`."""
        named: dict[str, Any] = {"files": [[path]]}
        if self._managed:
            named = {
                "objectUrls": [[path]],
                **{name: os.environ.get(variable, "") for variable, name in _BUCKET_KEYS.items()},
            }
        job_id = self._ask("create", {"collectionName": collection, **named}).get("jobId")
        if not job_id:
            raise MilvusError(f"Milvus accepted the import of {path} into {collection} and named no job.")
        return str(job_id)

    def job(self, job_id: str) -> ImportJob:
        """As `Importer.job`. The path is not told while the job waits for its turn."""
        about = self._ask("describe", {"jobId": job_id})
        files = about.get("details") or [{}]
        return ImportJob(
            job_id=job_id,
            path=_path(files[0].get("fileName")),
            state=_STATES.get(str(about.get("state")), "running"),
            percent=int(about.get("progress") or 0),
            rows=int(about.get("importedRows") or 0),
            reason=self._service.safe(about.get("reason") or ""),  # "access denied for <key>/<secret>"
        )

    def jobs(self, collection: str) -> list[ImportJob]:
        """As `Importer.jobs`."""
        found: dict[str, None] = {}
        seen: set[str] = set()
        for page in range(1, 1_000_000):
            asked = {"collectionName": collection, "pageSize": _PAGE, "currentPage": page}
            records = self._ask("list", asked).get("records") or []
            known = len(seen)
            seen.update(str(record.get("jobId")) for record in records)
            found.update(
                (str(record["jobId"]), None)
                for record in records
                # Some tell all collections' jobs whichever is asked for.
                if record.get("jobId") and (record.get("collectionName") or collection) == collection
            )
            # Managed services tell a page at a time; a server tells all of them, whichever page it is asked for.
            if len(records) < _PAGE or len(seen) == known:
                break
        return [self.job(job_id) for job_id in found]

    def close(self) -> None:
        """As `Importer.close`: nothing is open."""

    def _ask(self, what: str, asked: dict[str, Any]) -> dict[str, Any]:
        return self._service.post(f"{_JOBS}/{what}", {**self._always, **asked})


def _path(told: object) -> str:
    """The path of a file, as it was given: told by itself, in a list, or within a text."""
    if isinstance(told, list):
        told = told[0] if told else ""
    text = str(told or "").strip()
    printed = _PRINTED.search(text)
    return printed[1] if printed else text.strip("[]'\" ")
