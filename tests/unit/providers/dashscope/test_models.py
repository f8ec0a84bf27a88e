from __future__ import annotations

from datetime import date

import pytest

from tuku.errors import ConfigError
from tuku.providers.dashscope.models import CAPTIONERS, EMBEDDERS, RERANKERS, ServedModel, find_model

ALL: list[ServedModel] = [*CAPTIONERS.values(), *EMBEDDERS.values(), *RERANKERS.values()]


@pytest.mark.parametrize(
    ("name", "input_per_1k", "output_per_1k"),
    [
        ("qwen3-vl-flash", 0.00015, 0.0015),
        ("qwen3-vl-plus", 0.001, 0.01),
        ("qwen-vl-plus", 0.0008, 0.002),
        ("qwen-vl-max", 0.0016, 0.004),
    ],
)
def test_captioners_are_as_documented(name: str, input_per_1k: float, output_per_1k: float) -> None:
    terms = CAPTIONERS[name].terms
    assert (terms.price.input_per_1k, terms.price.output_per_1k) == (input_per_1k, output_per_1k)
    assert (terms.requests_per_min, terms.tokens_per_min) == (1_200, 1_000_000)
    assert CAPTIONERS[name].limits.max_bytes == 10_000_000


@pytest.mark.parametrize("model", CAPTIONERS.values(), ids=lambda model: model.name)
def test_at_the_default_size_tokens_do_not_bind_before_requests(model: ServedModel) -> None:
    terms, side = model.terms, model.side_px
    tokens = terms.picture_tokens(side, side) + 100 + terms.answer_tokens  # 100: of tuku's own prompt, see its test
    assert tokens * 1_200 <= 1_000_000


@pytest.mark.parametrize(
    ("name", "dims", "pictures", "texts", "items", "rpm"),
    [
        ("tongyi-embedding-vision-plus", (1152, 1024, 512, 256, 128, 64), 8, 20, 20, 600),
        ("tongyi-embedding-vision-flash", (768, 512, 256, 128, 64), 8, 20, 20, 600),
        ("multimodal-embedding-v1", (1024,), 1, 20, 20, 120),
        ("qwen3-vl-embedding", (2560, 2048, 1536, 1024, 768, 512, 256), 20, 20, 20, 1_200),
        ("qwen2.5-vl-embedding", (1024, 2048, 768, 512), 1, 1, 1, 600),
    ],
)
def test_embedders_are_as_documented(
    name: str, dims: tuple[int, ...], pictures: int, texts: int, items: int, rpm: int
) -> None:
    model, terms = EMBEDDERS[name], EMBEDDERS[name].terms
    assert model.dims == dims
    assert (terms.pictures_per_request, terms.texts_per_request, terms.items_per_request) == (pictures, texts, items)
    assert terms.requests_per_min == rpm
    assert model.takes_dimension == (name != "multimodal-embedding-v1")
    assert model.limits.max_bytes == 3_000_000


def test_the_reranker_is_as_documented() -> None:
    terms = RERANKERS["qwen3-vl-rerank"].terms
    assert (terms.requests_per_min, terms.texts_per_request, terms.pictures_per_request) == (600, 100, 40)


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)
def test_every_model_says_what_it_costs_and_when_it_did(model: ServedModel) -> None:
    assert model.terms.price.input_per_1k > 0
    assert model.terms.price.currency == "CNY"
    assert date.fromisoformat(model.terms.price.as_of) <= date(2026, 12, 31)
    assert model.terms.concurrency >= 16
    assert (model.limits.min_side_px, model.limits.max_aspect) == (10, 200)


def test_models_are_found_by_name_and_by_snapshot() -> None:
    assert find_model("caption.model", None, CAPTIONERS).name == "qwen3-vl-flash"
    assert find_model("embed.model", None, EMBEDDERS).name == "tongyi-embedding-vision-plus"
    assert find_model("caption.model", "qwen-vl-max", CAPTIONERS).name == "qwen-vl-max"
    assert find_model("caption.model", "qwen3-vl-flash-2025-10-15", CAPTIONERS).name == "qwen3-vl-flash"
    assert find_model("caption.model", "qwen-vl-plus-latest", CAPTIONERS).name == "qwen-vl-plus"


@pytest.mark.parametrize("name", ["qwen-vl", "qwen3-vl-flashy", "Qwen-VL-Plus", "multimodal-embedding-v1"])
def test_an_unknown_model_is_named_with_the_known_ones(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"caption\.model is '{name}'.*Known are: qwen3-vl-flash, .*qwen-vl-max"):
        find_model("caption.model", name, CAPTIONERS)
