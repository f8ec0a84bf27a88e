"""Every implementation that the contract suites run on. A new one is one line here."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tuku.config import CaptionConfig, EmbedConfig
from tuku.protocols import Captioner, Embedder
from tuku.providers.registry import create_captioner, create_embedder


def _configured_captioner(config: CaptionConfig) -> Captioner:
    captioner = create_captioner(config)
    assert captioner is not None
    return captioner


CAPTIONERS: dict[str, Callable[[], Captioner]] = {
    "local": lambda: _configured_captioner(CaptionConfig(provider="local")),
}
EMBEDDERS: dict[str, Callable[[], Embedder]] = {
    "local lite0-minilm": lambda: create_embedder(EmbedConfig(provider="local")),
    "local lite0-minilm-features": lambda: create_embedder(EmbedConfig(model="lite0-minilm-features")),
}

each_captioner = pytest.mark.parametrize(
    "captioner", [pytest.param(name, id=name) for name in CAPTIONERS], indirect=True, scope="module"
)
each_embedder = pytest.mark.parametrize(
    "embedder", [pytest.param(name, id=name) for name in EMBEDDERS], indirect=True, scope="module"
)
