"""A whole query by `Searcher` against encoding and searching by hand, on 100,000 images.

python benchmarks/search.py [--only lite server] [--rows 100000] [--queries 300]

The lake is made by chance (`made_lakes`, 384 dimensions), queries are phrases that the bundled model encodes. Each is
asked by hand (`embed_queries`, `MilvusClient.search` for the ids, captions and metadata of ten) and by
`Searcher.search`, in turns, the order changing from query to query; no phrase is asked twice. On Milvus Lite there are
two vectors (and `--in both` is measured too, beside Milvus' own `hybrid_search`), on the server (2.3.5) one.

Goals: p95 of a whole query under 300 ms; the median by `Searcher` at most 1.15 of that by hand.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
from by_tuku import BENCH, order_of
from made_lakes import MODEL, lake_of
from pymilvus import AnnSearchRequest, MilvusClient, RRFRanker

from milvus_server import MilvusServer
from tuku.config import Config, EmbedConfig
from tuku.fetching import GuardedFetcher
from tuku.milvus.connect import connected
from tuku.milvus.job import load_and_verify
from tuku.milvus.reader import require_searchable
from tuku.milvus.search import everything, search_params
from tuku.protocols import Embedder
from tuku.providers.registry import create_embedder
from tuku.runtime.retrieving import MilvusRetriever
from tuku.search import Query, Searcher
from tuku.search.encode import Encoder
from tuku.search.quality import percentile

LIMIT = 10
WARM = 10
_COLOURS = ("red", "blue", "green", "yellow", "black", "white", "brown", "grey", "pink", "purple", "orange", "golden")
_THINGS = (
    "cat",
    "dog",
    "motorcycle",
    "cup",
    "chair",
    "lamp",
    "shoe",
    "bag",
    "phone",
    "watch",
    "bicycle",
    "car",
    "tree",
)
_PLACES = ("street", "kitchen", "garden", "beach", "forest", "studio", "room", "shelf", "wall", "field", "river")


def phrases(number: int) -> list[str]:
    """Different ones, the same every time."""
    made = [f"a {c} {t} in a {p}" for c, t, p in itertools.product(_COLOURS, _THINGS, _PLACES)]
    return [made[place] for place in np.random.default_rng(0).permutation(len(made))[:number]]


def filled(uri: str, kinds: tuple[str, ...], rows: int, dim: int) -> Config:
    """A collection with the lake in it, made once."""
    lake = lake_of(BENCH / f"search-{rows}", rows, dim, ("image", "text"))
    config = Config.model_validate(
        {
            "milvus": {"uri": uri, "vectors": kinds, "collection": "bench_search", "timeout_s": 3_600},
            "load": {"alias": False},
            "verify": {"min_recall": 0},
        }
    )
    with connected(config.milvus) as client:
        there = client.has_collection(config.milvus.collection)
    if not there:
        load_and_verify(order_of(config, lake, dim, lambda *_: None))
    return config


@contextmanager
def opened(config: Config, embedder: Embedder, dim: int) -> Iterator[tuple[Searcher, MilvusClient]]:
    with connected(config.milvus, create=False) as client, GuardedFetcher(config.fetch) as fetcher:
        require_searchable(client, config.milvus, MODEL, dim)
        encoder = Encoder(embedder, fetcher, config.decode)
        yield Searcher(config, encoder, MilvusRetriever(client, config.milvus, config.search)), client


def by_hand(client: MilvusClient, config: Config, embedder: Embedder, text: str) -> None:
    """What somebody would write with the model and pymilvus alone."""
    [vector] = embedder.embed_queries([text])
    parameters = {"metric_type": "COSINE", "params": search_params(config.milvus.index, LIMIT)}
    [hits] = client.search(
        config.milvus.collection,
        [vector],
        anns_field="image_embedding",
        search_params=parameters,
        limit=LIMIT,
        output_fields=everything(config.milvus),
    )
    assert len([{"id": hit["id"], "score": hit["distance"], **hit["entity"]} for hit in hits]) == LIMIT


def by_hand_in_both(client: MilvusClient, config: Config, embedder: Embedder, text: str) -> None:
    """Milvus' own fusion of the hundred nearest in each field."""
    [vector] = embedder.embed_queries([text])
    parameters = {"metric_type": "COSINE", "params": search_params(config.milvus.index, config.search.candidates)}
    fields = ("image_embedding", "text_embedding")
    asked = [AnnSearchRequest([vector], field, parameters, limit=config.search.candidates) for field in fields]
    output = everything(config.milvus)
    [hits] = client.hybrid_search(config.milvus.collection, asked, RRFRanker(60), limit=LIMIT, output_fields=output)
    assert len(hits) == LIMIT


def in_turns(ways: Mapping[str, Callable[[str], object]], texts: list[str]) -> dict[str, list[float]]:
    """Milliseconds of each query in each way."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number, text in enumerate(texts):
        names = list(ways) if number % 2 else list(ways)[::-1]
        for place, name in enumerate(names):
            started = time.perf_counter()
            ways[name](f"{text} {place}")  # no way finds its phrase encoded by another
            times[name].append((time.perf_counter() - started) * 1_000)
    return {name: values[WARM:] for name, values in times.items()}


def measure(config: Config, embedder: Embedder, dim: int, texts: list[str]) -> None:
    with opened(config, embedder, dim) as (searcher, client):
        _told(
            {
                "by hand": lambda text: by_hand(client, config, embedder, text),
                "Searcher": lambda text: searcher.search(Query(text=text, limit=LIMIT)),
            },
            texts,
            "one vector",
        )
        if len(config.milvus.vectors) > 1:
            _told(
                {
                    "hybrid_search": lambda text: by_hand_in_both(client, config, embedder, text),
                    "Searcher, both": lambda text: searcher.search(Query(text=text, target="both", limit=LIMIT)),
                },
                texts,
                "two vectors, fused",
            )


def _told(ways: Mapping[str, Callable[[str], object]], texts: list[str], title: str) -> None:
    times = in_turns(ways, texts)
    print(f"  {title}")
    for name, values in times.items():
        print(f"    {name:15} median {median(values):6.2f} ms, p95 {percentile(values, 0.95):6.2f} ms")
    hand, ours = (median(values) for values in times.values())
    print(f"    {ours / hand:.2f} of the time by hand")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", nargs="+", choices=["lite", "server"], default=["lite", "server"])
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--queries", type=int, default=300)
    given = options.parse_args()
    embedder = create_embedder(EmbedConfig())
    dim, texts = embedder.description.dim or 0, phrases(given.queries + WARM)
    BENCH.mkdir(parents=True, exist_ok=True)
    if "lite" in given.only:
        print(f"Milvus Lite, {given.rows:,} images", flush=True)
        measure(
            filled(str(BENCH / f"search-{given.rows}.db"), ("image", "text"), given.rows, dim), embedder, dim, texts
        )
    if "server" in given.only:
        print(f"Milvus 2.3.5, {given.rows:,} images", flush=True)
        with MilvusServer(BENCH / "search-server") as server:
            measure(filled(server.uri, ("image",), given.rows, dim), embedder, dim, texts)


if __name__ == "__main__":
    main()
