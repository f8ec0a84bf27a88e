"""A model's quota for the whole cluster: one named Ray actor that gives out turns, and each worker's way to it."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from tuku.config import QuotaShareConfig
from tuku.protocols import ModelDescription
from tuku.quota.governor import Governor
from tuku.quota.leases import LeasedQuota
from tuku.quota.messages import Grant, Refusal, Settlement

T = TypeVar("T")

_log = logging.getLogger(__name__)
_NAMESPACE = "tuku"
_IDLE_S = 900.0
"""A quota that nobody has asked for so long ends itself: on a shared cluster it outlives the job that made it."""
_PATIENCE_S = 60.0
_PAUSE_S = 0.25


Limits = tuple[int | None, int | None, float]
"""Requests and tokens a minute (None: no limit is known), and the share of them to use."""


class QuotaActor:
    """The `Governor` of one account and model. Its state may be lost at any time: it begins slowly again."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._governor = Governor(*limits, recovering=True)
        self._asked_s = time.monotonic()
        self._watched = False

    async def agree(self, limits: Limits) -> None:
        """Go by these limits (see `Governor`): those of whoever came last."""
        if limits != self._limits:
            self._limits, self._governor = limits, Governor(*limits, recovering=True)

    async def lease(self, client: str, wanted: Sequence[int]) -> Grant:
        """See `Governor.lease`."""
        self._asked_s = time.monotonic()
        return self._governor.lease(self._asked_s, client, wanted)

    async def report(self, settled: Sequence[Settlement], refused: Sequence[Refusal]) -> None:
        """See `Governor.report`."""
        self._governor.report(time.monotonic(), settled, refused)

    async def end_when_idle(self) -> None:
        """Return, and end, once nobody has asked for a while."""
        import ray

        if self._watched:
            return
        self._watched = True
        while time.monotonic() - self._asked_s < _IDLE_S:  # noqa: ASYNC110  it is time that is waited for
            await asyncio.sleep(_IDLE_S / 10)
        ray.actor.exit_actor()


def cluster_quota(model: ModelDescription, config: QuotaShareConfig) -> LeasedQuota:
    """This process's part in the quota of a model, which all jobs of the cluster share that name the same account.

    Args:
        model: has terms.
        config: the account's name, and the part of its quota that this cluster may use.
    """
    client = uuid.uuid4().hex
    actor = _Reached(model, config)

    async def lease(wanted: Sequence[int]) -> Grant:
        return await actor.ask(lambda handle: handle.lease.remote(client, wanted))

    async def report(settled: Sequence[Settlement], refused: Sequence[Refusal]) -> None:
        await actor.ask(lambda handle: handle.report.remote(settled, refused))

    return LeasedQuota(lease, report)


class _Reached:
    """The actor, started by whoever needs it first, and again when it has been lost."""

    def __init__(self, model: ModelDescription, config: QuotaShareConfig) -> None:
        self._model = model
        self._config = config
        self._handle: Any = None

    async def ask(self, question: Callable[[Any], Awaitable[T]]) -> T:
        import ray

        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                if self._handle is None:
                    self._handle = await asyncio.to_thread(self._started)
                return await question(self._handle)
            except (ray.exceptions.RayActorError, ray.exceptions.RayTaskError, ValueError) as error:
                if time.monotonic() > deadline:
                    raise
                _log.info("The quota actor was lost (%s); another takes its place.", type(error).__name__)
                self._handle = None
                await asyncio.sleep(_PAUSE_S)

    def _started(self) -> Any:
        import ray

        terms, config = self._model.terms, self._config
        requests, tokens = (None, None) if terms is None else (terms.requests_per_min, terms.tokens_per_min)
        limits = (requests, tokens, config.share)
        name = f"quota/{config.account}/{self._model.model}"  # whoever asks: DashScope has two protocols, and one quota
        remote = ray.remote(num_cpus=0, max_restarts=-1)(QuotaActor)
        handle = remote.options(
            name=name, namespace=_NAMESPACE, lifetime="detached", get_if_exists=True, max_concurrency=1000
        ).remote(limits)
        handle.agree.remote(limits)
        handle.end_when_idle.remote()
        return handle
