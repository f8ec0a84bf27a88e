"""What all captioners of services do alike: code the pictures, ask for each, read the answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tuku.errors import RowError, StoppedError
from tuku.protocols import Caption, CaptionHeard, ModelDescription, Picture, PictureSize, Usage, unheard
from tuku.providers.api.asking import ask_each
from tuku.providers.api.caller import Answer, Caller
from tuku.providers.api.caption_text import parse_caption
from tuku.providers.api.meter import Tokens
from tuku.providers.api.picture import EncodedPicture, PictureLimits, encode_picture
from tuku.providers.api.quality import caption_fault
from tuku.providers.factory import Access
from tuku.terms import Terms


@dataclass(frozen=True)
class Said:
    """What a model said, and why it stopped."""

    text: str
    finish_reason: str | None


class ServiceCaptioner(ABC):
    """Asks for the captions of all pictures of a call at once; each picture is a request of its own.

    Pictures are coded in the calling thread, some at a time: the first requests are under way while it codes the rest.

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

    @property
    def description(self) -> ModelDescription:
        """The model, as it was configured."""
        return self._description

    def caption(self, pictures: Sequence[Picture], heard: CaptionHeard = unheard) -> list[Caption | RowError]:
        """One outcome for each picture, in order; equal ones are asked for once."""
        return ask_each(
            [picture.content_sha256 for picture in pictures],
            lambda position: encode_picture(pictures[position], self._size, self._limits),
            lambda position, picture: self._ask(picture, partial(heard, position)),
        )

    def take_usage(self) -> Usage:
        """What was used since this was last asked."""
        return self._caller.meter.take_usage()

    @abstractmethod
    async def _send(self, data_uri: str) -> Answer[Said] | RowError | StoppedError:
        """Ask for the caption of one picture, once."""

    async def _ask(self, picture: EncodedPicture | RowError, heard: Callable[[Caption], None]) -> Caption | RowError:
        if isinstance(picture, RowError):
            return picture
        answer = await self._caller.ask(self._guess(picture), partial(self._send, picture.data_uri), read_caption)
        if isinstance(answer, Caption):
            heard(answer)
        return answer

    def _guess(self, picture: EncodedPicture) -> Tokens:
        shown = self._terms.picture_tokens(picture.width, picture.height)
        return Tokens(shown + self._terms.prompt_tokens, self._terms.answer_tokens)


def read_caption(said: Said) -> Caption | RowError:
    """The caption that was asked for, or what is wrong with the answer."""
    fault = caption_fault(said.text, said.finish_reason)
    if fault is not None:
        return fault
    return parse_caption(said.text) or RowError(
        "unreadable_caption", "the answer holds no caption that could be told from the rest", retryable=True
    )
