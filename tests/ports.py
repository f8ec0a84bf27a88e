"""Free ports of this machine."""

from __future__ import annotations

import socket
from contextlib import ExitStack


def free_ports(count: int, also_at: int = 0) -> list[int]:
    """Ports on the loopback device that nobody listens on now.

    Args:
        count: how many, all different.
        also_at: the port so much higher must be free as well.
    """
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            with ExitStack() as tried:
                probe = tried.enter_context(socket.socket())
                probe.bind(("127.0.0.1", 0))
                port = 20_000 + probe.getsockname()[1] % 10_000
                try:
                    for wanted in {port, port + also_at}:
                        tried.enter_context(socket.socket()).bind(("127.0.0.1", wanted))
                except OSError:
                    continue
                held.push(tried.pop_all())
            found.append(port)
    return found
