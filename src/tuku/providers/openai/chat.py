"""Questions about one picture to any endpoint that speaks OpenAI's chat protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from openai.types.chat import ChatCompletion

from tuku.errors import RowError, StoppedError
from tuku.providers.api.caller import Answer
from tuku.providers.api.captioner import Said
from tuku.providers.api.meter import tokens_of
from tuku.providers.api.outage import of_everybody
from tuku.providers.api.picture import PictureLimits
from tuku.providers.api.proxy import proxy_for
from tuku.providers.openai.faults import classify_error

# An endpoint's own limits are not known; these are DashScope's, and within those of vLLM and of OpenAI itself.
PICTURE_LIMITS = PictureLimits(max_bytes=10_000_000, min_side_px=10, max_aspect=200)


class OpenAIChat:
    """One model of an endpoint. Its calls belong to `service_loop`.

    Args:
        model: its name there.
        key: for the endpoint.
        base_url: of the endpoint.
        timeout_s: for a whole request.
        max_tokens: longest answer; None: the endpoint's own limit.
        parameters: of the model, sent along with every question.
    """

    def __init__(
        self,
        model: str,
        key: str,
        base_url: str,
        timeout_s: float,
        max_tokens: int | None,
        parameters: Mapping[str, Any],
    ) -> None:
        self._model, self._timeout_s = model, timeout_s
        self._client = AsyncOpenAI(
            api_key=key,
            base_url=base_url,
            max_retries=0,  # each try needs leave of its own (see `Caller`)
            timeout=timeout_s,
            http_client=DefaultAsyncHttpxClient(trust_env=False, proxy=proxy_for(base_url)),
        )
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
        question = self._client.chat.completions.create(model=self._model, messages=messages, **self._options, **more)
        try:
            # The SDK's time limit is for each read: an answer that drips in would never end.
            return _answer(await asyncio.wait_for(question, self._timeout_s))
        except Exception as error:  # noqa: BLE001  # whatever the SDK trips over is the affair of this request only
            return of_everybody(classify_error(error), getattr(error, "status_code", None))


def _answer(completion: ChatCompletion) -> Answer[Said]:
    """The first choice. The SDK checks no types: what is not there raises, and is a bad answer then."""
    choice = completion.choices[0]
    usage = None if completion.usage is None else completion.usage.model_dump()
    request_id = getattr(completion, "_request_id", None) or completion.id
    return Answer(Said(choice.message.content or "", choice.finish_reason), tokens_of(usage), request_id)
