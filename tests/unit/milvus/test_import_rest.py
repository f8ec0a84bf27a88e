"""Import jobs by REST, against a local server that answers as a Milvus server and as a managed service."""

from __future__ import annotations

import json
import logging
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.import_service import PREFIX, ImportService
from fakes.memory_lake import DIM, images
from ports import free_ports
from tuku.config import Config
from tuku.errors import ConfigError, MilvusError
from tuku.load_ledger import LoadLedger
from tuku.milvus import bulk as bulk_module
from tuku.milvus.bulk import BulkImport
from tuku.milvus.calls import MilvusAwayError
from tuku.milvus.export import write_import_file
from tuku.milvus.fields import Layout
from tuku.milvus.import_rest import RestImporter
from tuku.milvus.imports import ImportJob, probe_imports
from tuku.milvus.staging import Staging
from tuku.storage import DiskStorage

LAYOUT = Layout(("image_embedding",), DIM)
TOKEN = "root:s3cret"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIA-public", "AWS_SECRET_ACCESS_KEY": "very-secret", "AWS_SESSION_TOKEN": "for-an-hour"}


@pytest.fixture
def service() -> Iterator[ImportService]:
    with ImportService(TOKEN) as made:
        yield made


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[ImportService]:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with ImportService(TOKEN, managed=True) as made:
        yield made


def configured(service: ImportService, load: dict[str, Any] | None = None, **milvus: Any) -> Config:
    return Config.model_validate({"milvus": {"uri": service.url, "token": TOKEN, **milvus}, "load": load or {}})


def importer(service: ImportService, **changes: Any) -> RestImporter:
    return RestImporter(configured(service, **changes))


def managed(service: ImportService) -> RestImporter:
    config = {"milvus": {"uri": "https://in01.example:19530", "token": TOKEN}}
    return RestImporter(
        Config.model_validate({**config, "load": {"rest_url": f"{service.url}/", "cluster_id": "in01-abc"}})
    )


def test_it_is_there(service: ImportService) -> None:
    assert importer(service).is_there()
    assert service.asked == [("list", {"dbName": "default", "clusterId": "", "pageSize": 1, "currentPage": 1})]
    assert probe_imports(configured(service)) == "rest"


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_without_jobs_has_none(service: ImportService, status: int) -> None:
    service.instead = status, b"404 page not found"
    assert not importer(service).is_there()


def test_a_path_that_is_no_server_has_none() -> None:
    assert not RestImporter(Config.model_validate({"milvus": {"uri": "unix:/run/milvus.sock"}})).is_there()


@pytest.mark.parametrize("token", ["", "root:wr0ng"])
def test_a_token_that_is_refused_is_told_and_not_shown(service: ImportService, token: str) -> None:
    with pytest.raises(MilvusError, match=r"HTTP 401.*user hasn't authenticated.*MILVUS_TOKEN") as raised:
        importer(service, token=token or None).is_there()
    assert "s3cret" not in str(raised.value)
    assert "wr0ng" not in str(raised.value)


def test_a_server_that_repeats_the_token_does_not_get_it_shown(service: ImportService) -> None:
    service.instead = 400, f"bad token {TOKEN}".encode()
    with pytest.raises(MilvusError, match=r"bad token \*\*\*"):
        importer(service).is_there()


def test_the_token_may_stand_in_the_uri(service: ImportService) -> None:
    uri = service.url.replace("http://", f"http://{TOKEN}@") + "/default"
    config = Config.model_validate({"milvus": {"uri": uri}})
    assert RestImporter(config).is_there()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b'{"code": 65535, "message": "collection not found[collection=c]"}', "collection not found"),
        (200, b"<html>A proxy</html>", "does not answer"),
        (200, b"[]", r"refused .*\[\]"),
        (200, b'{"code": 0}', "named no job"),
        (503, b"try later", "HTTP 503.*try later"),
        (307, b"", "HTTP 307"),
    ],
)
def test_a_start_that_is_refused_is_told_and_sent_once(
    service: ImportService, status: int, body: bytes, said: str
) -> None:
    service.instead = status, body
    with pytest.raises(MilvusError, match=said):
        importer(service).start("c", "c/part-00000.parquet")
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("status", "body", "away"),
    [
        (502, b"", True),
        (503, b"", True),
        (429, b"", True),
        (500, b"", False),
        (200, b'{"code": 8, "message": "x"}', True),
    ],
)
def test_a_server_that_may_be_back_soon_is_told_from_one_that_refuses(
    service: ImportService, status: int, body: bytes, away: bool
) -> None:
    service.instead = status, body
    with pytest.raises(MilvusError) as raised:
        importer(service).job("1")
    assert isinstance(raised.value, MilvusAwayError) is away


def test_nobody_listens() -> None:
    [port] = free_ports(1)
    uri = f"http://127.0.0.1:{port}"
    with pytest.raises(MilvusAwayError, match=rf"{uri}{PREFIX}list does not answer: .*refused"):
        RestImporter(Config.model_validate({"milvus": {"uri": uri}})).is_there()


def test_an_interface_that_was_not_named_need_not_answer(service: ImportService, monkeypatch) -> None:
    monkeypatch.setattr("tuku.milvus.import_grpc.GrpcImporter.is_there", lambda self: True)
    service.instead = 502, b"gRPC only"
    assert probe_imports(configured(service)) == "grpc"
    with pytest.raises(MilvusError, match="gRPC only"):
        probe_imports(configured(service, load={"rest_url": service.url}))
    assert probe_imports(configured(service, load={"bulk_import": "never"})) is None
    assert probe_imports(configured(service, load={"bulk_import": "rest", "staging_uri": "/shared"})) == "rest"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_no_proxy_leads_to_this_machine(service: ImportService, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert importer(service).is_there()


def test_a_job_from_its_start_to_its_end(service: ImportService, tmp_path: Path) -> None:
    path = str(stage(tmp_path))
    jobs = importer(service)
    job_id = jobs.start("tuku__r1", path)
    assert service.asked == [
        ("create", {"dbName": "default", "clusterId": "", "collectionName": "tuku__r1", "files": [[path]]})
    ]
    assert (service.headers[0]["db-name"], service.headers[0]["authorization"]) == ("default", f"Bearer {TOKEN}")
    assert [jobs.job(job_id) for _ in range(3)] == [
        ImportJob(job_id, "", "running", 10, 0),
        ImportJob(job_id, path, "running", 70, 0),
        ImportJob(job_id, path, "done", 100, 25),
    ]
    assert jobs.jobs("tuku__r1") == [ImportJob(job_id, path, "done", 100, 25)]
    assert jobs.jobs("another") == []
    jobs.close()
    with pytest.raises(MilvusError, match="import job does not exist"):
        jobs.job("1")


def test_a_job_that_failed_says_why(service: ImportService) -> None:
    service.jobs["7"] = {"collection": "c", "path": "c/a.parquet", "state": "Failed", "rows": 9, "reason": "no disk"}
    assert importer(service).job("7") == ImportJob("7", "c/a.parquet", "failed", 0, 0, "no disk")


@pytest.mark.parametrize("told", ["a/b c.parquet", "[a/b c.parquet]", ["a/b c.parquet"], 'id:3  paths:"a/b c.parquet"'])
def test_a_file_is_named_in_many_ways(service: ImportService, told: object) -> None:
    data = {"state": "Importing", "progress": "40", "details": [{"fileName": told}]}
    service.instead = 200, json.dumps({"code": 200, "data": data}).encode()
    assert importer(service).job("1") == ImportJob("1", "a/b c.parquet", "running", 40, 0)


@pytest.mark.parametrize("number", [0, 99, 100, 101, 250])
@pytest.mark.parametrize("kind", ["service", "cloud"])
def test_all_jobs_are_listed_however_many_there_are(kind: str, number: int, request: pytest.FixtureRequest) -> None:
    there = request.getfixturevalue(kind)
    there.jobs = {str(n): {"collection": "c", "path": f"c/{n}", "state": "Failed", "rows": 0} for n in range(number)}
    there.jobs["other"] = {"collection": "d", "path": "d/0", "state": "Failed", "rows": 0}
    jobs = managed(there) if there.managed else importer(there)
    assert [job.path for job in jobs.jobs("c")] == [f"c/{n}" for n in range(number)]


@pytest.mark.parametrize("missing", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_a_managed_service_needs_the_keys_to_the_bucket(
    cloud: ImportService, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.delenv(missing)
    load = {"rest_url": cloud.url, "cluster_id": "in01-abc", "staging_uri": "s3://bucket/staged"}
    for kind in ("auto", "rest"):
        with pytest.raises(ConfigError, match=rf"load\.cluster_id is set, and {missing} not in the environment"):
            probe_imports(configured(cloud, load={**load, "bulk_import": kind}))
    assert probe_imports(configured(cloud, load={**load, "staging_uri": None})) == "rest"  # nothing is staged
    assert probe_imports(configured(cloud, load={**load, "bulk_import": "never"})) is None


def test_a_managed_service_is_given_addresses_and_keys(cloud: ImportService, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    jobs = managed(cloud)
    assert jobs.is_there()
    jobs.start("c", "s3://bucket/staged/c/a.parquet")
    assert cloud.asked[-1][1] == {
        "dbName": "default",
        "clusterId": "in01-abc",
        "collectionName": "c",
        "objectUrls": [["s3://bucket/staged/c/a.parquet"]],
        "accessKey": "AKIA-public",
        "secretKey": "very-secret",
        "token": "for-an-hour",
    }
    cloud.instead = 200, b'{"code": 80000, "message": "no such bucket"}'
    with pytest.raises(MilvusError, match="no such bucket") as raised:
        jobs.start("c", "s3://bucket/staged/c/a.parquet")
    said = f"{raised.value}{raised.value.__context__}{caplog.text}"
    assert not [secret for secret in (*KEYS.values(), TOKEN) if secret in said]


def test_why_a_job_failed_is_told_without_the_keys(cloud: ImportService) -> None:
    reason = f"access denied for {KEYS['AWS_ACCESS_KEY_ID']}/{KEYS['AWS_SECRET_ACCESS_KEY']}, asked by {TOKEN}"
    cloud.jobs["7"] = {"collection": "c", "path": "s3://b/a.parquet", "state": "Failed", "rows": 0, "reason": reason}
    [job] = managed(cloud).jobs("c")
    assert job.reason == "access denied for ***/***, asked by ***"


def test_a_password_of_the_address_is_not_shown(service: ImportService) -> None:
    uri = service.url.replace("http://", "http://root:s%65cret@")
    service.instead = 400, b"root, your password secret is old"
    with pytest.raises(MilvusError, match=r"your password \*\*\* is old"):
        RestImporter(Config.model_validate({"milvus": {"uri": uri, "token": TOKEN}})).is_there()


@pytest.fixture
def certificate(tmp_path: Path) -> dict[str, str]:
    """Of a server, and of its clients too, that is not called 127.0.0.1."""
    files = {"cert_file": str(tmp_path / "own.pem"), "key_file": str(tmp_path / "own.key")}
    asked = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    named = ["-subj", "/CN=milvus", "-addext", "subjectAltName=DNS:milvus.example"]
    written = ["-out", files["cert_file"], "-keyout", files["key_file"]]
    subprocess.run(["openssl", "req", *asked, *named, *written], check=True, capture_output=True)
    return files


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_server_and_client_prove_who_they_are(certificate: dict[str, str]) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate["cert_file"])
    context.load_cert_chain(*certificate.values())
    context.verify_mode = ssl.CERT_REQUIRED
    ca = {"ca_file": certificate["cert_file"]}
    named = {"server_name": "milvus.example"}
    with ImportService(TOKEN, tls=context) as service:
        assert importer(service, tls={**ca, **certificate, **named}).is_there()
        for less in ({**ca, **certificate}, named, {**ca, **named}):
            with pytest.raises(MilvusError, match=f"{service.url}{PREFIX}list does not answer"):
                importer(service, tls=less).is_there()


def stage(folder: Path) -> Path:
    write_import_file([images([f"i{n}" for n in range(25)], "r1")], LAYOUT, DiskStorage(folder), "a.parquet")
    return folder / "a.parquet"


def load(importer: RestImporter, folder: Path, ledger: LoadLedger) -> None:
    staging = Staging(DiskStorage(folder / "staged"), str(folder / "staged"))
    rows = images([f"i{n}" for n in range(25)], "r1")
    bulk = BulkImport(importer, staging, ledger, LAYOUT, 2, 60.0, lambda: None, lambda rows: None)
    bulk.run([rows.slice(start, 7) for start in range(0, 25, 7)])


@pytest.mark.parametrize("kind", ["service", "cloud"])
def test_a_whole_load(kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(bulk_module, "_POLL_S", 0.001)
    there = request.getfixturevalue(kind)
    ledger = LoadLedger(DiskStorage(tmp_path / "lake"), "tuku__r1", "here", "content", rows_per_file=10)
    load(managed(there) if there.managed else importer(there), tmp_path, ledger)
    assert there.imported == {f"i{n}": 1 for n in range(25)}
    assert {file.state for file in ledger.files.values()} == {"done"}


@pytest.mark.parametrize("noted", [True, False])
def test_a_job_that_waits_and_does_not_tell_its_path_is_not_started_again(
    service: ImportService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noted: bool
) -> None:
    monkeypatch.setattr(bulk_module, "_POLL_S", 0.001)
    ledger = LoadLedger(DiskStorage(tmp_path / "lake"), "tuku__r1", "here", "content", rows_per_file=10)
    start, name = RestImporter.start, "part-00001.parquet"

    def cut_off(self: RestImporter, collection: str, path: str) -> str:
        job_id = start(self, collection, path)
        if path.endswith(name):
            if noted:
                ledger.put(name, replace(ledger.files[name], state="importing", job_id=job_id))
            raise KeyboardInterrupt
        return job_id

    with monkeypatch.context() as patched:
        patched.setattr(RestImporter, "start", cut_off)
        with pytest.raises(KeyboardInterrupt):
            load(importer(service), tmp_path, ledger)
    [kept] = LoadLedger.all(ledger.storage)
    load(importer(service), tmp_path, kept)
    assert service.imported == {f"i{n}": 1 for n in range(25)}
    assert len(service.jobs) == 3
