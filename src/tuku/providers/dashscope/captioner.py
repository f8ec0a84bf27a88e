"""Captions by DashScope's vision-language models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuku.config import CaptionConfig
from tuku.errors import RowError, StoppedError
from tuku.protocols import ModelDescription
from tuku.providers.api.caller import Answer
from tuku.providers.api.captioner import Said, ServiceCaptioner
from tuku.providers.api.prompts import instructions
from tuku.providers.dashscope.client import DashScopeClient
from tuku.providers.dashscope.models import CAPTIONERS, find_model
from tuku.providers.dashscope.text_guard import guarded
from tuku.providers.factory import Access


class DashScopeCaptioner(ServiceCaptioner):
    """Implements `tuku.protocols.Captioner`.

    Args:
        description: of the model, with its terms.
        config: what it is asked.
        access: to the service.
        key: of the account.
        base_url: of the service; None: the SDK's own.
    """

    def __init__(
        self, description: ModelDescription, config: CaptionConfig, access: Access, key: str, base_url: str | None
    ) -> None:
        limits = find_model("caption.model", description.model, CAPTIONERS).limits
        super().__init__(description, access, limits)
        self._client = DashScopeClient(description.model, key, base_url, access.retry.request_timeout_s)
        asked = instructions(config, description.model)
        self._system = {"role": "system", "content": [{"text": asked.system}]}
        self._prompt = {"text": guarded(asked.prompt)}
        self._parameters: dict[str, Any] = dict(asked.parameters)
        if asked.max_tokens is not None:
            self._parameters["max_tokens"] = asked.max_tokens

    async def _send(self, data_uri: str) -> Answer[Said] | RowError | StoppedError:
        question = {"role": "user", "content": [{"image": data_uri}, self._prompt]}
        reply = await self._client.generate([self._system, question], self._parameters)
        return reply.read_as(_said) if isinstance(reply, Answer) else reply


def _said(output: Mapping[str, Any]) -> Said:
    """What the first choice says; nothing where the answer has another form, which is an empty caption then."""
    choices = output.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(choice, Mapping) or not isinstance(message, Mapping):
        return Said("", None)
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") if isinstance(part, Mapping) else part for part in parts]
    finish_reason = choice.get("finish_reason")
    return Said(
        "".join(text for text in texts if isinstance(text, str)),
        finish_reason if isinstance(finish_reason, str) else None,
    )
