"""Parameters of an index are checked before any work, and fit the rows and the vectors."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuku.config import IndexConfig
from tuku.errors import ConfigError
from tuku.milvus.capabilities import Capabilities
from tuku.milvus.index_params import BUILD, SEARCH, build_params, default_m, remarks, require_params
from tuku.milvus.search import search_params

LITE = Capabilities(lite=True, version=(3, 2), said="3.2.2", imports=None)
TYPES = ["HNSW", "HNSW_SQ", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "DISKANN", "FLAT", "AUTOINDEX"]


def index(kind: str = "HNSW", search: dict[str, Any] | None = None, **params: Any) -> IndexConfig:
    return IndexConfig(type=kind, params=params, search_params=search or {})


@pytest.mark.parametrize("kind", TYPES)
def test_what_tuku_sends_by_itself_is_allowed(kind: str) -> None:
    built = build_params(index(kind), 100_000, 1_024)
    assert set(built) <= set(BUILD[kind])
    for limit in (1, 10, 1_000):
        for thorough in (False, True):
            searched = search_params(index(kind), limit, thorough=thorough)
            require_params(index(kind, searched, **built), 1_024)
    require_params(index(kind), 1)


@pytest.mark.parametrize(
    ("params", "kind", "says"),
    [
        ({"M": 1}, "HNSW", r"milvus\.index\.params\.M is 1\. It must be an integer from 2 to 2048"),
        ({"M": 2_049}, "HNSW", "2049"),
        ({"M": 16.0}, "HNSW", r"16\.0\. It must be an integer"),
        ({"M": "16"}, "HNSW", "'16'"),
        ({"M": True}, "HNSW", "True"),
        ({"efConstruction": 0}, "HNSW", r"params\.efConstruction is 0"),
        ({"nlist": 8}, "HNSW", r"params\.nlist is 8.*type HNSW has no such parameter. It has M, efConstruction"),
        ({"m": 8}, "HNSW", r"params\.m is 8.*no such parameter"),
        ({"nlist": 0}, "IVF_FLAT", "from 1 to 65536"),
        ({"nlist": 65_537}, "IVF_SQ8", "from 1 to 65536"),
        ({"nbits": 8}, "IVF_SQ8", "no such parameter"),
        ({"nbits": 17}, "IVF_PQ", "from 1 to 16"),
        ({"m": 0}, "IVF_PQ", "from 1 to 65536"),
        ({"m": 5}, "IVF_PQ", r"params\.m is 5, which does not divide .* 16\. Choose one of 1, 2, 4, 8, 16.* it is 8"),
        ({"sq_type": "SQ7"}, "HNSW_SQ", "one of SQ4U, SQ6, SQ8, BF16, FP16"),
        ({"refine": 1}, "HNSW_SQ", "one of true, false"),
        ({"refine_type": "FP32"}, "HNSW_SQ", r"params\.refine is not true"),
        ({"M": 8}, "AUTOINDEX", "has no such parameter. It has none"),
        ({"x": 1}, "FLAT", "It has none"),
        ({"max_degree": 56}, "DISKANN", "It has none"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_is_allowed(params: dict, kind: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        require_params(index(kind, **params), 16)


@pytest.mark.parametrize(
    ("kind", "search"),
    [
        ("HNSW", {"ef": 0}),
        ("HNSW", {"nprobe": 8}),
        ("IVF_PQ", {"nprobe": 0}),
        ("IVF_FLAT", {"nprobe": 65_537}),
        ("DISKANN", {"search_list": 65_536}),
        ("HNSW_SQ", {"refine_k": 2}),
        ("AUTOINDEX", {"level": 11}),
        ("FLAT", {"ef": 8}),
    ],
)
def test_a_wrong_parameter_of_a_search_is_named(kind: str, search: dict) -> None:
    with pytest.raises(ConfigError, match=rf"milvus\.index\.search_params\.{next(iter(search))} is"):
        require_params(index(kind, search), 16)


def test_the_bounds_themselves_are_allowed() -> None:
    require_params(index("HNSW", {"ef": 1}, M=2, efConstruction=1), 16)
    require_params(index("HNSW", {"ef": 2**31 - 1}, M=2_048, efConstruction=2**31 - 1), 16)
    require_params(index("IVF_PQ", {"nprobe": 65_536}, nlist=65_536, m=16, nbits=16), 16)
    require_params(index("HNSW_SQ", {"refine_k": 1.5}, sq_type="SQ4U", refine=True, refine_type="FP32"), 16)


@pytest.mark.parametrize("params", [{"sq_type": "SQ6"}, {"refine": True}])
def test_embedded_milvus_would_pass_over_another_quantisation(params: dict) -> None:
    require_params(index("HNSW_SQ", **params), 16)
    with pytest.raises(ConfigError, match=f"{next(iter(params))}.*Milvus Lite has SQ8 without refinement"):
        require_params(index("HNSW_SQ", **params), 16, LITE)
    require_params(index("HNSW_SQ", sq_type="SQ8", refine=False), 16, LITE)


@pytest.mark.parametrize(
    ("params", "rows", "nlist", "said"),
    [
        ({}, 1_000_000, 1_024, ""),
        ({}, 390, 10, "nlist lowered from 1024 to 10"),
        ({}, 0, 1, "nlist lowered from 1024 to 1"),
        ({"nlist": 512}, 400, 400, "nlist lowered from 512 to 400"),
        ({"nlist": 400}, 400, 400, ""),
    ],
)
def test_an_ivf_index_has_no_more_clusters_than_it_can_train_and_says_so(
    params: dict, rows: int, nlist: int, said: str
) -> None:
    assert build_params(index("IVF_FLAT", **params), rows, 16) == {"nlist": nlist}
    assert remarks(index("IVF_FLAT", **params), rows) == said


def test_few_rows_for_product_quantisation_are_mentioned() -> None:
    assert remarks(index("IVF_PQ", nlist=4), 9_984) == ""
    assert (
        remarks(index("IVF_PQ", nlist=4), 9_983)
        == "nbits 8 is trained best with 9,984 rows or more, and there are 9,983"
    )
    assert remarks(index("HNSW"), 1) == remarks(index("FLAT"), 0) == ""


def test_index_parameters_of_the_configuration_win() -> None:
    assert build_params(index(M=32), 5, 16) == {"M": 32, "efConstruction": 200}
    assert build_params(index("FLAT"), 5, 16) == {}
    assert build_params(index("IVF_PQ", m=4), 10**6, 1_024)["m"] == 4
    assert build_params(index("IVF_PQ"), 10**6, 1_024) == {"nlist": 1_024, "nbits": 8, "m": 512}


@given(st.integers(min_value=1, max_value=4_096))
def test_the_default_m_divides_the_vectors_and_is_as_milvus_advises(dim: int) -> None:
    m = default_m(dim)
    assert dim % m == 0
    assert dim / 8 <= m <= dim


def test_the_index_looks_harder_for_more_results() -> None:
    assert search_params(index(), 10) == {"ef": 64}
    assert search_params(index(), 100) == {"ef": 200}
    assert search_params(index(search={"ef": 80}), 10) == {"ef": 80}
    assert search_params(index(search={"ef": 80}), 10, thorough=True) == {"ef": 32_768}
    assert search_params(index("IVF_SQ8"), 10) == {"nprobe": 64}
    assert search_params(index("IVF_PQ"), 10, thorough=True) == {"nprobe": 1_024}
    assert search_params(index("FLAT"), 10, thorough=True) == {}
    assert search_params(index("DISKANN"), 10) == {"search_list": 64}
    assert search_params(index("DISKANN"), 10, thorough=True) == {"search_list": 200}
    assert search_params(index("DISKANN"), 10_000, thorough=True) == {"search_list": 65_535}


@pytest.mark.parametrize(("kind", "name"), [("HNSW", "ef"), ("AUTOINDEX", "ef"), ("DISKANN", "search_list")])
def test_a_list_of_candidates_is_never_shorter_than_the_results(kind: str, name: str) -> None:
    assert search_params(index(kind, {name: 5}), 10) == {name: 10}
    assert search_params(index(kind, {name: 50}), 10) == {name: 50}


def test_every_type_has_its_parameters() -> None:
    assert set(BUILD) == set(SEARCH) == set(TYPES)
