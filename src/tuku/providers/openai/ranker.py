"""Rankings by any endpoint that speaks OpenAI's chat protocol, such as a vision-language model behind vLLM."""

from __future__ import annotations

from tuku.config import RerankConfig
from tuku.errors import RowError, StoppedError
from tuku.protocols import ModelDescription
from tuku.providers.api.caller import Answer
from tuku.providers.api.captioner import Said
from tuku.providers.api.prompts import without_thinking
from tuku.providers.api.ranker import Asking, ServiceRanker
from tuku.providers.factory import Access
from tuku.providers.openai.chat import PICTURE_LIMITS, OpenAIChat
from tuku.providers.openai.endpoint import Endpoint

_JSON = {"response_format": {"type": "json_object"}}


class OpenAIRanker(ServiceRanker):
    """Implements `tuku.protocols_ranking.VisionRanker`.

    Args:
        description: of the model, with its terms.
        config: what is sent along.
        access: to the service.
        key: for the endpoint.
        base_url: of the endpoint.
    """

    def __init__(
        self, description: ModelDescription, config: RerankConfig, access: Access, key: str, base_url: str
    ) -> None:
        super().__init__(description, access, PICTURE_LIMITS)
        parameters = without_thinking(config.parameters, description.model)
        endpoint = Endpoint("rerank", key, base_url, access.retry.request_timeout_s)
        self._chat = OpenAIChat(endpoint, description.model, config.max_tokens, parameters)

    async def _send(self, asking: Asking) -> Answer[Said] | RowError | StoppedError:
        return await self._chat.ask(asking.system, asking.prompt, asking.data_uri, **(_JSON if asking.in_json else {}))
