from __future__ import annotations

import pytest

from contract.pictures import noise, photograph
from tuku.config import CaptionConfig, EmbedConfig
from tuku.protocols import Caption, Usage
from tuku.providers.local.classifier import Classifier
from tuku.providers.local.provider import CAPTIONER, EMBEDDER
from tuku.providers.registry import create_captioner, create_embedder


def test_a_picture_is_classified_once_for_caption_and_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []
    run = Classifier._run
    monkeypatch.setattr(Classifier, "_run", lambda self, pixels: runs.append(1) or run(self, pixels))
    captioner, embedder = create_captioner(CaptionConfig()), create_embedder(EmbedConfig())
    pictures = [noise(seed) for seed in range(71, 75)]
    captioner.caption(pictures)
    embedder.embed_pictures(pictures)
    assert len(runs) == 4


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("coffee.png", Caption("a photo of espresso", ("espresso",))),
        (
            "chelsea.png",
            Caption("a photo of a tiger cat or an Egyptian cat", ("tiger cat", "Egyptian cat", "tabby cat")),
        ),
    ],
)
def test_captions_of_photographs(name: str, expected: Caption) -> None:
    assert create_captioner(CaptionConfig()).caption([photograph(name)]) == [expected]


def test_it_says_what_it_is_and_what_it_is_not() -> None:
    captioner, embedder = CAPTIONER.describe(CaptionConfig()), EMBEDDER.describe(EmbedConfig())
    for description in (captioner, embedder):
        assert "no people, actions or scenes" in description.note
        assert description.languages == ("en",)
    assert captioner.name == "local/lite0-tags@0.1.0-57934424-t1"
    assert embedder.name == "local/lite0-minilm@0.1.0-57934424+1.0.0-8199be6f-s1"
    assert EMBEDDER.describe(EmbedConfig(model="lite0-minilm-features")).dim == 640


def test_it_costs_nothing() -> None:
    captioner, embedder = create_captioner(CaptionConfig()), create_embedder(EmbedConfig())
    captioner.caption([noise(1)])
    embedder.embed_queries(["a cup"])
    assert captioner.take_usage() == embedder.take_usage() == Usage()
