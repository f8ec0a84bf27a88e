"""Access to a model's service for one process, outside of a run: for `tuku search` and `tuku doctor`."""

from __future__ import annotations

import asyncio

from tuku.config import Config
from tuku.errors import StoppedError
from tuku.protocols import ModelDescription
from tuku.providers.factory import Access
from tuku.quota.governor import Governor
from tuku.quota.local import LocalQuota
from tuku.terms import Charge

_PATIENCE_S = 20.0
"""Somebody is waiting: neither a service that is down nor a turn is waited for as long as by a job."""


class PatientQuota(LocalQuota):
    """A quota that halts when a turn takes too long.

    Args:
        governor: gives out the turns.
        name: of the quota, for the message.
        patience_s: how long a turn is waited for.
    """

    def __init__(self, governor: Governor, name: str, patience_s: float) -> None:
        super().__init__(governor)
        self._name, self._patience_s = name, patience_s

    async def acquire(self, charge: Charge) -> None:
        """See `Quota`.

        Raises:
            StoppedError: no turn has come in time.
        """
        try:
            await asyncio.wait_for(super().acquire(charge), self._patience_s)
        except asyncio.TimeoutError:  # before Python 3.11 it is no TimeoutError
            error = StoppedError(
                f"{self._name} has let no request through for {self._patience_s:g} s.",
                "Raise it if the service allows more, or try again in a minute.",
            )
            self.halt(error)
            raise error from None


def local_access(description: ModelDescription | None, config: Config, stage: str | None = None) -> Access | None:
    """Access within the model's own quota, of which nobody else knows; None for a model without terms.

    Args:
        description: with its terms as configured; None for a catalogue without captions.
        config: `quota.share` and `retry` count.
        stage: the configuration's section that has the quota; None: ``caption`` or ``embed``, by the description.
    """
    if description is None or description.terms is None:
        return None
    terms = description.terms
    stage = stage or ("caption" if description.dim is None else "embed")
    limits = ((terms.requests_per_min, "requests_per_min"), (terms.tokens_per_min, "tokens_per_min"))
    known = [f"{stage}.quota.{key} {limit:,}" for limit, key in limits if limit is not None]
    share = [f"quota.share {config.quota.share:g}"] if config.quota.share < 1 else []
    governor = Governor(terms.requests_per_min, terms.tokens_per_min, config.quota.share)
    patience = {name: min(getattr(config.retry, name), _PATIENCE_S) for name in ("max_total_s", "max_outage_s")}
    name = f"The quota of {description.model} ({', '.join([*known, *share])})"
    quota = PatientQuota(governor, name, _PATIENCE_S)
    return Access(quota, config.retry.model_copy(update=patience))
