"""What vLLM is sent for one vector: a conversation that is one prompt, in one of two forms.

By vLLM's page on its embeddings API and its example ``vision_embedding_online.py``. Qwen3-VL-Embedding is told what to
do by a system message, and the vector is that of the place where its answer would begin: hence an empty answer that is
to be continued. CLIP and SigLIP are told nothing and look at a picture or at a text. Their text encoders were trained
with a token at the end of each text and with texts of limited length: the server is asked to add the one and to keep
to the other, which it does not do for a conversation otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuku.providers.api.instruction import NOTHING
from tuku.providers.api.picture import EncodedPicture
from tuku.providers.api.prompts import CHAT_TEMPLATE_TOKENS, cut_to_tokens, text_tokens, without_control_tokens
from tuku.providers.openai.embed_settings import EmbedSettings
from tuku.terms import Terms

_TEXT_TOKENS = 2_048  # the longest text; the rest is cut, as provider qwen_vl does
_BLANK = "."  # for a model without an instruction, of an empty text
_WHOLE_PROMPT = {"truncate_prompt_tokens": -1, "truncation_side": "right"}  # -1: to what the model takes


@dataclass(frozen=True)
class EmbedPrompt:
    """One request.

    Attributes:
        body: its JSON.
        tokens: that it is, about.
    """

    body: Mapping[str, Any] = field(repr=False)
    tokens: int


class Prompter:
    """Makes the requests for one model.

    Args:
        model: its name at the endpoint.
        settings: what it is told, and what is sent along.
        terms: by which a picture's tokens are estimated.
    """

    def __init__(self, model: str, settings: EmbedSettings, terms: Terms) -> None:
        self._head = {"model": model, "encoding_format": "float", **settings.options}
        self._text_options, self._terms = settings.text_options, terms

    def __call__(self, instruction: str, text: str, picture: EncodedPicture | None = None) -> EmbedPrompt:
        """One request.

        Args:
            instruction: what the model is told; empty: nothing.
            text: what a vector is wanted for, or what goes with the picture (then it may be empty).
            picture: likewise; None: a text alone.
        """
        text = cut_to_tokens(without_control_tokens(text), _TEXT_TOKENS)
        if not text.strip():
            text = "" if picture is not None else NOTHING if instruction else _BLANK
        seen: list[dict[str, Any]] = []
        tokens = text_tokens(instruction) + text_tokens(text) + CHAT_TEMPLATE_TOKENS
        if picture is not None:
            seen.append({"type": "image_url", "image_url": {"url": picture.data_uri}})
            tokens += self._terms.picture_tokens(picture.width, picture.height)
        content = [*seen, *([_said(text)] if text else [])]
        form = _instructed(instruction, content) if instruction else _alone(content, is_text=picture is None)
        return EmbedPrompt({**self._head, **form, **({} if picture else self._text_options)}, tokens)


def _instructed(instruction: str, content: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    messages = [
        {"role": "system", "content": [_said(instruction)]},
        {"role": "user", "content": content},
        {"role": "assistant", "content": [_said("")]},
    ]
    return {"messages": messages, "continue_final_message": True, "add_special_tokens": True}


def _alone(content: Sequence[Mapping[str, Any]], *, is_text: bool) -> dict[str, Any]:
    form = {
        "messages": [{"role": "user", "content": content}],
        "continue_final_message": False,
        "add_special_tokens": is_text,
    }
    return {**form, **_WHOLE_PROMPT} if is_text else form


def _said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
