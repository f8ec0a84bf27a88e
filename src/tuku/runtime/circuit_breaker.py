"""A model's service that has been given up: not everybody waits to find out that it is still away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tuku.errors import STOPPED, RowError, StoppedError


def is_halt(error: BaseException) -> bool:
    """Whether an error says that the access to the service has halted, and lets nothing more through."""
    return isinstance(error, StoppedError) and isinstance(error.__cause__, RowError) and error.__cause__.code == STOPPED


@dataclass
class CircuitBreaker:
    """While a halt stands, one at a time finds out whether the service is back; the others are told at once.

    Args:
        again_s: seconds after a halt in which nobody is asked to find out.
        clock: monotonic seconds.
    """

    again_s: float
    clock: Callable[[], float]
    _halt: StoppedError | None = None
    _since_s: float = 0.0
    _probing: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Around what asks the service.

        Raises:
            StoppedError: it is away, as somebody has just found out.
        """
        probes = self._begun()
        try:
            yield
        except StoppedError as error:
            with self._lock:
                if is_halt(error) or probes:
                    self._halt, self._since_s = error, self.clock()
            raise
        else:
            with self._lock:
                self._halt = None
        finally:
            with self._lock:
                self._probing = self._probing and not probes

    def _begun(self) -> bool:
        with self._lock:
            if self._halt is None:
                return False
            if self._probing or self.clock() - self._since_s < self.again_s:
                raise StoppedError(self._halt.message, self._halt.remedy) from self._halt.__cause__
            self._probing = True
            return True
