"""The server as tests and benchmarks use it: in a process of its own, sharing no loop and no lock with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from fakes.dashscope.endpoints import COMPATIBLE_ROOT, NATIVE_ROOT
from fakes.dashscope.settings import Part, Settings

_TESTS = Path(__file__).parents[2]
_GRACE_S = 5.0
_CONTROL_TIMEOUT_S = 30.0


class DashScopeServer:
    """Runs while it is entered; ends with the process that started it, however that ends.

    Attributes:
        base_url: for `dashscope.base_http_api_url` and ``DASHSCOPE_HTTP_BASE_URL``.
        compatible_url: for OpenAI's SDK.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings()
        self._process: subprocess.Popen[str] | None = None
        self._url = self.base_url = self.compatible_url = ""

    def __enter__(self) -> DashScopeServer:
        command = [sys.executable, "-m", "fakes.dashscope", "--port", "0", "--parent", str(os.getpid())]
        self._process = subprocess.Popen(
            [*command, "--settings", self._settings.model_dump_json()],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, [str(_TESTS), os.environ.get("PYTHONPATH")])),
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._url = self._process.stdout.readline().strip()
        if not self._url:
            self.__exit__(None, None, None)
            raise RuntimeError("The local DashScope did not start: see its messages above.")
        self.base_url, self.compatible_url = self._url + NATIVE_ROOT, self._url + COMPATIBLE_ROOT
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def pid(self) -> int:
        """Of the server's process."""
        assert self._process is not None
        return self._process.pid

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to take this for DashScope."""
        return {"DASHSCOPE_HTTP_BASE_URL": self.base_url, "DASHSCOPE_API_KEY": self._settings.keys[0]}

    def counters(self) -> dict[str, Any]:
        """The control page: see `State.page` and `ModelCounters.page`."""
        return self._control("")

    def items(self) -> dict[str, list[dict[str, Any]]]:
        """By model, every item: when it was let in, and answered (see `Ledger.times`)."""
        return self._control("/items")

    def configure(self, **changes: Any) -> None:
        """Change settings while it runs, such as ``limits={"requests_per_min": 600}``: of a part, only what is named.

        Raises:
            ValueError: an unknown name or an impossible value.
        """
        self._control("/configure", changes)

    def reset(self) -> None:
        """Forget everything but the settings."""
        self._control("/reset", {})

    def _control(self, path: str, changes: dict[str, Any] | None = None) -> dict[str, Any]:
        body = None if changes is None else json.dumps(changes, default=_as_json).encode()
        # No proxy of this machine's environment comes between.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self._url}/control{path}", body, timeout=_CONTROL_TIMEOUT_S) as response:
                page: dict[str, Any] = json.load(response)
        except urllib.error.HTTPError as error:
            raise ValueError(error.read().decode()) from error
        return page


def _as_json(part: Part) -> dict[str, Any]:
    return part.model_dump(mode="json")
