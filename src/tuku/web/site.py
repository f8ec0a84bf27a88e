"""One server's parts, made when it starts, for the routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends
from starlette.requests import Request

from tuku.config import Config
from tuku.errors import RowError
from tuku.web.catalogue import Catalogue
from tuku.web.executor import BoundedExecutor
from tuku.web.feedback import Feedback
from tuku.web.metrics import Metrics
from tuku.web.readiness import Readiness
from tuku.web.thumbnails import Thumbnails
from tuku.web.uploads import Uploads

T = TypeVar("T")


@dataclass
class Site:
    """What routes work with.

    Attributes:
        feedback: None: clicks are not kept.
    """

    config: Config
    catalogue: Catalogue
    executor: BoundedExecutor
    uploads: Uploads
    thumbnails: Thumbnails
    metrics: Metrics
    feedback: Feedback | None
    readiness: Readiness

    async def ask(self, work: Callable[[], T]) -> T:
        """What the catalogue answers, in its turn.

        Raises:
            RefusedError: 503: too many are asking.
            TukuError: whatever the catalogue raised.
            RowError: likewise.
        """
        with self.metrics.searching.track_inprogress():
            try:
                return await self.executor.run(work)
            except RowError as fault:
                self.metrics.uploads_refused.labels(fault.code).inc()
                raise


async def _site(request: Request) -> Site:  # a plain function would be run in a thread
    site: Site = request.app.state.site
    return site


Here = Annotated[Site, Depends(_site)]
