"""What all rankers of services do alike: code the picture, ask, read the answer, and give up in time."""

from __future__ import annotations

import concurrent.futures
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from tuku.errors import RowError, StoppedError
from tuku.protocols import Caption, ModelDescription, Picture, PictureSize, Usage
from tuku.protocols_ranking import Ranked, RankingQuestion
from tuku.providers.api.caller import Answer, Caller
from tuku.providers.api.captioner import Said, read_caption
from tuku.providers.api.loop import service_loop, wait_all
from tuku.providers.api.meter import Tokens
from tuku.providers.api.picture import EncodedPicture, PictureLimits, encode_picture
from tuku.providers.api.prompts import text_tokens
from tuku.providers.api.ranking_prompt import (
    ANSWER_TOKENS_EACH,
    LOOK_PROMPT,
    LOOK_SYSTEM,
    RANKING_SYSTEM,
    ranking_prompt,
)
from tuku.providers.api.ranking_text import read_ranking
from tuku.providers.factory import Access
from tuku.terms import Terms

T = TypeVar("T")

_LOOK_TOKENS = 60  # of a sentence


@dataclass(frozen=True)
class Asking:
    """One question about one picture.

    Attributes:
        in_json: whether the service shall see to it that the answer is JSON.
    """

    system: str
    prompt: str
    data_uri: str
    in_json: bool = False


class ServiceRanker(ABC):
    """Implements `tuku.protocols_ranking.VisionRanker` but for sending.

    The service is asked for JSON by its own means. An endpoint that refuses that (``invalid_parameter``) is asked
    without, from then on: the prompt says the form, and whatever stands around the JSON is passed over.

    Args:
        description: of the model, with its terms.
        access: to the service.
        limits: of the service, for pictures.
    """

    def __init__(self, description: ModelDescription, access: Access, limits: PictureLimits) -> None:
        self._description = description
        self._terms = description.terms or Terms()
        self._size = description.picture_size or PictureSize()
        self._limits = limits
        self._caller = Caller(description, access)
        self._json_mode = True

    @property
    def description(self) -> ModelDescription:
        """The model, as it was configured."""
        return self._description

    def rank(self, question: RankingQuestion, candidates: Picture, timeout_s: float) -> list[Ranked] | RowError:
        """See `VisionRanker`."""
        answer_tokens = ANSWER_TOKENS_EACH * len(question.captions)

        async def asked(picture: EncodedPicture) -> list[Ranked] | RowError:
            asking = Asking(RANKING_SYSTEM, ranking_prompt(question), picture.data_uri, self._json_mode)
            guess = self._guess(picture, asking, answer_tokens)
            answer = await self._caller.ask(guess, partial(self._send, asking), read_ranking)
            if not asking.in_json or not isinstance(answer, RowError) or answer.code != "invalid_parameter":
                return answer
            plainly = Asking(asking.system, asking.prompt, asking.data_uri)
            answer = await self._caller.ask(guess, partial(self._send, plainly), read_ranking)
            self._json_mode = isinstance(answer, RowError)
            return answer

        return self._waited(candidates, asked, timeout_s)

    def look(self, picture: Picture, timeout_s: float) -> str | RowError:
        """See `VisionRanker`."""

        async def asked(picture: EncodedPicture) -> str | RowError:
            asking = Asking(LOOK_SYSTEM, LOOK_PROMPT, picture.data_uri)
            guess = self._guess(picture, asking, _LOOK_TOKENS)
            caption = await self._caller.ask(guess, partial(self._send, asking), read_caption)
            return caption.text if isinstance(caption, Caption) else caption

        return self._waited(picture, asked, timeout_s)

    def take_usage(self) -> Usage:
        """What was used since this was last asked."""
        return self._caller.meter.take_usage()

    @abstractmethod
    async def _send(self, asking: Asking) -> Answer[Said] | RowError | StoppedError:
        """Ask once."""

    def _guess(self, picture: EncodedPicture, asking: Asking, answer_tokens: int) -> Tokens:
        shown = self._terms.picture_tokens(picture.width, picture.height)
        return Tokens(shown + text_tokens(asking.system) + text_tokens(asking.prompt), answer_tokens)

    def _waited(
        self, picture: Picture, ask: Callable[[EncodedPicture], Coroutine[Any, Any, T | RowError]], timeout_s: float
    ) -> T | RowError:
        encoded = encode_picture(picture, self._size, self._limits)
        if isinstance(encoded, RowError):
            return encoded
        try:
            return wait_all([service_loop().submit(ask(encoded))], timeout_s)[0]
        except concurrent.futures.TimeoutError:
            return overdue(timeout_s)


def overdue(timeout_s: float) -> RowError:
    """Why there is no answer: it was not waited for any longer."""
    return RowError("timeout", f"no answer within {timeout_s:.1f} s", retryable=True)
