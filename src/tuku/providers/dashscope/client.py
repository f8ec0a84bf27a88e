"""The calls that tuku makes to DashScope, through its SDK; every failure comes back as a verdict."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import dashscope
from dashscope import AioMultiModalConversation, AioMultiModalEmbedding
from dashscope.rerank.text_rerank import AioTextReRank

from tuku.errors import RowError, StoppedError
from tuku.providers.api.caller import Answer
from tuku.providers.api.http_faults import retry_after_s
from tuku.providers.api.meter import tokens_of
from tuku.providers.api.outage import of_everybody
from tuku.providers.api.proxy import proxy_for
from tuku.providers.dashscope.faults import classify, exception_fault
from tuku.providers.dashscope.session import BrokenConnectionError, RefusedInsideError, shared_session

Output = Mapping[str, Any]
Reply = Answer[Output] | RowError | StoppedError


class DashScopeClient:
    """One model of DashScope. Its calls belong to `service_loop`.

    Args:
        model: its name.
        key: of the account; shown nowhere.
        base_url: of the service; None: the SDK's own.
        timeout_s: for a whole request, from the connection to the last byte of the answer.
    """

    def __init__(self, model: str, key: str, base_url: str | None, timeout_s: float) -> None:
        self._model, self._key, self._base_url, self._timeout_s = model, key, base_url, timeout_s
        self._proxy = proxy_for(base_url or dashscope.base_http_api_url)

    async def generate(self, messages: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any]) -> Reply:
        """One answer to messages with pictures; ``choices`` in the output."""
        return await self._call(AioMultiModalConversation.call, parameters, messages=messages)

    async def embed(self, contents: Sequence[Mapping[str, str]], parameters: Mapping[str, Any]) -> Reply:
        """Vectors for pictures and texts; ``embeddings`` in the output."""
        # Copies: the SDK changes what it is given.
        return await self._call(AioMultiModalEmbedding.call, parameters, input=[dict(content) for content in contents])

    async def rerank(self, query: object, documents: Sequence[object], parameters: Mapping[str, Any]) -> Reply:
        """Relevances of documents; ``results`` in the output."""
        return await self._call(AioTextReRank.call, parameters, query=query, documents=list(documents))

    async def _call(
        self, call: Callable[..., Awaitable[Any]], parameters: Mapping[str, Any], **content: object
    ) -> Reply:
        try:
            response = await call(
                model=self._model,
                api_key=self._key,
                base_address=self._base_url,
                session=await shared_session(self._proxy),
                request_timeout=self._timeout_s,
                **content,
                **parameters,
            )
            return _read(response)
        except RefusedInsideError as refused:
            return _refused(HTTPStatus.OK, refused.body, refused.headers)
        except BrokenConnectionError as broken:
            return exception_fault(broken.__cause__ or broken)
        except Exception as error:  # noqa: BLE001  # whatever the SDK trips over is the affair of this request only
            return exception_fault(error)


def _read(response: Mapping[str, Any]) -> Reply:
    if response["status_code"] != HTTPStatus.OK:
        return _refused(response["status_code"], response, response.get("headers") or {})
    output = response["output"]
    if not isinstance(output, Mapping):
        return RowError("bad_answer", "the answer has no output", retryable=True, request_id=_request_id(response))
    return Answer(output, tokens_of(response.get("usage")), _request_id(response))


def _refused(status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> RowError | StoppedError:
    code = body.get("code")
    fault = classify(
        status,
        None if code is None else str(code),
        str(body.get("message") or ""),
        retry_after_s=retry_after_s(headers),
        request_id=_request_id(body),
    )
    return of_everybody(fault, status)


def _request_id(body: Mapping[str, Any]) -> str | None:
    return str(body.get("request_id") or "") or None
