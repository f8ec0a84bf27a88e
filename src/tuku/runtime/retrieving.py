"""Retrieval from the collection that readers see."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tuku.conditions import Condition, comparisons
from tuku.config import MilvusConfig, SearchConfig
from tuku.errors import ConfigError
from tuku.milvus.address import is_local
from tuku.milvus.fields import ID, KEYWORDS, scalar_fields, vector_fields
from tuku.protocols import Vector
from tuku.search.fuse import fused, weights
from tuku.search.known_fields import KnownField, KnownFields, seen_in
from tuku.search.results import Result

if TYPE_CHECKING:
    from pymilvus import MilvusClient

_SAMPLE_ROWS = 1_000
_FRESH_S = 60.0
_STORED = ("content_sha256", "run_id", "caption_model", "embed_model")
_KINDS = {"varchar": "text", "int64": "number", "double": "number", "bool": "bool"}


@dataclass
class MilvusRetriever:
    """Implements `search.retriever.Retriever` on a loaded collection, behind the alias that readers use.

    Args:
        client: an open client.
        config: of the collection.
        search: how two fields are fused, and how long an answer may take.
    """

    client: MilvusClient
    config: MilvusConfig
    search: SearchConfig
    _known: KnownFields = field(default_factory=dict)
    _asked_at: float = -_FRESH_S
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def nearest(
        self,
        field: str,
        vectors: Sequence[Vector],
        limit: int,
        where: Condition | None,
        fields: Sequence[str] | None = None,
    ) -> list[list[Result]]:
        """See `Retriever`.

        Raises:
            ConfigError: the filter asks for what this Milvus cannot do.
            MilvusError: the collection did not answer.
        """
        from tuku.milvus.search import search

        found = search(
            self.client,
            self.config.collection,
            field,
            np.asarray(vectors, dtype=np.float32),
            self.config.index,
            limit=limit,
            where=self._expression(where),
            output=self._output(fields),
            timeout_s=self.search.timeout_s,
        )
        return [[_result(hit.fields | {ID: hit.id}, {field: hit.score}, fields) for hit in hits] for hits in found]

    def fused(
        self,
        vectors: Sequence[Vector],
        limit: int,
        where: Condition | None,
        fields: Sequence[str] | None = None,
        *,
        by_score: bool = False,
    ) -> list[list[Result]]:
        """See `Retriever`: Milvus fuses them, or, where it has no such call, this does, to the same end.

        Raises:
            ConfigError: the filter asks for what this Milvus cannot do.
            MilvusError: the collection did not answer.
        """
        if not by_score:
            found = self._fused_there(vectors, limit, where, fields)
            if found is not None:
                return found
        here = self.fused_here(vectors, limit, where, fields)
        if by_score:
            return here
        if fields is not None:
            return [results[:limit] for results in here]
        return [self.scored(vector, results[:limit]) for vector, results in zip(vectors, here, strict=True)]

    def fused_here(
        self, vectors: Sequence[Vector], limit: int, where: Condition | None, fields: Sequence[str] | None = None
    ) -> list[list[Result]]:
        """All that is among the `limit` (or `search.candidates`) nearest in a field, fused without Milvus' help.

        A score is missing where a field did not find the image.

        Raises:
            ConfigError: the filter asks for what this Milvus cannot do.
            MilvusError: the collection did not answer.
        """
        depth = max(limit, self.search.candidates)
        by_field = {name: self.nearest(name, vectors, depth, where, fields) for name in vector_fields(self.config)}
        return [
            fused({name: found[number] for name, found in by_field.items()}, self.search, self.config.index.metric)
            for number in range(len(vectors))
        ]

    def scored(self, vector: Vector, results: Sequence[Result]) -> list[Result]:
        """See `Retriever`.

        Raises:
            MilvusError: the collection did not answer.
        """
        from tuku.milvus.hybrid import field_scores

        names = vector_fields(self.config)
        unknown = [each.id for each in results if not each.scores.keys() >= set(names)]
        if not unknown:
            return list(results)
        scores = field_scores(self.client, self.config, unknown, vector, self.search.timeout_s)
        return [replace(each, scores=scores.get(each.id, each.scores)) for each in results]

    def images(self, ids: Sequence[str]) -> dict[str, Result]:
        """See `Retriever`.

        Raises:
            MilvusError: the collection did not answer.
        """
        from tuku.milvus.search import everything, rows_of

        rows = rows_of(self.client, self.config.collection, ids, everything(self.config), self.search.timeout_s)
        return {row["id"]: _result(row, {}) for row in rows}

    def some(self, limit: int, where: Condition | None = None) -> list[Result]:
        """So many images that meet a filter, whichever Milvus gives first.

        Raises:
            ConfigError: the filter asks for what this Milvus cannot do.
            MilvusError: the collection did not answer.
        """
        from tuku.milvus.search import everything, some_rows

        expression, output = self._expression(where), everything(self.config)
        rows = some_rows(self.client, self.config.collection, expression, limit, output, self.search.timeout_s)
        return [_result(row, {}) for row in rows]

    def fields(self) -> KnownFields:
        """See `Retriever`; asked again once a minute.

        Raises:
            MilvusError: the collection did not answer.
        """
        from tuku.milvus.metadata import sample

        with self._lock:
            if time.monotonic() - self._asked_at >= _FRESH_S:
                seen = seen_in(sample(self.client, self.config, _SAMPLE_ROWS))
                self._known = {**_fixed_fields(), **seen, **self._typed_fields(seen)}
                self._asked_at = time.monotonic()
            return self._known

    def has_field(self, name: str) -> bool:
        """See `Retriever`.

        Raises:
            MilvusError: the collection did not answer.
        """
        from tuku.milvus.metadata import has_field

        return has_field(self.client, self.config, name)

    def _expression(self, where: Condition | None) -> str:
        """Milvus' filter; empty for none."""
        if where is None:
            return ""
        from tuku.milvus.capabilities import matches_patterns
        from tuku.milvus.filters import expression, is_prefix

        patterns = [str(each.values[0]) for each in comparisons(where) if each.operator in {"like", "not like"}]
        if not all(is_prefix(pattern) for pattern in patterns) and not matches_patterns(self.client, self.config):
            raise ConfigError(
                "This Milvus, older than 2.4, finds only how a text begins: like 'abc%'.",
                "Write such a pattern, or use a newer server.",
            )
        return expression(where, self.config.indexed_metadata, lite=is_local(self.config.uri))

    def _typed_fields(self, seen: KnownFields) -> dict[str, KnownField]:
        return {
            name: replace(seen.get(name, KnownField()), kinds=frozenset({_KINDS[kind]}), typed=kind)
            for name, kind in self.config.indexed_metadata.items()
        }

    def _output(self, fields: Sequence[str] | None) -> list[str]:
        """The names to ask Milvus for."""
        from tuku.milvus.search import everything, only

        return everything(self.config) if fields is None else only(self.config, fields)

    def _fused_there(
        self, vectors: Sequence[Vector], limit: int, where: Condition | None, fields: Sequence[str] | None
    ) -> list[list[Result]] | None:
        from tuku.milvus.hybrid import hybrid_search

        by_field = weights(self.search)
        found = hybrid_search(
            self.client,
            self.config.collection,
            {name: by_field[name] for name in vector_fields(self.config)},
            np.asarray(vectors, dtype=np.float32),
            self.config.index,
            self.search,
            limit=limit,
            where=self._expression(where),
            output=self._output(fields),
            scored=fields is None,
        )
        if found is None:
            return None
        return [[replace(_result(row, scores, fields), score=score) for row, score, scores in rows] for rows in found]


def _fixed_fields() -> dict[str, KnownField]:
    texts = {name: KnownField(frozenset({"text"})) for name in scalar_fields()}
    return texts | {KEYWORDS: KnownField(frozenset({"list"}), typed="varchar")}


def _result(row: Mapping[str, Any], scores: Mapping[str, float], fields: Sequence[str] | None = None) -> Result:
    """An image from the collection's fields.

    Args:
        row: values by field.
        scores: of the one vector field that found it, if one did.
        fields: those that are kept; None: all.
    """
    own = {*scalar_fields(), "$meta"}
    kept = {name: value for name, value in row.items() if fields is None or name in fields}
    return Result(
        id=str(row[ID]),
        score=next(iter(scores.values()), 0.0),
        scores=scores,
        uri=kept.get("origin", ""),
        caption=kept.get("image_description", ""),
        keywords=tuple(kept.get(KEYWORDS, ())),
        metadata={name: value for name, value in kept.items() if name not in own and value is not None},
        stored={name: kept[name] for name in _STORED if name in kept},
    )
