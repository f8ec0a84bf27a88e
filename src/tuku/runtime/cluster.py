"""Starting and joining Ray, quietly."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from tuku.config import RuntimeConfig
from tuku.errors import ConfigError

_log = logging.getLogger(__name__)
_OBJECT_STORE_BYTES = 256 * 1024 * 1024
"""Enough for a local run: pixels never enter the object store, only work lists and counts do."""


@contextmanager
def cluster(config: RuntimeConfig) -> Iterator[int]:
    """Join the Ray cluster at `runtime.address`, or start one on this machine (``local``).

    Yields:
        The number of workers to use.

    Raises:
        ConfigError: there is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if config.address == "local":
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # its C++ part writes past Python, to stderr
    import ray

    # Ray prints what happens to tasks on stdout, which belongs to the command's own answer.
    with redirect_stdout(_ToLog()):
        started_here = not ray.is_initialized()
        if started_here:
            _start(config)
        _quieten()
        try:
            yield config.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        finally:
            if started_here:
                ray.shutdown()


def _start(config: RuntimeConfig) -> None:
    import ray

    options: dict[str, object] = {
        "address": config.address,
        "log_to_driver": False,
        "logging_level": logging.ERROR,
    }
    if config.address == "local":
        options |= {
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
            "_node_ip_address": "127.0.0.1",
        }
        if config.workers:
            options["num_cpus"] = config.workers
    try:
        ray.init(**options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"No Ray cluster could be joined at runtime.address = {config.address!r}: {error}.",
            "Start one with `ray start --head`, or set runtime.address to local.",
        ) from error


def _quieten() -> None:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.enable_operator_progress_bars = False
    context.print_on_execution_start = False
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


class _ToLog(io.TextIOBase):
    """A stream whose lines become log records."""

    def write(self, text: str) -> int:
        if text.strip():
            _log.debug("Ray: %s", text.rstrip())
        return len(text)
