"""Bulk imports as REST jobs: Milvus 2.4 and newer, and managed services.

Source: Milvus' RESTful API v2, ``/v2/vectordb/jobs/import/{create,describe,list}``. pymilvus' own functions for it ask
for the SDKs of two clouds and cannot tell a refusal from a server that is down.
"""

from __future__ import annotations

import json
import os
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Literal

from tuku.errors import MilvusError
from tuku.milvus.connect import is_this_machine, without_credentials
from tuku.milvus.imports import ImportJob

if TYPE_CHECKING:
    from tuku.config import Config

_JOBS = "/v2/vectordb/jobs/import"
_TIMEOUT_S = 30.0
_PAGE = 100
_STATES: dict[str, Literal["running", "done", "failed"]] = {"Completed": "done", "Failed": "failed"}


class _AbsentError(MilvusError):
    """There is no such interface at this address."""


class RestImporter:
    """Implements `Importer` with REST jobs.

    Args:
        config: `milvus` and `load`. With `load.cluster_id` a file is named by its whole URI, and the keys to its bucket
            (``AWS_ACCESS_KEY_ID`` …, of the environment) are sent along, as managed services want it.
    """

    def __init__(self, config: Config) -> None:
        self._milvus = config.milvus
        self._base = (config.load.rest_url or config.milvus.uri).rstrip("/")
        self._cluster = config.load.cluster_id

    def is_there(self) -> bool:
        """Whether there is such an interface.

        Raises:
            MilvusError: nobody answers, or the token is refused.
        """
        try:
            self._post("list", {"pageSize": 1, "currentPage": 1})
        except _AbsentError:
            return False
        return True

    def start(self, collection: str, path: str) -> str:
        """As `Importer.start`."""
        named: dict[str, Any] = {"files": [[path]]}
        if self._cluster:
            named = {
                "objectUrls": [[path]],
                "accessKey": os.environ.get("AWS_ACCESS_KEY_ID", ""),
                "secretKey": os.environ.get("AWS_SECRET_ACCESS_KEY", ""),
                "token": os.environ.get("AWS_SESSION_TOKEN", ""),
            }
        return str(self._post("create", {"collectionName": collection, **named})["jobId"])

    def job(self, job_id: str) -> ImportJob:
        """As `Importer.job`."""
        about = self._post("describe", {"jobId": job_id})
        files = about.get("details") or [{}]
        return ImportJob(
            job_id=job_id,
            path=str(files[0].get("fileName", "")).strip("[]"),
            state=_STATES.get(str(about.get("state")), "running"),
            percent=int(about.get("progress") or 0),
            rows=int(about.get("importedRows") or 0),
            reason=str(about.get("reason") or ""),
        )

    def jobs(self, collection: str) -> list[ImportJob]:
        """As `Importer.jobs`."""
        found: list[ImportJob] = []
        page = 1
        while True:
            asked = {"collectionName": collection, "pageSize": _PAGE, "currentPage": page}
            records = self._post("list", asked).get("records") or []
            found += [self.job(str(record["jobId"])) for record in records]
            if len(records) < _PAGE:
                return found
            page += 1

    def close(self) -> None:
        """As `Importer.close`: nothing is open."""

    def _post(self, what: str, asked: dict[str, Any]) -> dict[str, Any]:
        body = {"dbName": self._milvus.db, "clusterId": self._cluster or "", **asked}
        token = self._milvus.token.get_secret_value() if self._milvus.token else ""
        request = urllib.request.Request(  # noqa: S310  the configuration allows http and https only
            f"{self._base}{_JOBS}/{what}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        )
        where = f"{without_credentials(self._base)}{_JOBS}/{what}"
        try:
            with self._opener().open(request, timeout=_TIMEOUT_S) as answer:
                said = json.load(answer)
        except urllib.error.HTTPError as error:
            raise _refused(error.code, where) from error
        except (OSError, ValueError) as error:
            raise MilvusError(f"Milvus' import jobs at {where} do not answer: {error}.") from error
        if not isinstance(said, dict) or said.get("code") not in {0, 200}:
            reason = said.get("message", said) if isinstance(said, dict) else said
            raise MilvusError(f"Milvus refused {where}: {str(reason)[:500]}.")
        data = said.get("data")
        return data if isinstance(data, dict) else {}

    def _opener(self) -> urllib.request.OpenerDirector:
        tls = self._milvus.tls
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.cert_file is not None:
            context.load_cert_chain(tls.cert_file, tls.key_file)
        handlers: list[Any] = [urllib.request.HTTPSHandler(context=context)]
        if is_this_machine(self._base):
            handlers.append(urllib.request.ProxyHandler({}))  # no proxy leads back to this machine
        return urllib.request.build_opener(*handlers)


def _refused(status: int, where: str) -> MilvusError:
    if status in {404, 405, 501}:
        return _AbsentError(f"There are no import jobs at {where}.")
    return MilvusError(f"Milvus answered {status} at {where}.", "Check MILVUS_TOKEN and load.rest_url.")
