"""The way of a request: read, let in, waited for, answered or spoilt, counted."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from uuid import uuid4

from aiohttp import web

from fakes.dashscope.answer import Answer, Endpoint, Job
from fakes.dashscope.asked import Asked
from fakes.dashscope.counters import ModelCounters
from fakes.dashscope.errors import ApiError, fatal, inspection_failed, invalid
from fakes.dashscope.luck import draw_fault, draw_latency_s, has_bad_item
from fakes.dashscope.sending import SPOILT, UNANSWERED, is_open, reset, send_json
from fakes.dashscope.state import State

# Status, code and message.
ERRORS: dict[str | None, tuple[int, str, str]] = {
    "internal_error": (500, "InternalError", "Internal server error."),
    "algo_error": (500, "InternalError.Algo", "An internal error has occurred during execution."),
    "error_inside": (200, "InternalError", "Internal server error."),
}


class Exchange:
    """One request and its answer."""

    def __init__(self, state: State, http: web.Request, endpoint: Endpoint[Any]) -> None:
        self._state, self._http, self._endpoint = state, http, endpoint
        self._request_id = str(uuid4())

    async def run(self) -> web.StreamResponse:
        """Answer, whatever the answer is."""
        self._state.see(self._http.transport)
        try:
            asked = await self._read()
        except ApiError as error:
            self._state.rejected[error.code] += 1
            return self._fail(error)
        counters = self._state.arrive(asked)
        try:
            self._state.check_service()
            self._state.enter(self._endpoint.name, asked, counters)
        except ApiError as error:
            counters.refuse(error.code, time.monotonic())
            return self._fail(error)
        try:
            return await self._work(asked, counters)
        except ApiError as error:
            counters.failed[error.code] += 1
            return self._fail(error)
        except ConnectionError:
            counters.failed["client_gone"] += 1
            return web.Response()  # aiohttp wants one; nobody gets it
        finally:
            counters.in_flight -= 1

    async def _read(self) -> Asked:
        kind, _, key = self._http.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or key not in self._state.settings.keys:
            raise fatal("InvalidApiKey")
        try:
            fields = json.loads(await self._http.read())
        except ValueError as error:
            raise invalid("Required body invalid, please check the request body format.") from error
        if not isinstance(fields, dict):
            raise invalid("The body must be an object.")
        asked: Asked = self._endpoint.read(fields)
        return asked

    async def _work(self, asked: Asked, counters: ModelCounters) -> web.StreamResponse:
        settings = self._state.settings
        dice = self._state.luck.dice(self._endpoint.name, asked)
        await asyncio.sleep(draw_latency_s(settings.latency, dice))
        self._state.check_outage()
        if has_bad_item(asked, settings.faults.bad_item):
            counters.faults["bad_item"] += 1
            raise inspection_failed()
        fault = draw_fault(settings.faults, self._endpoint.faults, dice)
        if fault is not None:
            counters.faults[fault] += 1
        if fault in ERRORS:
            raise ApiError(*ERRORS[fault])
        if fault in UNANSWERED:
            return await UNANSWERED[fault](self._http)
        answer = await self._answer(asked, Job(self._state.mind, settings, dice, fault, self._request_id))
        self._state.bill(asked, answer.output_tokens, counters)
        if fault in SPOILT:
            return await SPOILT[fault](self._http, answer.body)
        response = await send_json(self._http, answer.body)
        if is_open(self._http):
            counters.answered += 1
            counters.items.answer(self._endpoint.name, asked, answer.damaged, time.monotonic())
        return response

    async def _answer(self, asked: Asked, job: Job) -> Answer:
        if job.settings.answers != "models":
            answer: Answer = self._endpoint.answer(asked, job)
            return answer
        # Real models take their time: others are answered meanwhile.
        return await asyncio.get_running_loop().run_in_executor(None, self._endpoint.answer, asked, job)

    def _fail(self, error: ApiError) -> web.StreamResponse:
        if self._state.outage == "close":
            reset(self._http)
            return web.Response()
        body = json.dumps(self._endpoint.error_body(error, self._request_id)).encode()
        headers = {} if error.retry_after_s is None else {"Retry-After": f"{error.retry_after_s:g}"}
        return web.Response(body=body, status=error.status, content_type="application/json", headers=headers)
