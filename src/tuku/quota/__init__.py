"""Leave to call a service at its quota, and not above: paced, adaptive, shared by all who ask for it.

`Governor` decides and is pure: the time is passed in. `LeasedQuota` is the side of one process that waits for its
turns; `LocalQuota` is both in one process.
"""

from tuku.quota.governor import HORIZON_S, Governor, Snapshot
from tuku.quota.leases import LeasedQuota
from tuku.quota.local import LocalQuota
from tuku.quota.messages import Grant, Refusal, Settlement

__all__ = ["HORIZON_S", "Governor", "Grant", "LeasedQuota", "LocalQuota", "Refusal", "Settlement", "Snapshot"]
