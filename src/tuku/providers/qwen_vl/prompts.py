"""What a Qwen-VL reads: its chat template with a system message, a picture and a text, as tokens and patches."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tuku.errors import ConfigError, RowError
from tuku.protocols import Pixels
from tuku.providers.api.prompts import without_control_tokens
from tuku.providers.hosted.folder import ModelFolder
from tuku.providers.hosted.pretrained import pretrained

_MAX_ASPECT = 200  # what its image processor takes
_TEXT_TOKENS = 2_048  # the longest text; the rest is cut


@dataclass(frozen=True)
class Prompt:
    """One input.

    Attributes:
        tokens: with as many of the picture's token as it has places.
        patches: of the picture: float32 (n, values); None without one.
        grid: how many patches in time, height and width.
    """

    tokens: tuple[int, ...] = field(repr=False)
    patches: npt.NDArray[np.float32] | None = field(default=None, repr=False)
    grid: tuple[int, int, int] = (0, 0, 0)


class Prompter:
    """Makes prompts, on the processor, and in several threads at once.

    Args:
        folder: of the model.

    Raises:
        ConfigError: a tokenizer, a chat template or an image processor that is missing or cannot be loaded.
    """

    def __init__(self, folder: ModelFolder) -> None:
        path = folder.path
        self.tokenizer = pretrained("The tokenizer", path, lambda auto: auto.AutoTokenizer)
        # Its other backend, torchvision, gives slightly other pixels: which of them is installed must not matter.
        self._images = pretrained("The image processor", path, lambda auto: auto.AutoImageProcessor, backend="pil")
        # Older folders keep it in a file of its own, which only the processor of all modalities reads.
        self._template = self.tokenizer.chat_template or folder.json("chat_template.json").get("chat_template")
        self.image_token = int(folder.config().get("image_token_id", -1))
        if not self._template or self.image_token < 0:
            raise ConfigError(
                f"There is no chat template in {path}, or no image_token_id in its config.json.",
                "Copy both (the template is in chat_template.jinja or tokenizer_config.json) from where it comes from.",
            )
        self._tokenizing = threading.Lock()

    def __call__(self, system: str, text: str, pixels: Pixels | None = None) -> Prompt | RowError:
        """One input.

        Args:
            system: what the model is told to do.
            text: after the picture; empty for none. What looks like a control token in it is none to the model.
            pixels: of the picture.

        Returns:
            The prompt, or ``picture_too_narrow``.
        """
        patches, grid = None, (0, 0, 0)
        if pixels is not None:
            height, width, _ = pixels.shape
            if max(height, width) > _MAX_ASPECT * min(height, width):
                return RowError(
                    "picture_too_narrow", f"{width} x {height} px: the model takes sides of at most 1 : {_MAX_ASPECT}"
                )
            seen = self._images(images=[pixels], input_data_format="channels_last", return_tensors="np")
            frames, rows, columns = map(int, seen["image_grid_thw"][0])
            patches, grid = seen["pixel_values"], (frames, rows, columns)
        content: list[dict[str, str]] = [{"type": "image"}] if pixels is not None else []
        with self._tokenizing:
            text = self._shortened(without_control_tokens(text))
            content += [{"type": "text", "text": text}] if text else []
            tokens = self._tokens(system, content)
        if patches is not None:
            tokens = self._with_places(tokens, len(patches) // self._images.merge_size**2)
        return Prompt(tuple(tokens), patches, grid)

    def _shortened(self, text: str) -> str:
        if len(text) <= _TEXT_TOKENS:  # a token may be several characters, and a character may be several tokens
            return text
        tokens = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        cut: str = self.tokenizer.decode(tokens[:_TEXT_TOKENS])
        return cut

    def _tokens(self, system: str, content: list[dict[str, str]]) -> list[int]:
        messages = [
            {"role": "system", "content": [{"type": "text", "text": system}]},
            {"role": "user", "content": content},
        ]
        written: str = self.tokenizer.apply_chat_template(
            messages, chat_template=self._template, tokenize=False, add_generation_prompt=True
        )
        tokens: list[int] = self.tokenizer(written, add_special_tokens=False)["input_ids"]
        return tokens

    def _with_places(self, tokens: list[int], places: int) -> list[int]:
        at = tokens.index(self.image_token)
        return [*tokens[:at], *[self.image_token] * places, *tokens[at + 1 :]]
