"""All keys of a collection, and a digest by which two sets of keys are compared without holding either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pandas.util import hash_array

from tuku.milvus.calls import milvus_errors
from tuku.milvus.fields import ID

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
        MilvusError: Milvus did not answer.
    """
    with milvus_errors(f"reading the keys of {name}"):
        pages = client.query_iterator(name, batch_size=BATCH, output_fields=[ID], consistency_level="Strong")
        try:
            while page := pages.next():
                yield [str(row[ID]) for row in page]
        finally:
            pages.close()
