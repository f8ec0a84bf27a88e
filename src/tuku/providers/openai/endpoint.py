"""One endpoint that speaks OpenAI's protocol, asked through the SDK; every failure comes back as a verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from tuku.errors import RowError, StoppedError
from tuku.providers.api.caller import Answer
from tuku.providers.api.outage import of_everybody
from tuku.providers.api.proxy import proxy_for
from tuku.providers.openai.faults import classify_error

SaidT = TypeVar("SaidT")
ReadT = TypeVar("ReadT")


class Endpoint:
    """Its calls belong to `service_loop`.

    Args:
        section: of the configuration that names it: ``caption``, ``embed`` or ``rerank``.
        key: for it.
        base_url: its address.
        timeout_s: for a whole request.

    Attributes:
        sdk: which makes the requests.
    """

    def __init__(self, section: str, key: str, base_url: str, timeout_s: float) -> None:
        self._section, self._timeout_s = section, timeout_s
        self.sdk = AsyncOpenAI(
            api_key=key,
            base_url=base_url,
            max_retries=0,  # each try needs leave of its own (see `Caller`)
            timeout=timeout_s,
            http_client=DefaultAsyncHttpxClient(trust_env=False, proxy=proxy_for(base_url)),
        )

    async def answer(
        self, request: Awaitable[SaidT], read: Callable[[SaidT], Answer[ReadT]]
    ) -> Answer[ReadT] | RowError | StoppedError:
        """What comes of a request, once.

        Args:
            request: one of `sdk`.
            read: makes the answer of what it returns; whatever it raises makes that a bad one.
        """
        try:
            # The SDK's time limit is for each read: an answer that drips in would never end.
            return read(await asyncio.wait_for(request, self._timeout_s))
        except Exception as error:  # noqa: BLE001  # whatever the SDK trips over is the affair of this request only
            return of_everybody(classify_error(error, self._section), getattr(error, "status_code", None))
