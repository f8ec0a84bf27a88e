"""An event loop on which time passes only when everyone waits: hours of waiting are done in no time."""

from __future__ import annotations

import asyncio
import random
import selectors


class VirtualSelector(selectors.SelectSelector):
    def __init__(self):
        super().__init__()
        self.now_s = 0.0
        self.random = random.Random(1)
        self.stall_every_s = None
        self.stall_s = 0.0

    def select(self, timeout=None):
        if timeout is None:
            raise AssertionError("everyone waits, and nothing will ever happen")
        if timeout > 0:
            self.now_s += timeout + self.random.uniform(0.0, 0.001)
            if self.stall_every_s and self.random.random() < timeout / self.stall_every_s:
                self.now_s += self.random.uniform(0.2, 1.0) * self.stall_s
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Args: on average every `stall_every_s` the loop is late by up to `stall_s`."""

    def __init__(self, stall_every_s=None, stall_s=0.0):
        self.virtual = VirtualSelector()
        self.virtual.stall_every_s, self.virtual.stall_s = stall_every_s, stall_s
        super().__init__(self.virtual)

    def time(self):
        return self.virtual.now_s


def run(main, **stalls):
    loop = VirtualLoop(**stalls)
    try:
        return loop.run_until_complete(main(loop))
    finally:
        loop.run_until_complete(_cancel_others(loop))
        loop.close()


async def _cancel_others(loop):
    others = asyncio.all_tasks(loop) - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
