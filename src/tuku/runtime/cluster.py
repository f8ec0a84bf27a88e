"""Starting and joining Ray, quietly."""

from __future__ import annotations

import logging
import math
import os
import sys
import tempfile
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
    import ray

    with _kept_from_screen():
        started_here = not ray.is_initialized()
        if started_here:
            _start(config)
        _quieten()
        try:
            yield config.workers or max(1, int(ray.cluster_resources().get("CPU", 1) / config.worker_cpus))
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
            options["num_cpus"] = math.ceil(config.workers * config.worker_cpus)
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


@contextmanager
def _kept_from_screen() -> Iterator[None]:
    """What Ray writes to stdout, which belongs to the command's answer, and to file descriptor 2 goes to a log.

    Its C++ part writes past Python. Whoever has something to say meanwhile says it on a copy of stderr (`cli`).
    """
    sys.stderr.flush()
    screen = os.dup(2)
    with tempfile.TemporaryFile("w+", errors="replace") as kept:
        os.dup2(kept.fileno(), 2)
        try:
            with redirect_stdout(kept):
                yield
        finally:
            sys.stderr.flush()
            os.dup2(screen, 2)
            os.close(screen)
            kept.flush()
            kept.seek(0)
            _log.debug("Ray said: %s", kept.read())
