"""docs/adding-a-provider.md, followed word by word: its module becomes a provider, and does what the contract asks."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from contract import test_embedder as contract
from contract.pictures import odd_pictures
from tuku.config import EmbedConfig
from tuku.errors import ConfigError
from tuku.protocols import Embedder
from tuku.providers import registry
from tuku.runtime.known_models import list_models

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-provider.md"


@pytest.fixture
def embedder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Embedder:
    [module] = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "colours_of_the_page.py").write_text(module, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "colours_of_the_page", raising=False)
    monkeypatch.setitem(registry.EMBEDDERS, "colours", "colours_of_the_page:EMBEDDER")
    return registry.create_embedder(EmbedConfig(provider="colours"))


CHECKS = [
    contract.test_is_an_embedder,
    contract.test_description_is_complete_and_survives_a_trip_to_a_worker,
    contract.test_nothing_in_nothing_out,
    contract.test_pictures_keep_their_order_and_ignore_their_neighbours,
    contract.test_every_vector_of_a_picture_is_told_of_before_the_call_returns,
    contract.test_every_vector_of_a_text_is_told_of_before_the_call_returns,
    contract.test_threads_get_the_same_answers,
    contract.test_usage_is_handed_over_once,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_does_what_the_contract_asks(embedder: Embedder, check) -> None:
    check(embedder)


def test_odd_pictures_and_texts_have_vectors(embedder: Embedder) -> None:
    for name in odd_pictures():
        contract.test_an_odd_picture_has_a_vector_or_is_one_that_services_refuse(embedder, name)
    for name in contract.ODD_TEXTS:
        contract.test_an_odd_text_has_a_vector(embedder, name)


def test_it_is_configured_listed_and_means_something(embedder: Embedder) -> None:
    assert registry.describe_embedder(EmbedConfig(provider="colours", dim=27)) == embedder.description
    assert ("embed", embedder.description) in list_models().models
    with pytest.raises(ConfigError, match="colours does not have"):
        registry.describe_embedder(EmbedConfig(provider="colours", model="ten-parts"))
    red, blue = embedder.embed_queries(["something red", "something blue"])
    passage = np.asarray(embedder.embed_passages(["a red thing"])[0])
    assert red @ passage > blue @ passage
