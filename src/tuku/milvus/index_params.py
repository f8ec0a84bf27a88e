"""Which parameters a vector index and a search in it can have, what is allowed, and what they are by default.

Sources: Milvus' documentation of each index type ("Index building params", "Index-specific search params"; the pages
HNSW, HNSW_SQ, IVF_FLAT, IVF_SQ8, IVF_PQ, On-disk Index), its checks (pkg/util/indexparamcheck/constraints.go), and
what a server 2.3.5 refused. Where they differ, the narrower range: a server builds no HNSW with M = 1, though its
check lets that pass, and tries again for ever. An unknown parameter is ignored by servers before 2.5: a typing error
would go unnoticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuku.errors import ConfigError

if TYPE_CHECKING:
    from tuku.config import IndexConfig
    from tuku.milvus.capabilities import Capabilities

Value = bool | int | float | str
Params = dict[str, Value]

MAX_INT32 = 2**31 - 1
# FAISS wants at least so many rows to train one cluster (ClusteringParameters.min_points_per_centroid).
ROWS_PER_CLUSTER = 39


@dataclass(frozen=True)
class Number:
    """A parameter that is a number.

    Attributes:
        least: the smallest one.
        most: the largest one.
        whole: whether it must be an integer.
    """

    least: int
    most: int = MAX_INT32
    whole: bool = True

    def takes(self, value: Value) -> bool:
        """Whether it may have this value."""
        fitting = isinstance(value, int if self.whole else (int, float)) and not isinstance(value, bool)
        return fitting and self.least <= float(value) <= self.most

    def __str__(self) -> str:
        return f"{'an integer' if self.whole else 'a number'} from {self.least} to {self.most}"


@dataclass(frozen=True)
class Choice:
    """A parameter that is one of some values."""

    values: tuple[Value, ...]

    def takes(self, value: Value) -> bool:
        """Whether it may have this value."""
        return any(value == each and type(value) is type(each) for each in self.values)

    def __str__(self) -> str:
        return f"one of {', '.join(str(each).lower() if isinstance(each, bool) else str(each) for each in self.values)}"


Kinds = Mapping[str, Number | Choice]

_NLIST: Kinds = {"nlist": Number(1, 65_536)}
_GRAPH: Kinds = {"M": Number(2, 2_048), "efConstruction": Number(1)}
_PRECISIONS = ("SQ6", "SQ8", "BF16", "FP16")
BUILD: dict[str, Kinds] = {
    "HNSW": _GRAPH,
    "HNSW_SQ": {
        **_GRAPH,
        "sq_type": Choice(("SQ4U", *_PRECISIONS)),
        "refine": Choice((True, False)),
        "refine_type": Choice((*_PRECISIONS, "FP32")),
    },
    "IVF_FLAT": _NLIST,
    "IVF_SQ8": _NLIST,
    "IVF_PQ": {**_NLIST, "m": Number(1, 65_536), "nbits": Number(1, 16)},
    # A server's own file, milvus.yaml, says how it builds these.
    "DISKANN": {},
    "AUTOINDEX": {},
    "FLAT": {},
}
_EF: Kinds = {"ef": Number(1)}
_NPROBE: Kinds = {"nprobe": Number(1, 65_536)}
SEARCH: dict[str, Kinds] = {
    "HNSW": _EF,
    "HNSW_SQ": {**_EF, "refine_k": Number(1, whole=False)},
    "IVF_FLAT": _NPROBE,
    "IVF_SQ8": _NPROBE,
    "IVF_PQ": _NPROBE,
    "DISKANN": {"search_list": Number(1, 65_535)},
    "AUTOINDEX": {**_EF, "level": Number(1, 10)},  # ef of an open-source Milvus, level of a managed service
    "FLAT": {},
}
DEFAULTS: dict[str, Params] = {
    "HNSW": {"M": 16, "efConstruction": 200},
    "HNSW_SQ": {"M": 16, "efConstruction": 200, "sq_type": "SQ8"},
    "IVF_FLAT": {"nlist": 1_024},
    "IVF_SQ8": {"nlist": 1_024},
    "IVF_PQ": {"nlist": 1_024, "nbits": 8},  # m follows from the dimension
    "DISKANN": {},
    "AUTOINDEX": {},
    "FLAT": {},
}


def wanted_params(index: IndexConfig) -> Params:
    """Defaults, and the configuration's over them."""
    return {**DEFAULTS[index.type], **index.params}


def build_params(index: IndexConfig, rows: int, dim: int) -> Params:
    """What an index of so many rows is built with: no more clusters than they can train.

    Args:
        index: its type, and `params` that override the defaults.
        rows: in the collection.
        dim: length of the vectors.
    """
    params = wanted_params(index)
    if "nlist" in params:
        params["nlist"] = min(int(params["nlist"]), _most_clusters(index, rows))
    if index.type == "IVF_PQ":
        params.setdefault("m", default_m(dim))
    return params


def default_m(dim: int) -> int:
    """Into how many parts product quantisation cuts a vector: half of its length, or the next divisor below.

    Milvus' documentation recommends dim / 2, and nothing below dim / 8; a length that has no such divisor is
    cut into single numbers.
    """
    return next((m for m in range(dim // 2, 0, -1) if dim % m == 0 and m * 8 >= dim), dim)


def remarks(index: IndexConfig, rows: int) -> str:
    """What became of the configured parameters because the rows are few: for the report; empty if nothing did.

    Args:
        index: its type and `params`.
        rows: in the collection.
    """
    params, said = wanted_params(index), []
    nlist, most = int(params.get("nlist", 0)), _most_clusters(index, rows)
    if nlist > most:
        said.append(f"nlist lowered from {nlist} to {most}")
    advised = ROWS_PER_CLUSTER * 2 ** int(params.get("nbits", 0))
    if index.type == "IVF_PQ" and rows < advised:
        said.append(f"nbits {params['nbits']} is trained best with {advised:,} rows or more, and there are {rows:,}")
    return "; ".join(said)


def _most_clusters(index: IndexConfig, rows: int) -> int:
    # What somebody has asked for is lowered only as far as it must be.
    return max(1, rows if "nlist" in index.params else rows // ROWS_PER_CLUSTER)


def require_params(index: IndexConfig, dim: int, able: Capabilities | None = None) -> None:
    """Whether the configured parameters of the index and of a search exist, and have values that are allowed.

    Args:
        index: type, `params` and `search_params`.
        dim: length of the vectors.
        able: what this Milvus can do; None: what any can.

    Raises:
        ConfigError: naming the key, the value and what is allowed.
    """
    _require("params", index.type, index.params, BUILD[index.type])
    _require("search_params", index.type, index.search_params, SEARCH[index.type])
    m = index.params.get("m")
    if m is not None and dim % int(m):
        divisors = ", ".join(str(each) for each in range(1, dim + 1) if dim % each == 0)
        raise ConfigError(
            f"milvus.index.params.m is {m}, which does not divide the length of the vectors, {dim}.",
            f"Choose one of {divisors}, or leave it out: then it is {default_m(dim)}.",
        )
    refining = index.params.get("refine") is True
    for section, name in (("params", "refine_type"), ("search_params", "refine_k")):
        if name in getattr(index, section) and not refining:
            raise ConfigError(
                f"milvus.index.{section}.{name} is set, and milvus.index.params.refine is not true.",
                "Set that too, or leave both out.",
            )
    if able is not None and able.lite:
        _require_lite(index)


def _require(section: str, kind: str, given: Params, allowed: Kinds) -> None:
    for name, value in given.items():
        key = f"milvus.index.{section}.{name}"
        if name not in allowed:
            raise ConfigError(
                f"{key} is {value!r}, and an index of the type {kind} has no such parameter.",
                f"It has {', '.join(allowed) or 'none'}.",
            )
        if not allowed[name].takes(value):
            raise ConfigError(f"{key} is {value!r}.", f"It must be {allowed[name]}.")


def _require_lite(index: IndexConfig) -> None:
    """Milvus Lite has one kind of HNSW_SQ, and passes over what would ask for another."""
    for section, name in (("params", "sq_type"), ("params", "refine")):
        value = getattr(index, section).get(name)
        if value not in {None, False, "SQ8"}:
            raise ConfigError(
                f"milvus.index.{section}.{name} is {value!r}, and Milvus Lite has SQ8 without refinement only.",
                "Leave it out, or set milvus.uri to a server.",
            )
