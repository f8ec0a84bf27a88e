"""Captions by any endpoint that speaks OpenAI's chat protocol."""

from __future__ import annotations

from tuku.config import CaptionConfig
from tuku.errors import RowError, StoppedError
from tuku.protocols import ModelDescription
from tuku.providers.api.caller import Answer
from tuku.providers.api.captioner import Said, ServiceCaptioner
from tuku.providers.api.prompts import instructions
from tuku.providers.factory import Access
from tuku.providers.openai.chat import PICTURE_LIMITS, OpenAIChat
from tuku.providers.openai.endpoint import Endpoint


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
        asked = self._asked = instructions(config, description.model)
        endpoint = Endpoint("caption", key, base_url, access.retry.request_timeout_s)
        self._chat = OpenAIChat(endpoint, description.model, asked.max_tokens, dict(asked.parameters))

    async def _send(self, data_uri: str) -> Answer[Said] | RowError | StoppedError:
        return await self._chat.ask(self._asked.system, self._asked.prompt, data_uri)
