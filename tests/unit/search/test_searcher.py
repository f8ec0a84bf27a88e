"""Search: a query becomes a vector, its neighbours become results."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from fakes.files import FakeFetcher, png
from fakes.models import COLOURS, FakeCaptioner, FakeEmbedder
from tuku.config import Config, MilvusConfig
from tuku.errors import ConfigError, RowError
from tuku.protocols import Captioner, Embedder, Picture, Vector
from tuku.search.results import Query, Result
from tuku.search.searcher import NoVectorError, Searcher


@dataclass
class ColourRetriever:
    """A collection of one picture of each colour."""

    asked: list[tuple[str, int]] = field(default_factory=list)

    def nearest(self, field: str, vector: Vector, limit: int) -> list[Result]:
        self.asked.append((field, limit))
        pictures = [Picture(np.full((8, 8, 3), rgb, np.uint8), name) for name, rgb in COLOURS.items()]
        scores = np.stack(FakeEmbedder().embed_pictures(pictures)) @ vector
        found = sorted(zip(scores.tolist(), COLOURS, strict=True), reverse=True)[:limit]
        return [Result(name, score, {field: score}, uri=f"/{name}.png") for score, name in found]


def searcher(
    *, vectors: tuple[str, ...] = ("image", "text"), embedder: FakeEmbedder | None = None, **files: bytes | RowError
) -> Searcher:
    config = Config(milvus=MilvusConfig(vectors=vectors))
    fetcher = FakeFetcher({f"/{name}.png": content for name, content in files.items()})
    return Searcher(config, embedder or FakeEmbedder(), fetcher, ColourRetriever())


def test_the_fakes_are_models() -> None:
    assert isinstance(FakeEmbedder(), Embedder)
    assert isinstance(FakeCaptioner(), Captioner)
    [vector] = FakeEmbedder().embed_queries(["red"])
    assert isinstance(vector, np.ndarray)
    assert (vector.dtype, vector.shape) == (np.float32, (FakeEmbedder().description.dim,))


def asked(of: Searcher) -> list[tuple[str, int]]:
    assert isinstance(of.retriever, ColourRetriever)
    return of.retriever.asked


def test_a_text_finds_what_it_names() -> None:
    searching = searcher()
    query = Query(text="something blue", limit=3)
    answer = searching.search(query)
    assert answer.query == query
    assert answer.results[0].id == "blue"
    assert answer.results[0].uri == "/blue.png"
    assert [result.score for result in answer.results] == sorted(
        [result.score for result in answer.results], reverse=True
    )
    assert asked(searching) == [("image_embedding", 3)]
    assert answer.reranked is False


def test_a_picture_finds_what_looks_like_it() -> None:
    searching = searcher(query=png((240, 20, 10), side_px=64))
    answer = searching.search(Query(image="/query.png", target="text", limit=1))
    assert [result.id for result in answer.results] == ["red"]
    assert asked(searching) == [("text_embedding", 1)]
    assert set(answer.results[0].scores) == {"text_embedding"}


def test_the_phases_are_timed() -> None:
    timings = searcher().search(Query(text="red")).timings_ms
    assert list(timings) == ["encode", "retrieve"]
    assert all(milliseconds >= 0 for milliseconds in timings.values())


@pytest.mark.parametrize(
    "query", [Query(), Query(text=""), Query(image=""), Query(text="red", image="/red.png"), Query(text="", image="")]
)
def test_a_query_is_a_text_or_a_picture(query: Query) -> None:
    searching = searcher(red=png((255, 0, 0)))
    with pytest.raises(ConfigError, match="a text or a picture") as error:
        searching.search(query)
    assert "--image" in error.value.remedy
    assert asked(searching) == []


def test_an_empty_text_beside_a_picture_is_no_text() -> None:
    answer = searcher(red=png((255, 0, 0))).search(Query(text="", image="/red.png"))
    assert answer.results[0].id == "red"


def test_a_vector_that_the_collection_does_not_have_is_named_with_what_it_has() -> None:
    with pytest.raises(ConfigError, match=r"no text_embedding .*\[image\]") as error:
        searcher(vectors=("image",)).search(Query(text="red", target="text"))
    assert "--in image" in error.value.remedy


@pytest.mark.parametrize(
    ("content", "code"), [(RowError("http_404", "Not there."), "http_404"), (b"no picture at all", "not_an_image")]
)
def test_a_picture_that_cannot_be_had_says_why(content: bytes | RowError, code: str) -> None:
    searching = searcher(query=content)
    with pytest.raises(RowError) as error:
        searching.search(Query(image="/query.png"))
    assert error.value.code == code
    assert asked(searching) == []


def test_a_query_that_the_model_refuses_says_why() -> None:
    refused = RowError("too_long", "More than 8 words.")
    with pytest.raises(NoVectorError) as error:
        searcher(embedder=FakeEmbedder(failures={"red": refused})).search(Query(text="red"))
    assert error.value.fault == refused
