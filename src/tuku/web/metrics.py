"""What Prometheus is told."""

from __future__ import annotations

import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tuku import __version__

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Metrics:
    """Counters of one server; a registry of its own, so that two in a process do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self.requests = Counter("tuku_requests", "Requests answered.", ("route", "method", "status"), registry=registry)
        self.request_seconds = Histogram(
            "tuku_request_seconds", "From request to answer.", ("route",), buckets=_SECONDS, registry=registry
        )
        self.phase_seconds = Histogram(
            "tuku_search_phase_seconds", "Phases of searches.", ("phase",), buckets=_SECONDS, registry=registry
        )
        self.thumbnails = Counter("tuku_thumbnails", "Thumbnails asked for.", ("outcome",), registry=registry)
        self.uploads_refused = Counter(
            "tuku_uploads_refused", "Pictures that cannot be used.", ("reason",), registry=registry
        )
        self.feedback = Counter("tuku_feedback", "Clicks.", ("outcome",), registry=registry)
        self.searching = Gauge("tuku_searches", "Searches under way or waiting.", registry=registry)
        Gauge("tuku_info", "What this is.", ("version",), registry=registry).labels(__version__).set(1)

    def searched(self, timings_ms: Mapping[str, float]) -> None:
        """A search has been answered."""
        for phase, milliseconds in timings_ms.items():
            self.phase_seconds.labels(phase).observe(milliseconds / 1000)

    def text(self) -> bytes:
        """In Prometheus' words."""
        return generate_latest(self.registry)


class Counting:
    """Counts requests by the route that answers them: a path that a client invents makes no new series.

    Args:
        app: what answers.
        metrics: where they are counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began_s = 500, time.perf_counter()

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sent)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in {"GET", "HEAD", "POST"} else "other"
            self._metrics.requests.labels(route, method, str(status)).inc()
            self._metrics.request_seconds.labels(route).observe(time.perf_counter() - began_s)
