"""Joining a Ray cluster that somebody else has started, or saying within a minute why that cannot be done."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedTooLongError

from tuku.errors import ConfigError

_PATIENCE_S = 60.0
"""Ray itself waits for three minutes, and for ever where driver and workers disagree about tokens."""


def join_cluster(address: str) -> None:
    """Connect this process to the cluster, and see that something runs there.

    Args:
        address: as ``runtime.address``, but not ``local``.

    Raises:
        ConfigError: there is no cluster, or none that answers.
    """
    # In a thread of its own: Ray waits outside of Python, where neither a deadline nor Ctrl-C would reach it; and only
    # in the main thread does it replace the handler of SIGTERM.
    outcome: Future[None] = Future()
    threading.Thread(target=_join, args=(address, outcome), name="join-ray", daemon=True).start()
    try:
        outcome.result(_PATIENCE_S)
    except WaitedTooLongError:
        mode = os.environ.get("RAY_AUTH_MODE", "not set")
        raise ConfigError(
            f"No Ray cluster answered at runtime.address = {address!r} within {_PATIENCE_S:g} seconds.",
            "Check that the address is right and can be reached from here; that RAY_AUTH_MODE"
            f" (here: {mode}) and the token are the cluster's; and that the cluster can start a process:"
            " `ray status` tells. Or set runtime.address to local.",
        ) from None
    except Exception as error:
        raise ConfigError(
            f"No Ray cluster could be joined at runtime.address = {address!r}: {error}.",
            "Start one with `ray start --head`, or set runtime.address to local.",
        ) from error


def _join(address: str, outcome: Future[None]) -> None:
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        ray.get(next(ray.remote(num_cpus=0)(_answers).remote()))
    except BaseException as error:  # noqa: BLE001  it belongs to the thread that waits
        outcome.set_exception(error)
    else:
        outcome.set_result(None)


def _answers() -> Iterator[bool]:
    """A generator, as all of Ray Data's tasks are: their workers call this process, where others only answer it."""
    yield True
