"""One process at a time works on a lake: a lease that its holder renews, and that is taken over when it does not.

A holder that stood still (a stopped process, a machine that slept) finds out when it wakes up: `Lease.require`
fails, and its run has been sealed, so that it cannot commit it (docs/adr/0008).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tuku.errors import LeaseLostError, StoppedError, StorageError
from tuku.lease_holder import Holder
from tuku.lease_watch import USUAL_TIMES, LeaseTimes, Watch
from tuku.storage import Storage

__all__ = ["USUAL_TIMES", "Lease", "LeaseTimes", "hold_lease", "holder_in"]

LEASE = "lease.json"
_log = logging.getLogger(__name__)


class Lease:
    """The right to change a lake, renewed by a thread until it is released or lost."""

    def __init__(self, storage: Storage, holder: Holder, times: LeaseTimes) -> None:
        self._storage = storage
        self._holder = holder
        self._times = times
        self._renewed = time.monotonic()
        self._lost: LeaseLostError | None = None
        self._turn = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="tuku-lease", daemon=True)
        self._thread.start()

    def require(self) -> None:
        """Renew the lease now: whoever took it over is found out, however long this process stood still.

        Raises:
            LeaseLostError: saying who has it, or why it could not be renewed.
        """
        self._renew()
        if self._lost is not None:
            raise self._lost

    def release(self) -> None:
        """Let others work; a lease that is somebody else's by now stays theirs."""
        self._ended.set()
        self._thread.join(self._times.dead_after_s)
        try:
            self._storage.swap(LEASE, self._holder.leaving().to_json(), self._holder.to_json())
        except (StorageError, StoppedError) as error:
            # The work is done. The next one finds this process gone.
            _log.warning("The lease of %s could not be given back: %s", self._storage.uri, error)

    def _beat(self) -> None:
        while self._lost is None and not self._ended.wait(self._times.beat_s):
            self._renew()

    def _renew(self) -> None:
        with self._turn:
            if self._lost is not None or self._ended.is_set():
                return
            try:
                self._swap()
            except (StorageError, StoppedError) as error:
                # Disks fail for a moment; others wait for longer than we do.
                if time.monotonic() - self._renewed >= self._times.lost_after_s:
                    self._lose(f"This run could not renew its lease for {self._times.lost_after_s:g} s: {error}")

    def _swap(self) -> None:
        following = self._holder.next_beat()
        if not self._storage.swap(LEASE, following.to_json(), self._holder.to_json()):
            content = self._storage.find(LEASE)
            now = None if content is None else Holder.read(content)
            if now is None or now.owner != self._holder.owner:
                self._lose(f"This run stood still, and another has taken over the lake: {_named(now)}.")
                return
            following = now  # A beat before this one had succeeded although the disk said otherwise.
        self._holder, self._renewed = following, time.monotonic()

    def _lose(self, why: str) -> None:
        _log.error("%s", why)
        self._lost = LeaseLostError(
            why,
            "What was finished is kept. Run the same command again: it goes on from there, once the other has ended.",
        )


@contextmanager
def hold_lease(
    storage: Storage,
    command: str,
    *,
    wait_s: float | None = None,
    on_wait: Callable[[str], None] | None = None,
    times: LeaseTimes = USUAL_TIMES,
) -> Iterator[Lease]:
    """Within the block this process holds the storage's lease; see `tuku.lake.Lake.exclusive`."""
    holder = Holder.this_process(command)
    _acquire(storage, holder, wait_s or 0.0, on_wait, times)
    lease = Lease(storage, holder, times)
    try:
        yield lease
    finally:
        lease.release()


def holder_in(storage: Storage) -> Holder | None:
    """Who has the storage's lease, as far as it says so; None if it was given back, or is not there."""
    content = storage.find(LEASE)
    holder = None if content is None else Holder.read(content)
    return None if holder is None or holder.left else holder


def _acquire(
    storage: Storage, me: Holder, wait_s: float, on_wait: Callable[[str], None] | None, times: LeaseTimes
) -> None:
    watch, deadline = Watch(times), time.monotonic() + wait_s
    while True:
        content = storage.find(LEASE)
        if content is None:
            if storage.create(LEASE, me.to_json()):
                return
            continue  # Somebody else was quicker.
        watch.look(content)
        other = Holder.read(content)
        if other is not None and other.left:
            if storage.swap(LEASE, me.to_json(), content):
                return
            continue
        if watch.dead or (other is not None and other.is_gone()):
            if storage.swap(LEASE, me.to_json(), content):
                why = f"not renewed for {times.dead_after_s:g} s" if watch.dead else "its process has ended"
                _log.warning("Took over the lease of %s from %s: %s", storage.uri, _named(other), why)
                return
            continue
        if watch.alive and time.monotonic() >= deadline:
            raise _taken(storage, other)
        if watch.alive and on_wait is not None:
            on_wait(_named(other))
            on_wait = None
        time.sleep(times.look_s)


def _named(holder: Holder | None) -> str:
    return "somebody whose name cannot be read" if holder is None else str(holder)


def _taken(storage: Storage, other: Holder | None) -> StorageError:
    return StorageError(
        f"Another run works on the lake {storage.uri}: {_named(other)}.",
        "Wait until it has ended and run the same command again, or let it wait by itself with --wait.",
    )
