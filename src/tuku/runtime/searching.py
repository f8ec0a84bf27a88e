"""`tuku search`: the searcher wired to its model, its collection and its files."""

from __future__ import annotations

import tempfile
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from tuku.config import Config
from tuku.errors import RowError, StoppedError, TukuError
from tuku.fetching import Fetcher, GuardedFetcher
from tuku.imaging import thumbnail
from tuku.output_file import require_output, write_output
from tuku.protocols import ModelDescription
from tuku.providers.factory import Access
from tuku.providers.registry import create_embedder, describe_embedder
from tuku.runtime.access import local_access
from tuku.runtime.quota_fit import require_fit
from tuku.runtime.remedies import remedy_of
from tuku.runtime.reranking import check_reranker, reordering_of
from tuku.runtime.retrieving import MilvusRetriever
from tuku.runtime.thumbnails import thumbnails
from tuku.search.encode import Encoder, Part, RefusedQueryError
from tuku.search.grid import draw_grid, png_of
from tuku.search.page import render_results
from tuku.search.query import Query
from tuku.search.query_file import open_lines, read_queries
from tuku.search.results import SearchAnswer
from tuku.search.searcher import Searcher

_TILE_PX = 480


@contextmanager
def open_searcher(config: Config) -> Iterator[Searcher]:
    """A searcher over the collection that readers see.

    Raises:
        ConfigError: the model, its package or its key is missing, or its quota is smaller than one request; likewise
            of the reranker, if one is configured.
        VectorSpaceError: the collection was filled by another model.
        MilvusError: there is no such collection, or no server.
    """
    from tuku.milvus.connect import connected
    from tuku.milvus.reader import require_searchable

    described = describe_embedder(config.embed)
    require_fit("embed", described)
    reranker = check_reranker(config)
    access = local_access(described, config)
    embedder = create_embedder(config.embed, access)
    model = embedder.description
    with connected(config.milvus, create=False) as client, GuardedFetcher(config.fetch) as fetcher:
        require_searchable(client, config.milvus, model.name, model.dim or 0)
        encoder = Encoder(
            embedder,
            fetcher,
            config.decode,
            config.search.picture_weight,
            lambda fault, part: _explained(fault, part, model, config, access),
        )
        reordering = None if reranker is None else reordering_of(config, reranker, fetcher)
        yield Searcher(config, encoder, MilvusRetriever(client, config.milvus, config.search), reordering)


def _explained(
    fault: RowError, part: Part, model: ModelDescription, config: Config, access: Access | None
) -> TukuError:
    """Whose fault it is that there is no vector: the service's (it may work again later), or the query's."""
    if access is not None and access.quota.halted is not None:
        return access.quota.halted
    remedy = remedy_of(fault, "embed", config.embed)
    if fault.retryable:
        return StoppedError(f"{model.provider}/{model.model} did not answer: {fault.sentence}", remedy)
    if fault.code == "unexpected_error":
        return TukuError(f"{model.provider}/{model.model} could not be asked: {fault.sentence}", remedy)
    return RefusedQueryError(fault, part, remedy)


def search(
    config: Config, query: Query, *, grid: Path | None = None, html: Path | None = None, opened: bool = False
) -> tuple[SearchAnswer, dict[str, Path]]:
    """Answer one query, and show the answer as asked.

    Args:
        config: the configuration.
        query: what is asked.
        grid: where to write the answer as a picture (PNG).
        html: where to write it as a page.
        opened: show that page in the browser; without `html` it is a temporary file.

    Returns:
        The answer, and what was written: ``grid`` and ``page``.

    Raises:
        TukuError: see `open_searcher` and `Searcher.search`.
        RowError: the query's picture cannot be used.
    """
    for file in (grid, html):
        if file is not None:
            require_output(file)
    written: dict[str, Path] = {}
    with open_searcher(config) as searcher:
        answer = searcher.search(query)
        if grid is None and html is None and not opened:
            return answer, written
        pictures, asked = _pictures(answer, searcher.encoder.fetcher, config)
    if grid is not None:
        write_output(grid, png_of(draw_grid(answer, pictures, asked)))
        written["grid"] = grid
    if html is not None or opened:
        page = html or Path(tempfile.mkdtemp(prefix="tuku-search-")) / "results.html"
        write_output(page, render_results(answer, pictures, asked).encode())
        written["page"] = page
        if opened:
            webbrowser.open(page.resolve().as_uri())
    return answer, written


def search_file(config: Config, file: Path, defaults: Query) -> list[SearchAnswer]:
    """Answer many queries, encoded and retrieved together.

    Args:
        config: the configuration.
        file: one JSON object a line (see `query_file.read_queries`); ``-`` for stdin.
        defaults: what a line does not say.

    Raises:
        ConfigError: the file cannot be read, or a line of it is no query.
        TukuError: see `open_searcher` and `Searcher.search`.
        RowError: a query's picture cannot be used.
    """
    with open_lines(file) as lines:
        queries = [each.query for each in read_queries(lines, str(file), defaults, labelled=False)]
    with open_searcher(config) as searcher:
        return searcher.search_all(queries) if queries else []


def _pictures(
    answer: SearchAnswer, fetcher: Fetcher, config: Config
) -> tuple[list[Image.Image | None], Image.Image | None]:
    """Of the results, and of the query if it has one."""
    asked = answer.query.image
    uris = [result.uri for result in answer.results]
    pictures = thumbnails([*uris, *([asked] if isinstance(asked, str) else [])], fetcher, config.decode, _TILE_PX)
    if isinstance(asked, bytes):
        return pictures, thumbnail(asked, _TILE_PX, max_pixels=config.decode.max_pixels)
    return pictures[: len(uris)], pictures[-1] if asked else None
