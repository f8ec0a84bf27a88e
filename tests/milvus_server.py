"""A real Milvus server on this machine: Milvus 2.3.5 standalone, whose binary comes in the package `milvus`."""

from __future__ import annotations

import fcntl
import importlib.util
import lzma
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ports import free_ports
from support import environment

_UP_S = 120
_PLACE = re.compile(r"\{\{ *(\w+)(?:\(\w+\))?(?:: *([^}]*?))? *\}\}")
ROOT_TOKEN = "root:Milvus"
"""Of the user that a server is born with."""


@dataclass
class MilvusServer:
    """A server that keeps everything below one folder, and can be killed and started again there.

    Attributes:
        folder: where it keeps its data, its configuration and its log.
        settings: of milvus.yaml, by dotted name, such as ``common.storageType``.
        authorization: whether a token is asked for (`ROOT_TOKEN` at first).
    """

    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    authorization: bool = False
    _process: subprocess.Popen[bytes] | None = None
    _ports: dict[str, int] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self._ports['proxy_port']}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> MilvusServer:
        self.folder.mkdir(parents=True)
        names = _ports()
        self._ports = dict(zip(names, free_ports(len(names)), strict=True))
        self._configure()
        self.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        programs = _programs()
        variables = {
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(self._ports["metrics_port"]),
            "MILVUS_RUN_DIR": str(self.folder / "run"),
            "MILVUSCONF": str(self.folder / "configs"),
            "LD_LIBRARY_PATH": str(programs),
        }
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(programs / "milvus"), "run", "standalone"],
                cwd=self.folder,
                env=environment(variables),
                stdout=log,
                stderr=log,
            )
        self._wait_healthy()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(30)
            self._process = None

    def _wait_healthy(self) -> None:
        assert self._process is not None
        url = f"http://127.0.0.1:{self._ports['metrics_port']}/healthz"
        deadline = time.monotonic() + _UP_S
        while True:
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    if b"OK" in answer.read():
                        return
            except (urllib.error.URLError, OSError):
                pass
            assert self._process.poll() is None, f"Milvus has ended: {self.folder / 'log'}"
            assert time.monotonic() < deadline, "Milvus does not come up"
            time.sleep(0.2)

    def _configure(self) -> None:
        """Write milvus.yaml: the package's template, with ports and folders of its own, and the settings."""
        values = {
            **self._ports,
            "etcd_log_path": self.folder / "etcd.log",
            "etcd_data_dir": self.folder / "etcd",
            "local_storage_dir": self.folder / "data",
            "rocksmq_data_dir": self.folder / "rocksmq",
            "system_log_path": self.folder / "logs",
            "authorization_enabled": str(self.authorization).lower(),
        }
        template = (_package() / "config.yaml.template").read_text()
        config = yaml.safe_load(_PLACE.sub(lambda place: str(values.get(place[1], place[2])), template))
        for name, value in self.settings.items():
            *sections, key = name.split(".")
            section = config
            for part in sections:
                section = section.setdefault(part, {})
            section[key] = value
        configs = self.folder / "configs"
        configs.mkdir()
        config["etcd"]["config"] = {"path": str(configs / "etcd.yaml")}
        peer, client = (f"http://127.0.0.1:{self._ports[name]}" for name in ("etcd_peer_port", "etcd_port"))
        etcd = {
            "name": "default",
            "data-dir": str(self.folder / "etcd"),
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            "listen-client-urls": client,
            "advertise-client-urls": client,
        }
        (configs / "etcd.yaml").write_text(yaml.safe_dump(etcd))
        (configs / "milvus.yaml").write_text(yaml.safe_dump(config))
        shutil.copy(_package() / "glog.conf", configs)


def _package() -> Path:
    found = importlib.util.find_spec("milvus")
    assert found, "the package milvus is missing: make setup"
    assert found.origin
    return Path(found.origin).parent / "data"


def _programs() -> Path:
    """The folder with the server's binary and its libraries, which the package keeps compressed: unpacked once."""
    folder = Path(sys.prefix) / "milvus-server"
    with Path(sys.prefix, "milvus-server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            for packed in sorted((_package() / "bin").glob("*.lzma")):
                with lzma.open(packed) as source, (unfinished / packed.stem).open("wb") as target:
                    shutil.copyfileobj(source, target)
            (unfinished / "milvus").chmod(0o755)
            unfinished.replace(folder)
    return folder


def _ports() -> list[str]:
    """What the template calls the ports that it wants."""
    names = (place[1] for place in _PLACE.finditer((_package() / "config.yaml.template").read_text()))
    return ["metrics_port", "etcd_peer_port", *dict.fromkeys(name for name in names if name.endswith("_port"))]
