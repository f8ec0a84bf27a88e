"""Vectors by any endpoint that has vLLM's chat embeddings: of pictures, of texts, and of both together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

from openai import BaseModel

from tuku.config import EmbedConfig
from tuku.errors import RowError, StoppedError
from tuku.protocols import ModelDescription, Picture, PictureSize, Usage, Vector, VectorHeard, unheard
from tuku.providers.api.asking import ask_each
from tuku.providers.api.caller import Answer, Caller
from tuku.providers.api.meter import Tokens, tokens_of
from tuku.providers.api.picture import encode_picture
from tuku.providers.api.quality import checked_vector
from tuku.providers.factory import Access
from tuku.providers.openai.chat import PICTURE_LIMITS
from tuku.providers.openai.embed_prompt import EmbedPrompt, Prompter
from tuku.providers.openai.embed_settings import EmbedSettings
from tuku.providers.openai.endpoint import Endpoint
from tuku.terms import Terms


class _Reply(BaseModel):
    """As the SDK's own for embeddings, which looks at each number: 12 ms of CPU for 2,048 of them; this one takes 2."""

    data: Any
    usage: Any = None
    id: str | None = None


class OpenAIEmbedder:
    """Implements `tuku.protocols.Embedder`; every picture and every text is a request of its own.

    Args:
        description: of the model, with its terms and the length of its vectors.
        config: what it is told, and what is sent along.
        access: to the service.
        key: for the endpoint.
        base_url: of the endpoint.
    """

    def __init__(
        self, description: ModelDescription, config: EmbedConfig, access: Access, key: str, base_url: str
    ) -> None:
        self._description, self._dim = description, description.dim or 0
        self._size = description.picture_size or PictureSize()
        self._settings = EmbedSettings.of(config)
        self._prompter = Prompter(description.model, self._settings, description.terms or Terms())
        self._endpoint = Endpoint("embed", key, base_url, access.retry.request_timeout_s)
        self._caller = Caller(description, access)

    @property
    def description(self) -> ModelDescription:
        """The model, as it was configured."""
        return self._description

    def embed_pictures(self, pictures: Sequence[Picture], heard: VectorHeard = unheard) -> list[Vector | RowError]:
        """One outcome for each picture, in order; equal ones are asked for once."""
        keys = [picture.content_sha256 for picture in pictures]
        return self._each(keys, lambda at: self._seen(self._settings.instruction, "", pictures[at]), heard)

    def embed_passages(self, texts: Sequence[str], heard: VectorHeard = unheard) -> list[Vector | RowError]:
        """One outcome for each text, in order; equal ones are asked for once, and what is too long is cut."""
        return self._each(texts, lambda at: self._prompter(self._settings.instruction, texts[at]), heard)

    def embed_queries(self, texts: Sequence[str]) -> list[Vector | RowError]:
        """Like `embed_passages`, with the instruction for queries."""
        return self._each(texts, lambda at: self._prompter(self._settings.query_instruction, texts[at]))

    def take_usage(self) -> Usage:
        """What was used since this was last asked."""
        return self._caller.meter.take_usage()

    def _seen(self, instruction: str, text: str, picture: Picture) -> EmbedPrompt | RowError:
        encoded = encode_picture(picture, self._size, PICTURE_LIMITS)
        return encoded if isinstance(encoded, RowError) else self._prompter(instruction, text, encoded)

    def _each(
        self,
        keys: Sequence[Hashable],
        prompt_at: Callable[[int], EmbedPrompt | RowError],
        heard: VectorHeard = unheard,
    ) -> list[Vector | RowError]:
        return ask_each(keys, prompt_at, lambda at, prompt: self._ask(prompt, partial(heard, at)))

    async def _ask(self, prompt: EmbedPrompt | RowError, heard: Callable[[Vector], None]) -> Vector | RowError:
        if isinstance(prompt, RowError):
            return prompt
        vector = await self._caller.ask(Tokens(prompt.tokens), partial(self._send, prompt), self._checked)
        if not isinstance(vector, RowError):
            heard(vector)
        return vector

    async def _send(self, prompt: EmbedPrompt) -> Answer[Any] | RowError | StoppedError:
        # The SDK's own method for embeddings takes no messages.
        request = self._endpoint.sdk.post("/embeddings", cast_to=_Reply, body=dict(prompt.body))
        return await self._endpoint.answer(request, _only_vector)

    def _checked(self, numbers: Any) -> Vector | RowError:
        return checked_vector(numbers, self._dim)


class FusingOpenAIEmbedder(OpenAIEmbedder):
    """Implements `tuku.protocols.FusingEmbedder`, by a model that is told something: it looks at both at once."""

    def embed_composed(self, queries: Sequence[tuple[str, Picture]]) -> list[Vector | RowError]:
        """One outcome for each text with its picture, in order."""
        keys = [(text, picture.content_sha256) for text, picture in queries]
        return self._each(keys, lambda at: self._seen(self._settings.query_instruction, *queries[at]))


def _only_vector(reply: _Reply) -> Answer[Any]:
    """The SDK checks no types: what is not there raises, and is a bad answer then."""
    numbers = None if reply.data == [] else reply.data[0]["embedding"]
    request_id = getattr(reply, "_request_id", None) or reply.id
    return Answer(numbers, tokens_of(reply.usage), request_id)
