"""A block's way through all stages: what becomes of each row, and what stops the job."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pytest

from fakes.files import FakeFetcher, png
from fakes.models import FakeCaptioner, FakeEmbedder, Meter
from fakes.tables import failure, work_rows
from tuku.config import Config, RuntimeConfig
from tuku.errors import STOPPED, RowError, StoppedError, StorageError, TukuError
from tuku.pipeline import STAGES, Models, Toolbox
from tuku.protocols import CaptionHeard, Usage, VectorHeard, unheard
from tuku.runtime import blocks
from tuku.runtime.blocks import BlockStats
from tuku.runtime.crew import Crew
from tuku.runtime.ledger import Halt
from tuku.schemas import PAID
from tuku.stages.paid import PaidAnswers

TIMEOUT = RowError("timeout", "No answer within 30 s.", retryable=True, attempts=3)
REFUSED = RowError("content_refused", "The provider will not look at it.")
TOO_LONG = RowError("too_long", "More than 8 words.")


@dataclass
class MemorySink:
    """A run that keeps its blocks in memory."""

    run_id: str = "r-1"
    blocks: dict[str, tuple[pa.Table, pa.Table]] = field(default_factory=dict)
    paid: list[dict] = field(default_factory=list)
    twins: list[dict] = field(default_factory=list)
    error: TukuError | None = None

    def write_block(self, name: str, images: pa.Table, dead_letters: pa.Table, paid: pa.Table) -> None:
        if self.error is not None:
            raise self.error
        self.blocks[name] = (images, dead_letters)
        self.paid += paid.to_pylist()

    def write_twins(self, name: str, rows: pa.Table, round_: int) -> None:
        self.twins += rows.to_pylist()

    def images(self) -> list[dict]:
        return [row for images, _ in self.blocks.values() for row in images.drop(["ingested_at"]).to_pylist()]

    def dead_letters(self) -> list[dict]:
        return [row for _, errors in self.blocks.values() for row in errors.drop(["failed_at"]).to_pylist()]


@pytest.fixture
def crew() -> Crew:
    return Crew(2, {"cpu": 1})


def picture(number: int) -> bytes:
    return png((250, number, 0))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def rows(count: int) -> pa.Table:
    return work_rows(*[{"uri": f"/{i}.png"} for i in range(count)])


def toolbox(slice_rows: int = 3, block_rows: int = 256, **tools: object) -> Toolbox:
    config = Config(runtime=RuntimeConfig(slice_rows=slice_rows, block_rows=block_rows))
    captioner, embedder = FakeCaptioner(), FakeEmbedder()
    box = Toolbox(
        config=config,
        models=Models.of(config, captioner.description, embedder.description),
        fetcher=FakeFetcher({f"/{i}.png": picture(i) for i in range(20)}),
        captioner=captioner,
        embedder=embedder,
        sink=MemorySink(),
    )
    return replace(box, **tools)


def run_block(block: pa.Table, box: Toolbox, crew: Crew) -> BlockStats:
    stats = BlockStats()
    blocks.run_block(block, box, crew, stats)
    return stats


def sink_of(box: Toolbox) -> MemorySink:
    assert isinstance(box.sink, MemorySink)
    return box.sink


def test_rows_come_out_of_the_stages_as_images(crew: Crew) -> None:
    box = toolbox()
    stats = run_block(rows(4), box, crew)
    images = sink_of(box).images()
    assert [image["image_id"] for image in images] == ["id-0", "id-1", "id-2", "id-3"]
    assert [image["content_sha256"] for image in images] == [digest(picture(i)) for i in range(4)]
    assert {image["caption"] for image in images} == {"A red picture"}
    assert {(image["width"], image["height"], image["format"]) for image in images} == {(16, 16, "PNG")}
    assert stats.ok == 4
    assert stats.errors == stats.failed == Counter()
    assert stats.rows == {stage.name: 4 for stage in STAGES}
    assert set(stats.seconds) == {stage.name for stage in STAGES}
    assert stats.usage == {"caption": Usage(requests=2), "embed": Usage(requests=4)}
    assert stats.fatal is None


@pytest.mark.parametrize("count", [0, 1, 7])
@pytest.mark.parametrize("slice_rows", [1, 2, 3, 7, 8, 256])
def test_slices_of_any_size_give_the_same_files(count: int, slice_rows: int, crew: Crew) -> None:
    whole, sliced = toolbox(slice_rows=100), toolbox(slice_rows=slice_rows)
    for box in (whole, sliced):
        files = {f"/{i}.png": picture(i) if i % 3 else TIMEOUT for i in range(count)}
        run_block(rows(count), replace(box, fetcher=FakeFetcher(files)), crew)
    assert sink_of(sliced).images() == sink_of(whole).images()
    assert sink_of(sliced).dead_letters() == sink_of(whole).dead_letters()
    assert len(sink_of(sliced).images()) + len(sink_of(sliced).dead_letters()) == count
    assert sink_of(sliced).blocks.keys() == sink_of(whole).blocks.keys()


def test_each_stage_fails_its_rows_and_no_others(crew: Crew) -> None:
    files = {f"/{i}.png": picture(i) for i in range(8)} | {"/1.png": TIMEOUT, "/2.png": b"not a picture"}
    box = toolbox(
        fetcher=FakeFetcher(files),
        captioner=FakeCaptioner(failures={digest(picture(3)): REFUSED}),
        embedder=FakeEmbedder(failures={digest(picture(4)): TOO_LONG}),
    )
    bad = failure("plan", RowError("duplicate_id", "The id stands there twice."))
    block = work_rows({"uri": "/0.png", **bad}, *[{"uri": f"/{i}.png"} for i in range(1, 8)])
    stats = run_block(block, box, crew)

    letters = sink_of(box).dead_letters()
    assert [(letter["image_id"], letter["stage"], letter["code"]) for letter in letters] == [
        ("id-0", "plan", "duplicate_id"),
        ("id-1", "fetch", "timeout"),
        ("id-2", "decode", "not_an_image"),
        ("id-3", "caption", "content_refused"),
        ("id-4", "embed", "too_long"),
    ]
    assert (letters[1]["attempts"], letters[1]["retryable"]) == (3, True)
    assert [image["image_id"] for image in sink_of(box).images()] == ["id-5", "id-6", "id-7"]
    assert stats.ok == 3
    assert stats.errors == dict.fromkeys(["duplicate_id", "timeout", "not_an_image", "content_refused", "too_long"], 1)
    assert stats.failed == dict.fromkeys(["plan", "fetch", "decode", "caption", "embed"], 1)
    assert [stats.rows[stage.name] for stage in STAGES] == [7, 6, 6, 5, 4, 3]


def test_a_block_in_which_every_row_fails_is_written_too(crew: Crew) -> None:
    box = toolbox(fetcher=FakeFetcher())
    stats = run_block(rows(5), box, crew)
    assert stats.ok == 0
    assert stats.errors == {"not_found": 5}
    assert len(sink_of(box).dead_letters()) == 5
    assert stats.usage["caption"].requests == stats.usage["embed"].requests == 0


def test_without_a_captioner_there_is_nothing_to_pay_for_captions(crew: Crew) -> None:
    box = toolbox(captioner=None)
    box = replace(box, models=Models.of(box.config, None, box.embedder.description))
    stats = run_block(rows(2), box, crew)
    assert [image["caption"] for image in sink_of(box).images()] == ["", ""]
    assert set(stats.usage) == {"embed"}


def test_what_stops_the_job_comes_through_and_the_next_block_works(crew: Crew) -> None:
    box = toolbox(sink=MemorySink(error=StoppedError("The disk is full.")))
    with pytest.raises(StoppedError, match="disk is full"):
        run_block(rows(7), box, crew)
    assert sink_of(box).blocks == {}
    sink_of(box).error = None
    assert run_block(rows(7), box, crew).ok == 7


@pytest.mark.parametrize("stops_after", [0, 1])
def test_a_model_that_stops_the_job_makes_no_dead_letters(crew: Crew, stops_after: int) -> None:
    meter = Meter(stops_with=StoppedError("The budget is spent."), stops_after=stops_after)
    box = toolbox(captioner=FakeCaptioner(meter=meter))
    with pytest.raises(StoppedError, match="budget"):
        run_block(rows(7), box, crew)
    assert sink_of(box).dead_letters() == []


def test_a_halted_run_keeps_what_it_has_and_makes_no_dead_letters_of_the_rest() -> None:
    """The third picture halts the run: the slices before are whole, its own has captions, the next has nothing."""
    halted = threading.Event()

    class HaltingCaptioner(FakeCaptioner):
        def caption(self, pictures: Sequence, heard: CaptionHeard = unheard) -> list:
            answers = super().caption(pictures, heard)
            if pictures[0].content_sha256 == digest(picture(2)):
                halted.set()
                answers[1] = RowError(STOPPED, "The run was halted.")
            return answers

    box = toolbox(slice_rows=2, captioner=HaltingCaptioner(), halted=halted.is_set)
    files = {f"/{i}.png": picture(i) for i in range(6)} | {"/1.png": b"not a picture"}
    stats = run_block(rows(6), replace(box, fetcher=FakeFetcher(files)), Crew(1, {}))
    assert [image["image_id"] for image in sink_of(box).images()] == ["id-0"]
    assert [letter["image_id"] for letter in sink_of(box).dead_letters()] == ["id-1"]
    assert (stats.ok, stats.errors) == (1, {"not_an_image": 1})
    assert [(row["content_sha256"], row["caption"]) for row in sink_of(box).paid] == [
        (digest(picture(2)), "A red picture")
    ]
    again = replace(box, paid=PaidAnswers.of([pa.Table.from_pylist(sink_of(box).paid, schema=PAID)]))
    captioner = FakeCaptioner()
    stats = run_block(rows(6).slice(2), replace(again, captioner=captioner, halted=lambda: False), Crew(1, {}))
    assert stats.ok == 4
    assert captioner.meter.answered == 2  # slices; the first asked for one picture only
    assert captioner.seen == [digest(picture(i)) for i in (3, 4, 5)]


@pytest.mark.parametrize("error", [StorageError("The share is gone."), ZeroDivisionError()])
@pytest.mark.parametrize("failing", ["/0.png", "/4.png", "/6.png"])
def test_what_goes_wrong_ahead_comes_through_and_nothing_hangs(crew: Crew, error: Exception, failing: str) -> None:
    def fail(uris: Sequence[str]) -> None:
        if failing in uris:
            raise error

    box = toolbox(fetcher=FakeFetcher({f"/{i}.png": picture(i) for i in range(7)}, before=fail))
    with pytest.raises(type(error)):
        run_block(rows(7), box, crew)
    assert crew.map(str, ["still alive"]) == ["still alive"]
    assert sink_of(box).dead_letters() == []


def test_a_slice_that_breaks_takes_no_other_with_it_and_leaves_what_was_paid_for() -> None:
    class BrokenEmbedder(FakeEmbedder):
        def embed_pictures(self, pictures: Sequence, heard: VectorHeard = unheard) -> list:
            if pictures[0].content_sha256 == digest(picture(2)):
                raise ZeroDivisionError
            return super().embed_pictures(pictures, heard)

    box = toolbox(slice_rows=2, embedder=BrokenEmbedder())
    stats = BlockStats()
    with pytest.raises(ZeroDivisionError):
        blocks.run_block(rows(4), box, Crew(1, {}), stats)
    assert [image["image_id"] for image in sink_of(box).images()] == ["id-0", "id-1"]
    assert [row["content_sha256"] for row in sink_of(box).paid] == [digest(picture(2)), digest(picture(3))]
    assert sink_of(box).dead_letters() == []
    assert stats.ok == 2
    assert stats.usage["caption"].requests == 2


def test_the_next_slice_is_fetched_while_this_one_is_worked(crew: Crew) -> None:
    second_fetched = threading.Event()

    def note(uris: Sequence[str]) -> None:
        if "/1.png" in uris:
            second_fetched.set()

    class WaitingCaptioner(FakeCaptioner):
        def caption(self, pictures: Sequence, heard: CaptionHeard = unheard) -> list:
            assert second_fetched.wait(timeout=5)
            return super().caption(pictures, heard)

    fetcher = FakeFetcher({f"/{i}.png": picture(i) for i in range(3)}, before=note)
    box = toolbox(slice_rows=1, fetcher=fetcher, captioner=WaitingCaptioner())
    assert run_block(rows(3), box, crew).ok == 3


def test_counts_travel_as_json(crew: Crew) -> None:
    stats = run_block(rows(3), toolbox(fetcher=FakeFetcher({"/0.png": picture(0)})), crew)
    assert stats.errors == {"not_found": 2}
    assert BlockStats.from_dict(json.loads(json.dumps(stats.to_dict()))) == stats
    fatal = BlockStats(fatal=Halt("StoppedError", "Full.", "Free some space."))
    assert BlockStats.from_dict(json.loads(json.dumps(fatal.to_dict()))) == fatal


def test_counts_add_up(crew: Crew) -> None:
    box, total = toolbox(), BlockStats()
    first, second = (run_block(rows(count), box, crew) for count in (3, 5))
    total.add(first)
    total.add(second)
    assert total.ok == 8
    assert total.rows == {stage.name: 8 for stage in STAGES}
    assert total.usage["caption"].requests == 1 + 2
    assert total.seconds["fetch"] == first.seconds["fetch"] + second.seconds["fetch"]
    total.add(BlockStats(fatal=Halt("StoppedError", "Full.", "")))
    assert total.fatal == Halt("StoppedError", "Full.", "")
