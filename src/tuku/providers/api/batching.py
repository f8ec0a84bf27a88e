"""Puts the items of all threads together into requests that are as full as a model's terms allow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from tuku.errors import STOPPED, RowError, StoppedError
from tuku.protocols import Vector, VectorHeard, unheard
from tuku.providers.api.caller import ASKED_AT_MOST, Answer, Caller
from tuku.providers.api.meter import Tokens
from tuku.providers.api.verdicts import Throttled
from tuku.terms import Terms

Kind = Literal["picture", "text"]
KINDS: tuple[Kind, ...] = ("picture", "text")


@dataclass(frozen=True)
class Item:
    """Something that a vector is wanted for.

    Attributes:
        kind: what it is.
        content: a picture's data URI, or a text; equal contents are the same work.
        tokens: a guess.
    """

    kind: Kind
    content: str = field(repr=False)
    tokens: int

    @property
    def size_bytes(self) -> int:
        """In a request; JSON's escapes, which only control characters and quotes need, are not counted."""
        return len(self.content) if self.content.isascii() else len(self.content.encode())


Send = Callable[[Sequence[Item]], Awaitable["Answer[list[Vector | RowError]] | RowError | StoppedError"]]
"""Sends items once; the answer has one outcome for each of them, in order."""


@dataclass(eq=False)
class _Job:
    item: Item
    number: int
    outcome: asyncio.Future[Vector | RowError]
    heard: list[Callable[[Vector], None]] = field(default_factory=list)
    wanted: int = 0
    attempts: int = 0
    spoilt: int = 0  # how often what came back for it was no good


class Batcher:
    """The queue of one model. Belongs to one event loop.

    Whenever a slot is free, the fullest request is packed from what waits, and the next is not packed before that one
    has gone out: while it waits for leave more items gather, so that requests are full whenever a quota holds them
    up, and small ones go at once when nothing does.

    Args:
        caller: sends requests.
        terms: how much may be in one.
        max_bytes: of the contents of one request; a larger item goes alone.
        send: sends one.
    """

    def __init__(self, caller: Caller, terms: Terms, max_bytes: int, send: Send) -> None:
        self._caller, self._terms, self._max_bytes, self._send = caller, terms, max_bytes, send
        self._most: dict[Kind, int] = {"picture": terms.pictures_per_request, "text": terms.texts_per_request}
        self._waiting: dict[Kind, deque[_Job]] = {kind: deque() for kind in KINDS}
        self._jobs: dict[Item, _Job] = {}
        self._count = 0
        self._dispatcher: asyncio.Task[None] | None = None
        self._requests: set[asyncio.Task[None]] = set()

    async def ask(self, items: Sequence[Item], heard: VectorHeard = unheard) -> list[Vector | RowError]:
        """One outcome for each item, in order; items that somebody is waiting for already are not asked for again."""
        jobs = [self._job(item) for item in items]
        for job, position in {job: position for position, job in enumerate(jobs)}.items():
            job.heard.append(partial(heard, position))
        for job in jobs:
            job.wanted += 1
        try:
            if jobs:
                await asyncio.wait({job.outcome for job in jobs})
        except asyncio.CancelledError:
            for job in jobs:
                job.wanted -= 1
            raise
        return [job.outcome.result() for job in jobs]

    def _job(self, item: Item) -> _Job:
        job = self._jobs.get(item)
        if job is None:
            self._count += 1
            job = self._jobs[item] = _Job(item, self._count, asyncio.get_running_loop().create_future())
            self._waiting[item.kind].append(job)
            if self._dispatcher is None:
                self._dispatcher = asyncio.create_task(self._dispatch())
        return job

    async def _dispatch(self) -> None:
        try:
            while any(self._waiting.values()):
                await self._caller.slots.acquire()
                gone = asyncio.Event()
                request = asyncio.create_task(self._serve(self._pack(), gone))
                self._requests.add(request)
                request.add_done_callback(self._requests.discard)
                await gone.wait()
        finally:
            self._dispatcher = None

    def _pack(self) -> list[_Job]:
        packed: list[_Job] = []
        room = dict(self._most)
        left_bytes = self._max_bytes
        while len(packed) < self._terms.items_per_request and (kind := self._oldest(room)) is not None:
            job = self._waiting[kind][0]
            size_bytes = job.item.size_bytes
            if packed and size_bytes > left_bytes:
                break  # it is the first of the next request: nobody overtakes it for ever
            self._waiting[kind].popleft()
            if not job.wanted:
                self._jobs.pop(job.item)
                continue
            packed.append(job)
            room[kind] -= 1
            left_bytes -= size_bytes
        return packed

    def _oldest(self, room: dict[Kind, int]) -> Kind | None:
        kinds = [kind for kind in KINDS if room[kind] > 0 and self._waiting[kind]]
        return min(kinds, key=lambda kind: self._waiting[kind][0].number, default=None)

    async def _serve(self, jobs: list[_Job], gone: asyncio.Event) -> None:
        try:
            if jobs:
                await self._solve(jobs, gone)
        except asyncio.CancelledError:
            for job in jobs:
                job.outcome.cancel()
            raise
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is raised in those who wait for the jobs
            for job in jobs:
                if not job.outcome.done():
                    job.outcome.set_exception(error)
        finally:
            for job in jobs:
                self._jobs.pop(job.item, None)
            gone.set()
            self._caller.slots.release()

    async def _solve(self, jobs: list[_Job], gone: asyncio.Event) -> None:
        answer = await self._caller.request(self._guess(jobs), partial(self._sent, jobs, gone))
        if isinstance(answer, RowError):
            await self._failed(jobs, answer, gone)
            return
        spoilt: list[tuple[_Job, RowError]] = []
        for job, outcome in zip(jobs, answer.value, strict=True):
            if isinstance(outcome, RowError):
                spoilt.append((job, replace(outcome, request_id=answer.request_id)))
            else:
                self._done(job, outcome)
        for job, fault in spoilt:
            job.attempts += 1
            job.spoilt += 1
            if fault.retryable and job.spoilt < ASKED_AT_MOST:
                await self._solve([job], gone)  # alone: the others' vectors have been paid for
            else:
                self._done(job, replace(fault, attempts=job.attempts))

    async def _failed(self, jobs: list[_Job], fault: RowError, gone: asyncio.Event) -> None:
        """Halve the request: one bad item fails all that travel with it."""
        for job in jobs:
            job.attempts += fault.attempts
        if len(jobs) == 1 or fault.code == STOPPED or isinstance(fault, Throttled):
            for job in jobs:
                self._done(job, replace(fault, attempts=job.attempts))
            return
        middle = len(jobs) // 2
        await self._solve(jobs[:middle], gone)
        await self._solve(jobs[middle:], gone)

    async def _sent(
        self, jobs: list[_Job], gone: asyncio.Event
    ) -> Answer[list[Vector | RowError]] | RowError | StoppedError:
        gone.set()
        return await self._send([job.item for job in jobs])

    def _done(self, job: _Job, outcome: Vector | RowError) -> None:
        self._jobs.pop(job.item, None)
        if not isinstance(outcome, RowError):
            for heard in job.heard:
                heard(outcome)
        if not job.outcome.done():
            job.outcome.set_result(outcome)

    def _guess(self, jobs: list[_Job]) -> Tokens:
        return Tokens(sum(job.item.tokens for job in jobs))
