"""Access to a model's service for one process, outside of a run: for `tuku search` and `tuku doctor`."""

from __future__ import annotations

from tuku.config import Config
from tuku.protocols import ModelDescription
from tuku.providers.factory import Access
from tuku.quota.governor import Governor
from tuku.quota.local import LocalQuota

_PATIENCE_S = 20.0
"""Somebody is waiting: a service that is down is not waited for as long as by a job."""


def local_access(description: ModelDescription | None, config: Config) -> Access | None:
    """Access within the model's own quota, of which nobody else knows; None for a model without terms.

    Args:
        description: with its terms as configured; None for a catalogue without captions.
        config: `quota.share` and `retry` count.
    """
    if description is None or description.terms is None:
        return None
    terms = description.terms
    governor = Governor(terms.requests_per_min, terms.tokens_per_min, config.quota.share)
    patience = {name: min(getattr(config.retry, name), _PATIENCE_S) for name in ("max_total_s", "max_outage_s")}
    return Access(LocalQuota(governor), config.retry.model_copy(update=patience))
