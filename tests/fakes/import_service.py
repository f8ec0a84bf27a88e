"""Milvus' import jobs by REST, on this machine: answers as a server does, or as a managed service does.

Source: the RESTful API v2 of Milvus 2.4 to 2.6 (internal/distributed/proxy/httpserver/handler_v2.go, and what data
coordinators tell of a job's files) and of Zilliz Cloud.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pyarrow.parquet as pq

PREFIX = "/v2/vectordb/jobs/import/"
STATES = ("Pending", "Importing", "Completed")
Answer = tuple[int, Any]


@dataclass
class ImportService:
    """Imports files that it can read itself. Each look at a job takes it one state further.

    Attributes:
        token: that is asked for; empty: none.
        db: whose collections are imported into.
        managed: as a managed service: a page of jobs at a time, files by their URI. A server tells all jobs on every
            page, and prints the message that it has of a file.
        instead: an answer for every request: HTTP status and body.
        asked: what was asked for and the body of each request, in order; ``headers`` likewise, names in small letters.
        imported: how often each id was brought by finished jobs.
        jobs: by id: collection, path and state.
    """

    token: str = ""
    db: str = "default"
    managed: bool = False
    instead: tuple[int, bytes] | None = None
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    imported: Counter[str] = field(default_factory=Counter)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> ImportService:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, said = service.answer(
                    self.path, {name.lower(): value for name, value in self.headers.items()}, body
                )
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                if status in {301, 302, 307}:
                    self.send_header("Location", f"{service.url}/elsewhere")
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """HTTP status and body for a request."""
        asked = json.loads(body)
        self.asked.append((path.removeprefix(PREFIX), asked))
        self.headers.append(headers)
        if self.instead is not None:
            return self.instead
        status, said = self._answer(path, headers, asked)
        return status, json.dumps(said).encode()

    def _answer(self, path: str, headers: dict[str, str], asked: dict[str, Any]) -> Answer:
        if self.token and headers.get("authorization") != f"Bearer {self.token}":
            return 401, {"code": 1800, "message": "user hasn't authenticated"}
        if self.managed and not asked["clusterId"]:
            return _refused("clusterId is missing")
        if asked["dbName"] != self.db or headers["db-name"] != self.db:
            return _refused(f"database not found[database={asked['dbName']}]")
        act = {"create": self._create, "describe": self._describe, "list": self._list}.get(path.removeprefix(PREFIX))
        return act(asked) if act else (404, {"code": 404, "message": "404 page not found"})

    def _create(self, asked: dict[str, Any]) -> Answer:
        [[path]] = asked["objectUrls"] if self.managed else asked["files"]
        job_id = str(453240863839750922 + len(self.jobs))
        self.jobs[job_id] = {"collection": asked["collectionName"], "path": path, "state": "Pending", "rows": 0}
        return 200, {"code": 0, "data": {"jobId": job_id}}

    def _list(self, asked: dict[str, Any]) -> Answer:
        found = [
            {"jobId": job_id, "collectionName": job["collection"], "state": job["state"], "progress": 0}
            for job_id, job in self.jobs.items()
            if asked.get("collectionName", "") in {"", job["collection"]}
        ]
        size = asked["pageSize"]
        page = found[(asked["currentPage"] - 1) * size :][:size] if self.managed else found
        return 200, {"code": 0, "data": {"records": page}}

    def _describe(self, asked: dict[str, Any]) -> Answer:
        job = self.jobs.get(asked["jobId"])
        if job is None:
            return _refused("import job does not exist")
        state = job["state"]
        self._further(job)
        data: dict[str, Any] = {
            "jobId": asked["jobId"],
            "collectionName": job["collection"],
            "state": state,
            "progress": {"Pending": 10, "Importing": 70, "Completed": 100}.get(state, 0),
            "importedRows": job["rows"] if state == "Completed" else 0,
            "totalRows": job["rows"],
            "details": [] if state == "Pending" else [{"fileName": self._told(job["path"]), "state": state}],
        }
        if "reason" in job:
            data["reason"] = job["reason"]
        return 200, {"code": 0, "data": data}

    def _further(self, job: dict[str, Any]) -> None:
        if job["state"] not in STATES[:-1]:
            return
        job["state"] = STATES[STATES.index(job["state"]) + 1]
        if job["state"] == "Completed":
            ids = pq.read_table(urlsplit(job["path"]).path, columns=["id"]).column("id").to_pylist()
            job["rows"] = len(ids)
            self.imported.update(ids)

    def _told(self, path: str) -> str:
        return path if self.managed else f'id:1 paths:"{path}" '


def _refused(message: str) -> Answer:
    return 200, {"code": 1100, "message": message}
