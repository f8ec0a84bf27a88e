"""Questions about one picture to any endpoint that speaks OpenAI's chat protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openai.types.chat import ChatCompletion

from tuku.errors import RowError, StoppedError
from tuku.providers.api.caller import Answer
from tuku.providers.api.captioner import Said
from tuku.providers.api.meter import tokens_of
from tuku.providers.api.picture import PictureLimits
from tuku.providers.openai.endpoint import Endpoint

# An endpoint's own limits are not known; these are DashScope's, and within those of vLLM and of OpenAI itself.
PICTURE_LIMITS = PictureLimits(max_bytes=10_000_000, min_side_px=10, max_aspect=200)


class OpenAIChat:
    """One model of an endpoint. Its calls belong to `service_loop`.

    Args:
        endpoint: which serves it.
        model: its name there.
        max_tokens: longest answer; None: the endpoint's own limit.
        parameters: of the model, sent along with every question.
    """

    def __init__(self, endpoint: Endpoint, model: str, max_tokens: int | None, parameters: Mapping[str, Any]) -> None:
        self._endpoint, self._model = endpoint, model
        self._options: dict[str, Any] = {"extra_body": dict(parameters)}
        if max_tokens is not None:
            self._options["max_tokens"] = max_tokens

    async def ask(self, system: str, prompt: str, data_uri: str, **more: Any) -> Answer[Said] | RowError | StoppedError:
        """What the model says.

        Args:
            system: what it is told of its task.
            prompt: the question.
            data_uri: the picture.
            more: options for this question only.
        """
        picture = {"type": "image_url", "image_url": {"url": data_uri}}
        # Any: the SDK's own types are a union of many dicts, which no type checker finds its way through.
        messages: list[Any] = [
            {"role": "system", "content": system},
            {"role": "user", "content": [picture, {"type": "text", "text": prompt}]},
        ]
        completions = self._endpoint.sdk.chat.completions
        question = completions.create(model=self._model, messages=messages, **self._options, **more)
        return await self._endpoint.answer(question, _answer)


def _answer(completion: ChatCompletion) -> Answer[Said]:
    """The first choice. The SDK checks no types: what is not there raises, and is a bad answer then."""
    choice = completion.choices[0]
    usage = None if completion.usage is None else completion.usage.model_dump()
    request_id = getattr(completion, "_request_id", None) or completion.id
    return Answer(Said(choice.message.content or "", choice.finish_reason), tokens_of(usage), request_id)
