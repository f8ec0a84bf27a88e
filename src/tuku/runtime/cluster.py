"""Starting and joining Ray, quietly."""

from __future__ import annotations

import logging
import math
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout

from tuku.config import RuntimeConfig
from tuku.errors import ConfigError
from tuku.runtime.joining import join_cluster

_log = logging.getLogger(__name__)
_READERS_S = 5.0
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
    # With a handler of its own for crashes, Ray would leave SIGTERM without any when it is shut down.
    os.environ.setdefault("RAY_DISABLE_FAILURE_SIGNAL_HANDLER", "1")
    import ray

    with _kept_from_screen():
        begun_here = not ray.is_initialized()
        try:
            if begun_here:
                _begin(config)
            _quieten()
            yield config.workers or workers_for(config, ray.cluster_resources())
        finally:
            if begun_here:
                _let_readers_end()
                ray.shutdown()


def workers_for(config: RuntimeConfig, resources: Mapping[str, float]) -> int:
    """How many workers find room.

    Args:
        config: what each needs.
        resources: of the cluster, as Ray has them: ``CPU``, ``GPU``.

    Raises:
        ConfigError: a worker needs a GPU, and there is none.
    """
    room = resources.get("CPU", 1) / config.worker_cpus
    if config.worker_gpus:
        gpus = resources.get("GPU", 0)
        if gpus < min(1, config.worker_gpus):
            raise ConfigError(
                f"runtime.worker_gpus is {config.worker_gpus:g}, and the cluster has no GPU.",
                "Set it to 0, or join a cluster with GPUs (runtime.address).",
            )
        room = min(room, gpus / config.worker_gpus)
    return max(1, int(room))


def _let_readers_end() -> None:
    """Wait for Ray Data's threads: one that asks Ray for something after its end ends the process, without a word."""
    deadline = time.monotonic() + _READERS_S
    for thread in threading.enumerate():
        if thread.name.startswith(("iter_threaded", "StreamingExecutor")):
            thread.join(max(0.0, deadline - time.monotonic()))


def _begin(config: RuntimeConfig) -> None:
    if config.address == "local":
        _start(config)
    else:
        join_cluster(config.address)


def _start(config: RuntimeConfig) -> None:
    import ray

    options: dict[str, object] = {"num_cpus": math.ceil(config.workers * config.worker_cpus)} if config.workers else {}
    try:
        with _signals_kept():
            ray.init(
                address="local",
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _node_ip_address="127.0.0.1",
                **options,
            )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"Ray could not be started on this machine: {error}.",
            "Its logs are in /tmp/ray/session_latest/logs; or set runtime.address to a cluster's.",
        ) from error


_starting = threading.Event()


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray is started meanwhile, and a signal is still for this process to handle, and for this process alone.

    Ray puts a handler of its own in the place of ours, and leaves its daemons in our process group. They do not hear
    SIGINT; but `timeout`, for one, sends SIGTERM to the whole group, and rows under way would end with them.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    _starting.set()
    try:
        yield
    finally:
        _starting.clear()
        if in_main_thread and handler is not None:
            signal.signal(signal.SIGTERM, handler)


def _leave_group() -> None:
    if _starting.is_set():
        os.setpgid(0, 0)


os.register_at_fork(after_in_child=_leave_group)


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
