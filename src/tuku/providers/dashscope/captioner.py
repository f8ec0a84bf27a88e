"""Captions by DashScope's vision-language models."""

from __future__ import annotations

from tuku.config import CaptionConfig
from tuku.errors import RowError, StoppedError
from tuku.protocols import ModelDescription
from tuku.providers.api.caller import Answer
from tuku.providers.api.captioner import Said, ServiceCaptioner
from tuku.providers.api.prompts import instructions
from tuku.providers.dashscope.chat import DashScopeChat
from tuku.providers.dashscope.client import DashScopeClient
from tuku.providers.dashscope.models import CAPTIONERS, find_model
from tuku.providers.factory import Access


class DashScopeCaptioner(ServiceCaptioner):
    """Implements `tuku.protocols.Captioner`.

    Args:
        description: of the model, with its terms.
        config: what it is asked.
        access: to the service.
        key: of the account.
        base_url: of the service; None: the SDK's own.
    """

    def __init__(
        self, description: ModelDescription, config: CaptionConfig, access: Access, key: str, base_url: str | None
    ) -> None:
        limits = find_model("caption.model", description.model, CAPTIONERS).limits
        super().__init__(description, access, limits)
        client = DashScopeClient(description.model, key, base_url, access.retry.request_timeout_s)
        self._asked = instructions(config, description.model)
        self._chat = DashScopeChat(client, self._asked.max_tokens, dict(self._asked.parameters))

    async def _send(self, data_uri: str) -> Answer[Said] | RowError | StoppedError:
        return await self._chat.ask(self._asked.system, self._asked.prompt, data_uri)
