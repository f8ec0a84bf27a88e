"""How good ranked results are, against the ids that somebody has marked as right."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

K = 10
"""Results of a query that are looked at."""


@dataclass(frozen=True)
class Quality:
    """Of one query, or the mean of several; each value in [0, 1].

    Attributes:
        recall_1: share of the relevant images that is among the first result; likewise 5 and 10.
        mrr: 1 / rank of the first relevant one, 0 if none is among the first 10.
        ndcg_10: normalised discounted cumulative gain with binary relevance (Järvelin and Kekäläinen, 2002).
    """

    recall_1: float
    recall_5: float
    recall_10: float
    mrr: float
    ndcg_10: float

    @classmethod
    def of(cls, found: Sequence[str], relevant: Collection[str]) -> Self:
        """Of one query.

        Args:
            found: ids, best first; those after the 10th do not count.
            relevant: at least one id.
        """
        hits = [image_id in relevant for image_id in found[:K]]
        gain = sum(hit / math.log2(rank + 1) for rank, hit in enumerate(hits, start=1))
        ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(len(relevant), K) + 1))
        return cls(
            recall_1=sum(hits[:1]) / len(relevant),
            recall_5=sum(hits[:5]) / len(relevant),
            recall_10=sum(hits) / len(relevant),
            mrr=next((1 / rank for rank, hit in enumerate(hits, start=1) if hit), 0.0),
            ndcg_10=gain / ideal,
        )

    @classmethod
    def mean(cls, each: Sequence[Quality]) -> Self:
        """Of several queries, at least one."""
        return cls(**{name: sum(getattr(one, name) for one in each) / len(each) for name in cls.__annotations__})

    def to_dict(self) -> dict[str, float]:
        """As in `evaluate --json`."""
        return {
            "recall@1": round(self.recall_1, 6),
            "recall@5": round(self.recall_5, 6),
            "recall@10": round(self.recall_10, 6),
            "mrr": round(self.mrr, 6),
            "ndcg@10": round(self.ndcg_10, 6),
        }


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so many of them do not exceed (nearest rank).

    Args:
        values: at least one.
        share: such as 0.95.
    """
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
