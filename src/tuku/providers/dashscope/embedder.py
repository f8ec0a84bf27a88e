"""Vectors by DashScope's multimodal embedding models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from tuku.config import EmbedConfig
from tuku.errors import RowError, StoppedError
from tuku.protocols import ModelDescription, Picture, PictureSize, Usage, Vector, VectorHeard, unheard
from tuku.providers.api.batching import Batcher, Item
from tuku.providers.api.caller import Answer, Caller
from tuku.providers.api.loop import service_loop
from tuku.providers.api.picture import encode_picture
from tuku.providers.api.prompts import cut_to_tokens, text_tokens
from tuku.providers.api.quality import checked_vector
from tuku.providers.dashscope.client import DashScopeClient
from tuku.providers.dashscope.models import EMBEDDERS, find_model
from tuku.providers.dashscope.text_guard import guarded
from tuku.providers.factory import Access
from tuku.terms import Terms

_FIELDS = {"picture": "image", "text": "text"}
_GUARD_TOKENS = 1  # what `guarded` may add


class DashScopeEmbedder:
    """Implements `tuku.protocols.Embedder`: the service encodes passages and queries alike.

    Args:
        description: of the model, with its terms and the configured length of vectors.
        config: what is sent along.
        access: to the service.
        key: of the account.
        base_url: of the service; None: the SDK's own.
    """

    def __init__(
        self, description: ModelDescription, config: EmbedConfig, access: Access, key: str, base_url: str | None
    ) -> None:
        self._description = description
        self._model = find_model("embed.model", description.model, EMBEDDERS)
        self._dim = description.dim or self._model.dims[0]
        self._terms = description.terms or Terms()
        self._size = description.picture_size or PictureSize()
        self._parameters: dict[str, Any] = dict(config.parameters)
        if self._model.takes_dimension:
            self._parameters["dimension"] = self._dim
        self._client = DashScopeClient(description.model, key, base_url, access.retry.request_timeout_s)
        self._caller = Caller(description, access)
        # No limit of a whole request is documented; one picture's is what every request surely may have.
        self._batcher = Batcher(self._caller, self._terms, self._model.limits.max_bytes, self._send)

    @property
    def description(self) -> ModelDescription:
        """The model, as it was configured."""
        return self._description

    def embed_pictures(self, pictures: Sequence[Picture], heard: VectorHeard = unheard) -> list[Vector | RowError]:
        """One outcome for each picture, in order; equal ones are asked for once."""
        items: dict[str, Item | RowError] = {}
        for picture in pictures:
            if picture.content_sha256 not in items:
                items[picture.content_sha256] = self._picture(picture)
        return self._outcomes([items[picture.content_sha256] for picture in pictures], heard)

    def embed_passages(self, texts: Sequence[str], heard: VectorHeard = unheard) -> list[Vector | RowError]:
        """One outcome for each text, in order; what is longer than the model takes is cut."""
        return self._outcomes([self._text(text) for text in texts], heard)

    def embed_queries(self, texts: Sequence[str]) -> list[Vector | RowError]:
        """Like `embed_passages`."""
        return self.embed_passages(texts)

    def take_usage(self) -> Usage:
        """What was used since this was last asked."""
        return self._caller.meter.take_usage()

    def _outcomes(self, items: Sequence[Item | RowError], heard: VectorHeard) -> list[Vector | RowError]:
        asked = {position: item for position, item in enumerate(items) if isinstance(item, Item)}
        if not asked:
            return [item for item in items if isinstance(item, RowError)]
        positions = list(asked)
        ask = self._batcher.ask(list(asked.values()), lambda number, vector: heard(positions[number], vector))
        answers = iter(service_loop().run(ask))
        return [item if isinstance(item, RowError) else next(answers) for item in items]

    def _picture(self, picture: Picture) -> Item | RowError:
        encoded = encode_picture(picture, self._size, self._model.limits)
        if isinstance(encoded, RowError):
            return encoded
        return Item("picture", encoded.data_uri, self._terms.picture_tokens(encoded.width, encoded.height))

    def _text(self, text: str) -> Item:
        short = guarded(cut_to_tokens(text, self._model.text_tokens - _GUARD_TOKENS))
        return Item("text", short, text_tokens(short))

    async def _send(self, items: Sequence[Item]) -> Answer[list[Vector | RowError]] | RowError | StoppedError:
        contents = [{_FIELDS[item.kind]: item.content} for item in items]
        reply = await self._client.embed(contents, self._parameters)
        if not isinstance(reply, Answer):
            return reply
        return reply.read_as(partial(vectors_by_index, count=len(items), dim=self._dim))


def vectors_by_index(output: Mapping[str, Any], count: int, dim: int) -> list[Vector | RowError]:
    """The vectors of an answer in the order of the request; a fault where there is none, or two, for an index.

    Args:
        output: with ``embeddings``, each with its ``index``.
        count: items in the request.
        dim: length of each vector.
    """
    found: dict[int, Any] = {}
    twice: set[int] = set()
    entries = output.get("embeddings")
    for entry in entries if isinstance(entries, list) else []:
        index = entry.get("index") if isinstance(entry, Mapping) else None
        if isinstance(index, int):
            if index in found:
                twice.add(index)
            found[index] = entry.get("embedding")
    return [checked_vector(None if index in twice else found.get(index), dim) for index in range(count)]
