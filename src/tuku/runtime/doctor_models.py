"""One model's health: is it known and installed, is there a key, and does it answer?"""

from __future__ import annotations

import time
from typing import Literal

import numpy as np

from tuku import units
from tuku.config import Config
from tuku.errors import STOPPED, RowError, TukuError
from tuku.protocols import Caption, Captioner, Embedder, ModelDescription, Picture, Usage, Vector
from tuku.providers.factory import Access
from tuku.providers.registry import create_captioner, create_embedder, describe_captioner, describe_embedder
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

_NO_CAPTIONS = Skipped("caption.provider is none: a catalogue without captions")


class ModelCheckup:
    """Checks on the model of one stage; each needs the one before.

    Args:
        stage: ``caption`` or ``embed``.
        config: as the run would have it.
    """

    def __init__(self, stage: Literal["caption", "embed"], config: Config) -> None:
        self.stage = stage
        retry = config.retry.model_copy(update=_ONCE)
        self._config = config.model_copy(update={"retry": retry})
        self._model: ModelDescription | None = None
        self._access: Access | None = None
        self._opened: Captioner | Embedder | None = None

    def describe(self) -> str | Doubtful | Skipped:
        """Provider, model, package and quota.

        Raises:
            ConfigError: one of them is not there, or one request is more than the quota.
        """
        config = self._config
        self._model = describe_captioner(config.caption) if self.stage == "caption" else describe_embedder(config.embed)
        if self._model is None:
            return _NO_CAPTIONS
        require_fit(self.stage, self._model)
        found = f"{self._model.name}, {_limits(self._model, config.quota.share)}"
        slow = slowness(self.stage, self._model, config.quota.share)
        return Doubtful(f"{found}: {slow}", "A run would take long: check both numbers.") if slow else found

    def open(self) -> str | Skipped:
        """Key and address of a service.

        Raises:
            ConfigError: one of them is missing, or cannot be one.
        """
        if self._model is None:
            return _NO_CAPTIONS
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
            return _NO_CAPTIONS
        model = self._opened or self._create()
        started_s = time.perf_counter()
        answer = _ask(model)
        took_s = time.perf_counter() - started_s
        if isinstance(answer, RowError):
            raise self._explained(answer)
        return f"it answered in {units.duration(took_s)}{_charged(model.take_usage())}"

    def _create(self) -> Captioner | Embedder:
        self._access = local_access(self._model, self._config)
        captioner = create_captioner(self._config.caption, self._access) if self.stage == "caption" else None
        self._opened = captioner or create_embedder(self._config.embed, self._access)
        return self._opened

    def _explained(self, error: RowError) -> TukuError:
        halted = None if self._access is None else self._access.quota.halted
        if error.code == STOPPED and halted is not None:
            return halted
        config = self._config.caption if self.stage == "caption" else self._config.embed
        return TukuError(error.sentence, remedy_of(error, self.stage, config))


def _ask(model: Captioner | Embedder) -> Caption | Vector | RowError:
    if isinstance(model, Captioner):
        # A blue square on white: a picture of nothing might be refused.
        pixels = np.full((_PROBE_PX, _PROBE_PX, 3), 255, np.uint8)
        pixels[8:24, 8:24] = (0, 0, 255)
        return model.caption([Picture(pixels, "tuku-doctor")])[0]
    return model.embed_queries([_PROBE_TEXT])[0]


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
