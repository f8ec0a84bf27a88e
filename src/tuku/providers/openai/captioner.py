"""Captions by any endpoint that speaks OpenAI's chat protocol."""

from __future__ import annotations

import asyncio
from typing import Any

from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from openai.types.chat import ChatCompletion

from tuku.config import CaptionConfig
from tuku.errors import RowError, StoppedError
from tuku.protocols import ModelDescription
from tuku.providers.api.caller import Answer
from tuku.providers.api.captioner import Said, ServiceCaptioner
from tuku.providers.api.meter import tokens_of
from tuku.providers.api.outage import of_everybody
from tuku.providers.api.picture import PictureLimits
from tuku.providers.api.prompts import instructions
from tuku.providers.api.proxy import proxy_for
from tuku.providers.factory import Access
from tuku.providers.openai.faults import classify_error

# An endpoint's own limits are not known; these are DashScope's, and within those of vLLM and of OpenAI itself.
PICTURE_LIMITS = PictureLimits(max_bytes=10_000_000, min_side_px=10, max_aspect=200)


class OpenAICaptioner(ServiceCaptioner):
    """Implements `tuku.protocols.Captioner`.

    Args:
        description: of the model, with its terms.
        config: what it is asked.
        access: to the service.
        key: for the endpoint.
        base_url: of the endpoint.
    """

    def __init__(
        self, description: ModelDescription, config: CaptionConfig, access: Access, key: str, base_url: str
    ) -> None:
        super().__init__(description, access, PICTURE_LIMITS)
        self._timeout_s = access.retry.request_timeout_s
        self._client = AsyncOpenAI(
            api_key=key,
            base_url=base_url,
            max_retries=0,  # each try needs leave of its own (see `Caller`)
            timeout=self._timeout_s,
            http_client=DefaultAsyncHttpxClient(trust_env=False, proxy=proxy_for(base_url)),
        )
        asked = instructions(config, description.model)
        self._system, self._prompt = asked.system, asked.prompt
        self._options: dict[str, Any] = {"extra_body": dict(asked.parameters)}
        if asked.max_tokens is not None:
            self._options["max_tokens"] = asked.max_tokens

    async def _send(self, data_uri: str) -> Answer[Said] | RowError | StoppedError:
        picture = {"type": "image_url", "image_url": {"url": data_uri}}
        # Any: the SDK's own types are a union of many dicts, which no type checker finds its way through.
        messages: list[Any] = [
            {"role": "system", "content": self._system},
            {"role": "user", "content": [picture, {"type": "text", "text": self._prompt}]},
        ]
        question = self._client.chat.completions.create(
            model=self._description.model, messages=messages, **self._options
        )
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
