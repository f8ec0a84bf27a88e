"""What a server is asked to build."""

from __future__ import annotations

import pytest

from tuku.milvus.index import pieces


@pytest.mark.parametrize(("dim", "expected"), [(384, 192), (1_024, 512), (15, 5), (7, 1), (1, 1)])
def test_ivf_pq_cuts_vectors_into_equal_pieces(dim: int, expected: int) -> None:
    assert pieces(dim) == expected
    assert dim % expected == 0
