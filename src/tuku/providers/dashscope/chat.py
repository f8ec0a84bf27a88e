"""Questions about one picture to DashScope's vision-language models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuku.errors import RowError, StoppedError
from tuku.providers.api.caller import Answer
from tuku.providers.api.captioner import Said
from tuku.providers.dashscope.client import DashScopeClient
from tuku.providers.dashscope.text_guard import guarded


class DashScopeChat:
    """One model. Its calls belong to `service_loop`.

    Args:
        client: of the model.
        max_tokens: longest answer; None: the service's own limit.
        parameters: of the model, sent along with every question.
    """

    def __init__(self, client: DashScopeClient, max_tokens: int | None, parameters: Mapping[str, Any]) -> None:
        self._client = client
        self._parameters = dict(parameters) if max_tokens is None else {**parameters, "max_tokens": max_tokens}

    async def ask(self, system: str, prompt: str, data_uri: str, **more: Any) -> Answer[Said] | RowError | StoppedError:
        """What the model says.

        Args:
            system: what it is told of its task.
            prompt: the question.
            data_uri: the picture.
            more: parameters for this question only.
        """
        messages = [
            {"role": "system", "content": [{"text": system}]},
            {"role": "user", "content": [{"image": data_uri}, {"text": guarded(prompt)}]},
        ]
        reply = await self._client.generate(messages, {**self._parameters, **more})
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
