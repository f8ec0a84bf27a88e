"""Captions by a Qwen-VL that runs here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tuku.errors import ConfigError, RowError
from tuku.protocols import Caption, CaptionHeard, ModelDescription, Picture, Usage, unheard
from tuku.providers.api.captioner import Said, read_caption
from tuku.providers.api.prompts import Instructions
from tuku.providers.hosted.device import Device
from tuku.providers.qwen_vl.model import QwenVL
from tuku.providers.qwen_vl.prompts import Prompt

MAX_TOKENS = 200
"""Longest answer, if nobody says otherwise: what tuku asks for has some eighty."""


class QwenVLCaptioner:
    """Implements `tuku.protocols.Captioner`, in batches.

    Args:
        description: of the model.
        model: loaded.
        device: how much of it at a time.
        asked: what it is told.

    Raises:
        ConfigError: a model that cannot write.
    """

    def __init__(self, description: ModelDescription, model: QwenVL, device: Device, asked: Instructions) -> None:
        if not model.writes:
            raise ConfigError(
                f"The model {description.model} embeds and does not write: its weights have no lm_head.",
                "Set caption.model to the folder of a Qwen-VL Instruct model, or caption.provider to none.",
            )
        self.description = description
        self._model, self._device, self._asked = model, device, asked

    def caption(self, pictures: Sequence[Picture], heard: CaptionHeard = unheard) -> list[Caption | RowError]:
        """One outcome for each picture, in order; equal ones are asked for once."""
        distinct = {picture.content_sha256: position for position, picture in enumerate(pictures)}
        outcomes: dict[str, Caption | RowError] = {}
        prompts: dict[str, Prompt] = {}
        for content, position in distinct.items():
            prompt = self._model.prompter(self._asked.system, self._asked.prompt, pictures[position].pixels)
            if isinstance(prompt, RowError):
                outcomes[content] = prompt
            else:
                prompts[content] = prompt
        # The longest first: if memory is short, that is known at once, and a batch has few places to fill up.
        order = sorted(prompts, key=lambda content: -len(prompts[content].tokens))
        for content, outcome in zip(order, self._written([prompts[one] for one in order]), strict=True):
            outcomes[content] = outcome
            if isinstance(outcome, Caption):
                heard(distinct[content], outcome)
        return [outcomes[picture.content_sha256] for picture in pictures]

    def take_usage(self) -> Usage:
        """Nothing: no request leaves the machine."""
        return Usage()

    def _written(self, prompts: Sequence[Prompt]) -> list[Caption | RowError]:
        if not prompts:
            return []
        limit, options = self._asked.max_tokens or MAX_TOKENS, dict(self._asked.parameters)
        answers = self._device.in_batches(prompts, lambda some: self._model.write(some, limit, options))
        read = (read_caption(Said(answer.text, "stop" if answer.ended else "length")) for answer in answers)
        # Asked again, it would write the same.
        return [replace(one, retryable=False) if isinstance(one, RowError) else one for one in read]
