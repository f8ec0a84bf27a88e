"""Lakes without a run behind them, for benchmarks of what comes after: vectors by chance, everything else small."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from tuku.lake import Lake
from tuku.lake_view import LakeView
from tuku.schemas import DEAD_LETTERS, IMAGES

MODEL = "made/by-chance@1"
ROWS_PER_FILE = 4_096
_FREEDOM = 24
"""Directions in which the vectors differ: as with a real model far fewer than they have dimensions."""


def lake_of(folder: Path, rows: int, dim: int, kinds: tuple[str, ...]) -> LakeView:
    """A lake of so many images in one committed run; one that is there is taken as it is.

    Args:
        folder: gets the lake.
        rows: how many images.
        dim: length of the vectors.
        kinds: which vectors it has: ``image``, ``text``.
    """
    lake = Lake.at(str(folder))
    if not lake.committed_runs():
        run, _ = lake.begin()
        for number, start in enumerate(range(0, rows, ROWS_PER_FILE)):
            images = _images(range(start, min(rows, start + ROWS_PER_FILE)), dim, kinds, run.run_id)
            run.write_block(f"{number:06d}", images, DEAD_LETTERS.empty_table())
        run.commit()
    view = LakeView.of_one_space(lake)
    assert view.rows() == rows, f"{folder} is of another benchmark: remove it"
    return view


def _images(numbers: range, dim: int, kinds: tuple[str, ...], run_id: str) -> pa.Table:
    columns = {
        "image_id": [f"sku-{i:08d}" for i in numbers],
        "uri": [f"https://cdn.example.org/pictures/{i:08d}.jpg" for i in numbers],
        "content_sha256": [f"{i:064x}" for i in numbers],
        "caption": [f"A picture of something that is for sale, number {i} of the catalogue" for i in numbers],
        "keywords": [["picture", "sale", str(i % 100)] for i in numbers],
        "metadata": [json.dumps({"title": f"picture {i}", "price": i % 500 + 0.5, "stock": i % 7}) for i in numbers],
        "caption_model": [MODEL] * len(numbers),
        "embed_model": [MODEL] * len(numbers),
        "run_id": [run_id] * len(numbers),
        **{f"{kind}_embedding": _vectors(numbers, dim, kind) for kind in kinds},
    }
    arrays = [pa.array(columns.get(field.name, [None] * len(numbers)), field.type) for field in IMAGES]
    return pa.table(arrays, schema=IMAGES)


def _vectors(numbers: range, dim: int, kind: str) -> list[np.ndarray]:
    """float32 (n, dim), L2-normalised."""
    directions = np.random.default_rng(0).normal(size=(_FREEDOM, dim))
    chance = np.random.default_rng([numbers.start, len(kind)])
    vectors = chance.normal(size=(len(numbers), _FREEDOM)) @ directions + 0.2 * chance.normal(size=(len(numbers), dim))
    return list((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))
