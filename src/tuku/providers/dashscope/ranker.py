"""Rankings by DashScope's vision-language models."""

from __future__ import annotations

from tuku.config import RerankConfig
from tuku.errors import RowError, StoppedError
from tuku.protocols import ModelDescription
from tuku.providers.api.caller import Answer
from tuku.providers.api.captioner import Said
from tuku.providers.api.prompts import without_thinking
from tuku.providers.api.ranker import Asking, ServiceRanker
from tuku.providers.dashscope.chat import DashScopeChat
from tuku.providers.dashscope.client import DashScopeClient
from tuku.providers.dashscope.models import CAPTIONERS, find_model
from tuku.providers.factory import Access

# By the vendor's page "Structured output": for Qwen-VL that does not think, if the prompt has the word JSON in it.
_JSON = {"response_format": {"type": "json_object"}}


class DashScopeRanker(ServiceRanker):
    """Implements `tuku.protocols_ranking.VisionRanker`.

    Args:
        description: of the model, with its terms.
        config: what is sent along.
        access: to the service.
        key: of the account.
        base_url: of the service; None: the SDK's own.
    """

    def __init__(
        self, description: ModelDescription, config: RerankConfig, access: Access, key: str, base_url: str | None
    ) -> None:
        super().__init__(description, access, find_model("rerank.model", description.model, CAPTIONERS).limits)
        client = DashScopeClient(description.model, key, base_url, access.retry.request_timeout_s)
        parameters = without_thinking(config.parameters, description.model)
        self._chat = DashScopeChat(client, config.max_tokens, parameters)

    async def _send(self, asking: Asking) -> Answer[Said] | RowError | StoppedError:
        return await self._chat.ask(asking.system, asking.prompt, asking.data_uri, **(_JSON if asking.in_json else {}))
