"""All keys of a collection, and a digest by which two sets of keys are compared without holding either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pandas.util import hash_array

from tuku.errors import MilvusError
from tuku.milvus.calls import milvus_errors
from tuku.milvus.fields import ID
from tuku.milvus.filters import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pymilvus import MilvusClient

BATCH = 5_000


@dataclass
class KeyDigest:
    """How many keys there are, and the sum of their hashes modulo 2**64: the same for the same keys in any order.

    A key more or less, or one in the place of another, goes unseen with a probability of 2**-64.
    """

    count: int = 0
    total: int = 0

    def add(self, keys: Sequence[str]) -> None:
        """Some keys more."""
        if keys:
            hashes = hash_array(np.asarray(keys, dtype=object), categorize=False)
            self.count += len(keys)
            self.total = (self.total + int(hashes.sum(dtype=np.uint64))) % 2**64

    def __str__(self) -> str:
        return f"{self.count} keys, digest {self.total:016x}"


def all_ids(client: MilvusClient, name: str) -> Iterator[list[str]]:
    """All ids in a loaded collection, some thousand at a time, each once however often its key is there.

    Raises:
        MilvusError: Milvus did not answer, or gave keys anew that it had given before.
    """
    last = ""
    while page := _page_after(client, name, last):
        if page[-1] <= last:  # both sort by code points
            raise MilvusError(f"Milvus gives the same keys again while the keys of {name} are read.")
        last = page[-1]
        yield page


def _page_after(client: MilvusClient, name: str, last: str) -> list[str]:
    """The next keys in their order; none after the last.

    As pymilvus' query_iterator asks for them, which puts the last key into its filter as it is, quotes and all.
    """
    with milvus_errors(f"reading the keys of {name}"):
        rows = client.query(
            name,
            filter=f"{ID} > {quoted(last)}",
            output_fields=[ID],
            limit=BATCH,
            consistency_level="Strong",
            iterator="True",  # in the order of the keys
            reduce_stop_for_best="True",  # from every segment those that come next
        )
    return [str(row[ID]) for row in rows]
