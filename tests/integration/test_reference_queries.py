"""What people ask of the reference systems A, B and D, from the command line, with the bundled models.

A's own models and its own client are in test_dashscope_system_a, C's picture with a text and its reranker in
test_reranked_search. B and D need one vector field: they are asked on a real server too.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from milvus_server import MilvusServer
from support import Tuku

pytestmark = [pytest.mark.ray, pytest.mark.milvus, pytest.mark.timeout(300)]

IVF = "{type: IVF_FLAT, metric: %s, params: {nlist: %d}, search_params: {nprobe: 10}}"
BRANDS = ["安踏", "Nike", "O'Neill"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, catalogue: Path) -> Tuku:
    """A lake of the demo's photographs, with what a shop says of its goods."""
    tuku = Tuku(tmp_path_factory.mktemp("shop"))
    with catalogue.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    listing = tuku.folder / "reverse_image_search.csv"
    with listing.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "path", "title", "category", "brand", "price", "stock", "upload_time"])
        for number, row in enumerate(rows):
            told = [row["title"], row["category"], BRANDS[number % 3], 10 * number, number % 4, "2026-11-01"]
            writer.writerow([row["id"], catalogue.parent / row["uri"], *told])
    ran = tuku("ingest", listing)
    assert ran.code == 0, ran.err
    return tuku


@pytest.fixture(scope="module", params=["lite", pytest.param("server", marks=pytest.mark.long)])
def milvus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Milvus' address, on which one vector field suffices."""
    folder = tmp_path_factory.mktemp("milvus")
    if request.param == "lite":
        yield str(folder / "milvus.db")
        return
    with MilvusServer(folder / "server") as server:
        yield server.uri


def loaded(shop: Tuku, **milvus: str) -> Callable[..., list[dict[str, Any]]]:
    """Fills a collection of these settings; gives what searches it and returns the results."""
    options = [part for name, value in milvus.items() for part in ("--set", f"milvus.{name}={value}")]
    ran = shop("load", *options, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["verify"]["passed"]

    def search(*query: object) -> list[dict[str, Any]]:
        found = shop("search", *query, *options, "--json")
        assert found.code == 0, found.err
        results: list[dict[str, Any]] = found.json["results"]
        assert [row["score"] for row in results] == sorted((row["score"] for row in results), reverse=True)
        return results

    return search


def test_a_is_asked_in_four_ways(shop: Tuku, catalogue: Path) -> None:
    """Three results each, from two vectors by L2 and IVF_FLAT (nlist 1024, nprobe 10)."""
    search = loaded(shop, collection="multimodal_search", index=IVF % ("L2", 1024))
    cat = catalogue.parent / "photographs" / "猫.png"
    for query in (["a cat"], ["a cat", "--in", "text"], ["--image", cat], ["--image", cat, "--in", "text"]):
        found = search(*query, "--limit", "3")
        assert len(found) == 3
        assert "cat" in found[0]["caption"], query
        assert all(Path(row["uri"]).is_file() and row["id"] for row in found)


def test_b_shows_ten_results_as_a_grid(shop: Tuku, catalogue: Path, milvus: str) -> None:
    """By text and by picture, with IVF_FLAT, COSINE, nlist 512, and on a server 2 shards."""
    made = {"collection": "multimodal_chinese_clip", "vectors": "[image]", "index": IVF % ("COSINE", 512)}
    search = loaded(shop, uri=milvus, **made, **({"shards": "2"} if milvus.startswith("http") else {}))
    grid = shop.folder / "grid.png"
    by_text = search("a motorcycle", "--limit", "10", "--grid", grid)
    assert len(by_text) == 10
    assert by_text[0]["id"] == "motorcycle"
    with Image.open(grid) as picture:
        by_text_size = picture.size
    picture_of_it = catalogue.parent / "photographs" / "猫.png"
    by_picture = search("--image", picture_of_it, "--limit", "10", "--grid", grid)
    assert len(by_picture) == 10
    assert by_picture[0]["id"] == "猫"
    assert by_picture[0]["score"] == pytest.approx(1, abs=1e-3)
    with Image.open(grid) as picture:
        assert min(*picture.size, *by_text_size) > 600  # ten tiles and the query in sight


@pytest.mark.parametrize(
    ("where", "right"),
    [
        ("price between 100 and 400", lambda row: 100 <= row["price"] <= 400),
        ("brand == 'O''Neill' and price < 300", lambda row: row["brand"] == "O'Neill" and row["price"] < 300),
        ("brand in ['安踏', 'Nike'] and stock > 0", lambda row: row["brand"] != "O'Neill" and row["stock"] > 0),
        ("upload_time >= '2026-11-01' and not category == 'animals'", lambda row: row["category"] != "animals"),
    ],
)
def test_d_filters_by_price_and_brand(
    shop: Tuku, milvus: str, where: str, right: Callable[[dict[str, Any]], bool]
) -> None:
    """HNSW on the picture's vector, price and brand with indexes of their own."""
    typed = "{price: double, brand: varchar}"
    search = loaded(shop, uri=milvus, collection="shop", vectors="[image]", indexed_metadata=typed)
    everything = search("something to wear", "--limit", "200")
    found = search("something to wear", "--limit", "200", "--where", where)
    assert [row["id"] for row in found] == [row["id"] for row in everything if right(row["metadata"])]
    assert 0 < len(found) < len(everything)
