"""One vector for a text and a picture together, by the DashScope models that look at both at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from tuku.errors import RowError, StoppedError
from tuku.protocols import Picture, Vector
from tuku.providers.api.batching import Item
from tuku.providers.api.caller import Answer
from tuku.providers.api.loop import service_loop, wait_all
from tuku.providers.api.meter import Tokens
from tuku.providers.dashscope.embedder import DashScopeEmbedder, vectors_by_index


class FusingDashScopeEmbedder(DashScopeEmbedder):
    """Implements `tuku.protocols.FusingEmbedder`. Every query is a request: all that is in one becomes one vector."""

    def embed_composed(self, queries: Sequence[tuple[str, Picture]]) -> list[Vector | RowError]:
        """One outcome for each text with its picture, in order."""
        pairs = [(self._text(text), self._picture(picture)) for text, picture in queries]
        asked = [(text, picture) for text, picture in pairs if isinstance(picture, Item)]
        answers = iter(wait_all([service_loop().submit(self._fused(*pair)) for pair in asked]))
        return [picture if isinstance(picture, RowError) else next(answers) for _, picture in pairs]

    async def _fused(self, text: Item, picture: Item) -> Vector | RowError:
        guess = Tokens(text.tokens + picture.tokens)
        return await self._caller.ask(guess, partial(self._send_fused, text, picture), self._only_vector)

    async def _send_fused(self, text: Item, picture: Item) -> Answer[Mapping[str, Any]] | RowError | StoppedError:
        contents = [{"text": text.content}, {"image": picture.content}]
        return await self._client.embed(contents, {**self._parameters, **(self._model.fusion or {})})

    def _only_vector(self, output: Mapping[str, Any]) -> Vector | RowError:
        return vectors_by_index(output, 1, self._dim)[0]
