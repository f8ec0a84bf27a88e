"""A connection on which no request comes is not held for ever: there are only so many, and each keeps out somebody."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_S = 15.0
"""Longest time for the header of a request: from the connection's beginning, or from the header's first byte."""


class PromptProtocol(H11Protocol):
    """As uvicorn's, which waits for a header as long as its client likes; an answered connection it closes itself."""

    _overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """See asyncio."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        super().data_received(data)
        if self._is_answering():
            self._stop_waiting()
        elif self._overdue is None:
            self._wait()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._overdue = self.loop.call_later(HEADER_S, self._close_if_silent)

    def _stop_waiting(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def _close_if_silent(self) -> None:
        self._overdue = None
        if not self._is_answering():
            self.transport.close()
