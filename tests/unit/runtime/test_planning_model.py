"""Any history of catalogues, models, failures and kills against a model of it that fits on a page."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from fakes.files import FakeFetcher, png
from fakes.in_process import Job
from fakes.nights import STEPS
from tuku.config import Config, LakeConfig, LimitsConfig, ManifestConfig, PlanConfig, RuntimeConfig
from tuku.errors import RowError
from tuku.fetching import Fetched
from tuku.housekeeping import run_compaction, run_vacuum
from tuku.lake import Lake
from tuku.lake_view import LakeView
from tuku.protocols import (
    Caption,
    CaptionHeard,
    ModelDescription,
    Picture,
    PictureSize,
    Usage,
    Vector,
    VectorHeard,
)
from tuku.runtime import planning
from tuku.runtime.record import Record
from tuku.stages import plan
from tuku.stages.fingerprints import served_fingerprint
from tuku.storage import DiskStorage, Storage
from tuku.terms import Terms

CONTENTS = (png((255, 0, 0), 4), png((0, 255, 0), 4), png((0, 0, 255), 4), b"no picture")
BROKEN = 3
DIGESTS = [hashlib.sha256(content).hexdigest() for content in CONTENTS]
URIS = ("/0.png", "/1.png", "http://h/etag.png", "http://h/dated.png", "http://h/bare.png")
LOCAL = URIS[:2]


@dataclass(frozen=True)
class File:
    """What is at a URI; whoever changes the content changes the version."""

    content: int = 0
    version: int = 0

    def source(self, uri: str) -> str:
        """What planning, or the fetch stage, will write down."""
        if uri in LOCAL:
            return f"version {self.version}"
        served = self.served(uri)
        return served_fingerprint(served.etag, served.last_modified)

    def served(self, uri: str) -> Fetched:
        etag = f'"{self.version}"' if "etag" in uri else None
        return Fetched(CONTENTS[self.content], etag, f"day {self.version}" if "dated" in uri else None)


@dataclass(frozen=True)
class Image:
    """What the lake holds of an image."""

    uri: str
    price: int
    content: int
    source: str
    models: tuple[int, int]

    def row(self) -> dict[str, Any]:
        caption, embedding = self.models
        text = _text(self.content, caption)
        return {
            "uri": self.uri,
            "metadata": f'{{"price": {self.price}}}',
            "source_fingerprint": self.source,
            "content_sha256": DIGESTS[self.content],
            "caption": text,
            "caption_model": f"fake/captioner@{caption}",
            "image_embedding": _vector(DIGESTS[self.content], embedding).tolist(),
            "text_embedding": _vector(text, embedding).tolist(),
            "embed_model": f"fake/embedder@{embedding}",
        }


@dataclass(frozen=True)
class Night:
    """One run: the world as it is then, the catalogue, the configuration, and what goes wrong."""

    edits: list[tuple[str, int | None]]  # a new content, or None: only touched
    rows: list[tuple[str, str, int]]
    models: tuple[int, int]
    compare: str
    snapshot: bool
    unreadable: bool
    down: set[str]
    refused: set[tuple[str, int]]  # (what is asked for, content)
    killed_at: int | None  # before which of its writes
    tidied: bool  # afterwards


@dataclass
class Answers:
    """What was asked of the models, in all nights."""

    given: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    tonight: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    refused: set[tuple[str, int]] = field(default_factory=set)

    def ask(self, what: str, content: int, *models: int) -> bool:
        self.tonight[what, content] += 1
        if (what, content) in self.refused:
            return False
        self.given[(what, content, *models)] += 1
        return True

    def can_have(self, what: str, content: int, *models: int) -> bool:
        return self.given[(what, content, *models)] > 0 or (what, content) not in self.refused


REFUSED = RowError("content_refused", "The model will not look at it.")


@dataclass
class Models:
    """A captioner and an embedder, of some versions."""

    answers: Answers
    versions: tuple[int, int]

    def captioner(self) -> Any:
        return _Captioner(self.answers, *self.versions)

    def embedder(self) -> Any:
        return _Embedder(self.answers, *self.versions)


@dataclass
class _Model:
    answers: Answers
    caption_version: int
    embed_version: int

    def take_usage(self) -> Usage:
        return Usage()


class _Captioner(_Model):
    @property
    def description(self) -> ModelDescription:
        size = PictureSize(long_side_px=4)
        return ModelDescription("fake", "captioner", str(self.caption_version), size, terms=Terms())

    def caption(self, pictures: Sequence[Picture], heard: CaptionHeard) -> list[Caption | RowError]:
        return [self._caption(DIGESTS.index(each.content_sha256), i, heard) for i, each in enumerate(pictures)]

    def _caption(self, content: int, position: int, heard: CaptionHeard) -> Caption | RowError:
        if not self.answers.ask("caption", content, self.caption_version):
            return REFUSED
        caption = Caption(_text(content, self.caption_version))
        heard(position, caption)
        return caption


class _Embedder(_Model):
    @property
    def description(self) -> ModelDescription:
        size = PictureSize(long_side_px=4)
        return ModelDescription("fake", "embedder", str(self.embed_version), size, dim=2, terms=Terms())

    def embed_pictures(self, pictures: Sequence[Picture], heard: VectorHeard) -> list[Vector | RowError]:
        digests = [each.content_sha256 for each in pictures]
        return [
            self._vector("image", DIGESTS.index(digest), digest, i, heard, self.embed_version)
            for i, digest in enumerate(digests)
        ]

    def embed_passages(self, texts: Sequence[str], heard: VectorHeard) -> list[Vector | RowError]:
        versions = self.caption_version, self.embed_version
        return [self._vector("text", int(text[0]), text, i, heard, *versions) for i, text in enumerate(texts)]

    def _vector(self, what: str, content: int, key: str, i: int, heard: VectorHeard, *versions: int) -> Any:
        if not self.answers.ask(what, content, *versions):
            return REFUSED
        vector = _vector(key, self.embed_version)
        heard(i, vector)
        return vector


def _text(content: int, caption_version: int) -> str:
    return f"{content} as captioner {caption_version} sees it"


def _vector(key: str, version: int) -> Vector:
    angle = np.float32(hashlib.sha256(f"{key} {version}".encode()).digest()[0])
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


@dataclass
class Expected:
    """What a night should come to."""

    images: dict[str, Image]
    counts: Counter[str] = field(default_factory=Counter)
    asked: set[int] = field(default_factory=set)  # contents that a model may be asked about
    sent: set[str] = field(default_factory=set)  # files that may be handed out


@dataclass
class Model:
    """What is in the lake, in the world, and what has been paid for."""

    images: dict[str, Image] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=lambda: {uri: File(i % 2) for i, uri in enumerate(URIS)})
    answers: Answers = field(default_factory=Answers)

    def edit(self, edits: list[tuple[str, int | None]]) -> None:
        for uri, content in edits:
            old = self.files[uri]
            self.files[uri] = File(old.content if content is None else content, old.version + 1)

    def expect(self, night: Night) -> Expected:
        expected = Expected(dict(self.images))
        counts = expected.counts
        counts["manifest"] = len(night.rows) + night.unreadable
        counts["failed"] = int(night.unreadable)
        first: dict[str, str] = {}
        for image_id, uri, price in night.rows:
            if image_id in first:
                counts["duplicates" if first[image_id] == uri else "failed"] += 1
                continue
            first[image_id] = uri
            counts[self._expect_row(night, expected, image_id, uri, price)] += 1
        missing = self.images.keys() - first.keys()
        if night.snapshot and not night.unreadable:
            counts["deleted"] = len(missing)
            expected.images = {i: image for i, image in expected.images.items() if i not in missing}
        return expected

    def _expect_row(self, night: Night, expected: Expected, image_id: str, uri: str, price: int) -> str:
        """Which of the report's numbers counts this row."""
        before, file = self.images.get(image_id), self.files[uri]
        how = self._how(night, before, uri, price)
        if how == "unchanged":
            return "unchanged"
        if how == "rewrite":
            expected.images[image_id] = replace(before, price=price)
            return "ok"
        same = how in ("recheck", "revise") and file.content == before.content
        if not (same and file.source(uri) == before.source and night.compare == "source" and "bare" not in uri):
            expected.sent.add(uri)
        if uri in night.down:
            return "failed"
        if how == "recheck" and same and file.source(uri) == before.source:
            return "unchanged"
        if not same:
            expected.asked.add(file.content)
            if not self._can_be_done(file.content, *night.models):
                return "failed"
        expected.images[image_id] = Image(uri, price, file.content, file.source(uri), night.models)
        return "ok"

    def _how(self, night: Night, before: Image | None, uri: str, price: int) -> str:
        if before is None or before.uri != uri or before.models != night.models:
            return "work"
        asked = night.compare == "content" or (night.compare == "source" and uri not in LOCAL)
        if night.compare == "source" and not asked and before.source != self.files[uri].source(uri):
            return "work"
        if before.price != price:
            return "revise" if asked else "rewrite"
        return "recheck" if asked else "unchanged"

    def _can_be_done(self, content: int, caption: int, embedding: int) -> bool:
        can_have = self.answers.can_have
        return (
            content != BROKEN
            and can_have("caption", content, caption)
            and can_have("image", content, embedding)
            and can_have("text", content, caption, embedding)
        )


class Killed(BaseException):
    """The process is gone."""


@contextmanager
def killed_at(write: int | None) -> Iterator[None]:
    """Within it the process dies before so many files have been written."""
    writes = count()

    def dying(method: Any) -> Any:
        def wrapped(self: Storage, *arguments: Any, **named: Any) -> Any:
            if next(writes) == write:
                raise Killed
            return method(self, *arguments, **named)

        return wrapped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DiskStorage, "atomic", dying(DiskStorage.atomic))
        patch.setattr(DiskStorage, "create", dying(DiskStorage.create))
        yield


@dataclass
class History:
    """Plays nights, each against what the model expects of it."""

    folder: Path
    model: Model = field(default_factory=Model)
    pending: Expected | None = None  # of a night that was killed

    def play(self, night: Night) -> None:
        model, lake = self.model, Lake.at(str(self.folder / "lake"))
        run, _ = lake.begin()
        self._require_lake(lake)
        model.edit(night.edits)
        model.answers.refused, model.answers.tonight = night.refused, Counter()
        expected = model.expect(night)
        job = self._job(lake, night)
        try:
            with killed_at(night.killed_at), self._local_files():
                job.work(run, self._manifest(night))
        except Killed:
            event("killed")
            self.pending = expected
            return
        finally:
            self._require_frugal(expected, job)
        self._require_counts(expected, Record(job.config, job.models, run, False, job.plan, job.stats, worked=True))
        model.images = expected.images
        self._require_lake(lake)
        if night.tidied:
            run_compaction(lake, LakeConfig(), STEPS, everything=True)
            run_vacuum(lake, LakeConfig(), STEPS)
            self._require_lake(lake)

    def _job(self, lake: Lake, night: Night) -> Job:
        model = self.model
        config = Config(
            manifest=ManifestConfig(mode="snapshot" if night.snapshot else "append"),
            plan=PlanConfig(compare=night.compare),
            runtime=RuntimeConfig(block_rows=2, slice_rows=1),
            limits=LimitsConfig(max_deleted_fraction=1.0),
        )
        files = {uri: file.served(uri) for uri, file in model.files.items()}
        down = {uri: RowError("http_503", "Not now.", retryable=True) for uri in night.down}
        models = Models(model.answers, night.models)
        return Job(lake, config, FakeFetcher({**files, **down}), models.captioner(), models.embedder())

    def _manifest(self, night: Night) -> str:
        path = self.folder / "pictures.csv"
        lines = [f"{image_id},{uri},{price}" for image_id, uri, price in night.rows]
        path.write_text("\n".join(["id,uri,price", *lines, *(["z,,1"] if night.unreadable else [])]) + "\n")
        return str(path)

    @contextmanager
    def _local_files(self) -> Iterator[None]:
        files = self.model.files
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plan, "source_fingerprint", lambda uri: files[uri].source(uri) if uri in LOCAL else None)
            yield

    def _require_frugal(self, expected: Expected, job: Job) -> None:
        answers = self.model.answers
        assert max(answers.given.values(), default=1) == 1, "an answer was paid for twice"
        assert max(answers.tonight.values(), default=1) == 1, "a question was asked twice in one night"
        assert {content for _, content in answers.tonight} <= expected.asked
        assert set(job.fetcher.sent) <= expected.sent

    def _require_counts(self, expected: Expected, record: Record) -> None:
        rows = record.report().rows
        assert rows.manifest == rows.unchanged + rows.duplicates + rows.ok + rows.failed
        assert (rows.ok, rows.failed) == (record.run.rows("parts"), record.run.rows("errors"))
        assert {name: number for name in ("manifest", "duplicates", "unchanged", "ok", "failed", "deleted")
                if (number := getattr(rows, name))} == +expected.counts  # fmt: skip

    def _require_lake(self, lake: Lake) -> None:
        found = [row for table in LakeView.everything(lake).batches() for row in table.to_pylist()]
        ids = [row["image_id"] for row in found]
        assert len(set(ids)) == len(ids)
        shown = {row["image_id"]: {name: row[name] for name in row if name in _SHOWN} for row in found}
        if self.pending is not None:
            self.model.images = {i: self._of_either(i, shown[i]) for i in ids}
            self.pending = None
        assert shown == {image_id: image.row() for image_id, image in self.model.images.items()}
        assert LakeView.everything(lake).rows() == len(ids)

    def _of_either(self, image_id: str, row: dict[str, Any]) -> Image:
        """What the image was before the night that was killed, or what it was to be."""
        both = (self.pending.images.get(image_id), self.model.images.get(image_id))
        return next(image for image in both if image is not None and image.row() == row)


_SHOWN = Image("", 0, 0, "", (0, 0)).row().keys()


def sometimes(strategy: st.SearchStrategy[Any], usually: Any) -> st.SearchStrategy[Any]:
    return st.one_of(st.just(usually), st.just(usually), st.just(usually), strategy)


IDS = "abcde"
# Mostly each image is where it was.
rows = st.builds(
    lambda number, moved, price: (IDS[number], URIS[(number + moved) % len(URIS)], price),
    st.integers(0, len(IDS) - 1), st.sampled_from([0, 0, 0, 0, 1]), st.sampled_from([1, 1, 1, 2]),
)  # fmt: skip
# Models come and go; only one of them at a time goes back to what it was: see `stages.plan`.
model_histories = st.one_of(
    st.lists(st.tuples(st.integers(1, 2), st.just(1)), min_size=3),
    st.lists(st.sampled_from([(1, 1), (2, 1), (2, 2), (3, 2)]), min_size=3).map(sorted),
)
nights = st.builds(
    Night,
    edits=st.lists(st.tuples(st.sampled_from(URIS), st.none() | st.integers(0, BROKEN)), max_size=3),
    rows=st.lists(rows, min_size=3, max_size=9),
    models=st.just((1, 1)),
    compare=st.sampled_from(["source", "source", "source", "content", "uri"]),
    snapshot=sometimes(st.just(True), False),
    unreadable=sometimes(st.just(True), False),
    down=sometimes(st.sets(st.sampled_from(URIS), max_size=2), set()),
    refused=sometimes(st.sets(st.tuples(st.sampled_from(["caption", "image", "text"]), st.integers(0, 2))), set()),
    killed_at=sometimes(st.integers(0, 15), None),
    tidied=sometimes(st.just(True), False),
)
histories = st.tuples(st.lists(nights, min_size=3, max_size=6), model_histories).map(
    lambda drawn: [replace(night, models=models) for night, models in zip(drawn[0], _held(drawn[1]), strict=False)]
)


def _held(models: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    yield from models
    while True:
        yield models[-1] if models else (1, 1)


def play(folder: Path, history: list[Night], *, small: bool) -> None:
    played = History(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "_SMALL_ROWS", 1_000 if small else 2)
        patch.setattr(planning, "_GROUP_ROWS", 2)
        patch.setattr(planning, "_BUCKETS", 3)
        patch.setattr(os, "fsync", lambda descriptor: None)
        for night in history:
            played.play(night)


USUAL = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@USUAL
@given(history=histories, small=st.booleans())
def test_any_history(tmp_path_factory: pytest.TempPathFactory, history: list[Night], small: bool) -> None:
    play(tmp_path_factory.mktemp("history"), history, small=small)


@pytest.mark.long
@pytest.mark.timeout(1800)
@settings(USUAL, max_examples=300)
@given(history=histories, small=st.booleans())
def test_very_many_histories(tmp_path_factory: pytest.TempPathFactory, history: list[Night], small: bool) -> None:
    play(tmp_path_factory.mktemp("history"), history, small=small)
