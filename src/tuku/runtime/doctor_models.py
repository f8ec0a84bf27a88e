"""One model's health: is it known and installed, is there a key, and does it answer?"""

from __future__ import annotations

import time
from typing import Literal, TypeAlias

import numpy as np

from tuku import units
from tuku.config import CaptionConfig, Config, EmbedConfig, RerankConfig
from tuku.errors import STOPPED, RowError, TukuError
from tuku.protocols import Caption, Captioner, Embedder, ModelDescription, Picture, Usage, Vector
from tuku.protocols_ranking import Reranker, VisionRanker
from tuku.providers.factory import Access
from tuku.providers.registry import (
    create_captioner,
    create_embedder,
    create_reranker,
    describe_captioner,
    describe_embedder,
    describe_reranker,
)
from tuku.runtime.access import local_access
from tuku.runtime.findings import Doubtful, Skipped
from tuku.runtime.quota_fit import require_fit, slowness
from tuku.runtime.remedies import remedy_of

_PROBE_PX = 32  # the least that all services take
_PROBE_TEXT = "ok"
_LEAST_SHOWN = 1e-6  # of money: less has no digits to show
_ONCE = {
    "attempts": 1,
    "max_total_s": 0.01,
    "max_outage_s": 0.0,
}  # of `retry`: one call, and no waiting for better days

_NONE: dict[str, Skipped] = {
    "caption": Skipped("caption.provider is none: a catalogue without captions"),
    "rerank": Skipped("rerank.provider is none: a search without a reranker"),
}

Stage: TypeAlias = Literal["caption", "embed", "rerank"]
_Model: TypeAlias = Captioner | Embedder | Reranker | VisionRanker


class ModelCheckup:
    """Checks on the model of one stage; each needs the one before.

    Args:
        stage: where the model is configured.
        config: as the run would have it.
    """

    def __init__(self, stage: Stage, config: Config) -> None:
        self.stage = stage
        retry = config.retry.model_copy(update=_ONCE)
        self._config = config.model_copy(update={"retry": retry})
        self._model: ModelDescription | None = None
        self._access: Access | None = None
        self._opened: _Model | None = None

    def describe(self) -> str | Doubtful | Skipped:
        """Provider, model, package and quota.

        Raises:
            ConfigError: one of them is not there, or one request is more than the quota.
        """
        self._model = self._described()
        if self._model is None:
            return _NONE[self.stage]
        require_fit(self.stage, self._model)
        found = f"{self._model.name}, {_limits(self._model, self._config.quota.share)}"
        slow = slowness(self.stage, self._model, self._config.quota.share)
        return Doubtful(f"{found}: {slow}", "A run would take long: check both numbers.") if slow else found

    def open(self) -> str | Skipped:
        """Key and address of a service.

        Raises:
            ConfigError: one of them is missing, or cannot be one.
        """
        if self._model is None:
            return _NONE[self.stage]
        if self._model.terms is None:
            return Skipped("a model that runs here needs none")
        self._create()
        return "there is one"

    def call(self) -> str | Skipped:
        """One answer.

        Raises:
            TukuError: what the service has against it.
        """
        if self._model is None:
            return _NONE[self.stage]
        model = self._opened or self._create()
        started_s = time.perf_counter()
        answer = _ask(model, self._config.rerank.timeout_s)
        took_s = time.perf_counter() - started_s
        if isinstance(answer, RowError):
            raise self._explained(answer)
        return f"it answered in {units.duration(took_s)}{_charged(model.take_usage())}"

    def _described(self) -> ModelDescription | None:
        if self.stage == "caption":
            return describe_captioner(self._config.caption)
        if self.stage == "rerank":
            return describe_reranker(self._config.rerank)
        return describe_embedder(self._config.embed)

    def _create(self) -> _Model:
        config, self._access = self._config, local_access(self._model, self._config, self.stage)
        made: _Model | None = None
        if self.stage == "caption":
            made = create_captioner(config.caption, self._access)
        elif self.stage == "rerank":
            made = create_reranker(config.rerank, self._access)
        self._opened = made or create_embedder(config.embed, self._access)
        return self._opened

    def _explained(self, error: RowError) -> TukuError:
        halted = None if self._access is None else self._access.quota.halted
        if error.code == STOPPED and halted is not None:
            return halted
        config = self._config
        configured: dict[str, CaptionConfig | EmbedConfig | RerankConfig] = {
            "caption": config.caption,
            "embed": config.embed,
            "rerank": config.rerank,
        }
        return TukuError(error.sentence, remedy_of(error, self.stage, configured[self.stage]))


def _ask(model: _Model, timeout_s: float) -> Caption | Vector | str | float | RowError:
    if isinstance(model, Captioner):
        return model.caption([_probe()])[0]
    if isinstance(model, VisionRanker):
        return model.look(_probe(), timeout_s)
    if isinstance(model, Reranker):
        return model.rerank(_PROBE_TEXT, [_PROBE_TEXT], timeout_s)[0]
    return model.embed_queries([_PROBE_TEXT])[0]


def _probe() -> Picture:
    """A blue square on white: a picture of nothing might be refused."""
    pixels = np.full((_PROBE_PX, _PROBE_PX, 3), 255, np.uint8)
    pixels[8:24, 8:24] = (0, 0, 255)
    return Picture(pixels, "tuku-doctor")


def _limits(model: ModelDescription, share: float) -> str:
    terms = model.terms
    if terms is None:
        return "runs here"
    limits = ((terms.requests_per_min, "requests"), (terms.tokens_per_min, "tokens"))
    known = [f"{number:,} {what} a minute" for number, what in limits if number is not None]
    part = f" ({100 * share:g}% of it used)" if share < 1 else ""
    return f"quota {' and '.join(known)}{part}" if known else "no quota is known"


def _charged(usage: Usage) -> str:
    tokens = usage.input_tokens + usage.output_tokens
    cost = f", {units.money(usage.cost, usage.currency)}" if usage.cost >= _LEAST_SHOWN else ""
    return f": {units.plural(tokens, 'token')}{cost}" if tokens else ""
