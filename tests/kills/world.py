"""What all cases share: servers, a Ray cluster, and what becomes of the catalogues if nothing happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path

from dashscope_job import FAST, profile
from fakes.dashscope import DashScopeServer, Latency, Settings
from fakes.image_server import serve
from kills.catalogue import Catalogues, SlowImages, make_catalogues, make_pictures
from kills.moments import Scene, asked, durations
from kills.night import Night, Place
from kills.outcome import Outcome
from ray_head import Head, ray_head

_OPTIONS = [
    *profile("dashscope_modern"), *FAST,
    "--set", "retry.request_timeout_s=60",  # a request that is sent again is paid again, by nobody's death
    "--set", "fetch.allowed_hosts=[127.0.0.1]",
    "--set", "fetch.concurrency=2",
    "--set", "runtime.block_rows=6",
    "--set", "runtime.slice_rows=3",
]  # fmt: skip


@dataclass
class World:
    """What all cases share.

    Attributes:
        folder: a new folder for each place is made in here.
        env: of every process, so that it finds the servers.
        lasts_s: how long phases took when nothing happened.
    """

    folder: Path
    server: DashScopeServer
    images: SlowImages
    head: Head
    catalogues: Catalogues
    env: dict[str, str]
    lasts_s: dict[str, float] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    def place(
        self,
        manifest: Path | None = None,
        *,
        local: bool = False,
        folder: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Place:
        """A new lake, to be worked with this night's manifest unless another is named.

        Args:
            manifest: what is ingested.
            local: Ray is each run's own.
            folder: where, instead of just somewhere.
            env: of its processes, beside everybody's.
        """
        number = next(self._numbers)
        address = "local" if local else self.head.address
        arguments = [str(manifest or self.catalogues.tonight), *_OPTIONS, "--set", f"runtime.address={address}"]
        return Place(
            folder or self.folder / f"place-{number}",
            ["ingest", *arguments],
            {**self.env, **(env or {})},
            logs=self.folder / f"logs-{number}",
        )

    def scene(self, night: Night) -> Scene:
        """A run that has just begun, as somebody sees it who waits for a moment."""
        return Scene(night, self.server, self.images, self.lasts_s, asked(self.server, self.images))

    def undisturbed(self, *, follows: bool) -> Outcome:
        return self._outcome_of_second if follows else self._outcome_of_first

    @cached_property
    def _outcome_of_first(self) -> Outcome:
        return self._completed(self.place()).outcome()

    @cached_property
    def _outcome_of_second(self) -> Outcome:
        place = self.place()
        place.begin_as(self.before)
        return self._completed(place).outcome()

    @cached_property
    def before(self) -> Place:
        """As the night before has left it."""
        return self._completed(self.place(self.catalogues.before))

    def _completed(self, place: Place) -> Place:
        with place.night() as night:
            onsets = night.onsets()
            assert night.wait() == 0, night.said
        self.lasts_s = self.lasts_s or durations(onsets)
        return place


@contextmanager
def make_world(folder: Path) -> Iterator[World]:
    """Pictures, servers and a cluster; all of it ends with the block."""
    make_pictures(folder / "pictures")
    with ExitStack() as stack:
        server = stack.enter_context(DashScopeServer(Settings(answers="numbered", latency=Latency(median_s=0.3))))
        images = stack.enter_context(serve(folder / "pictures", SlowImages))
        # Ray lets others go first, so that on a busy machine an answer would wait to be read for seconds.
        env = {**server.environment, "RAY_AUTH_MODE": "disabled", "RAY_worker_niceness": "0"}
        head = stack.enter_context(ray_head(folder / "head.log", env=env))
        yield World(folder, server, images, head, make_catalogues(folder / "pictures", images.url), env)
