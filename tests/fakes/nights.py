"""Lakes with a history, for tests of what may be done to one behind its readers' backs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from fakes.tables import dead_letter_rows, image_rows, paid_answers
from tuku.dead_letters import DeadLetters
from tuku.housekeeping import Retention, Steps
from tuku.lake import Lake, Run
from tuku.lake_view import LakeView

STEPS = Steps(lambda: None, lambda name, detail: None)
PART = 100_000
"""Bytes of a part file, of which a night's are small ones."""


def night(
    lake: Lake,
    ok: Iterable[str] = "",
    failed: Iterable[str] = "",
    gone: Iterable[str] = "",
    paid: str = "",
    end: str = "commit",
) -> Run:
    """A run as ingest leaves it: images of these ids (a letter each; two in a file), dead letters, deletions, answers.

    The caption of an image says which run it is of. `end`: ``commit``, or ``nothing`` if the run was killed before.
    """
    run, _ = lake.begin()
    number, ids, failures = len(lake.runs()) + 1, sorted(ok), sorted(failed)
    run.write_json("plan.json", {"manifest_uri": None, "complete": True})
    for start in range(0, len(ids), 2):
        images = image_rows(*(_image(each, number, run) for each in ids[start : start + 2]))
        run.write_block(f"{start:03d}", images, dead_letter_rows())
    letters = dead_letter_rows(*({"image_id": each, "run_id": run.run_id} for each in failures))
    answers = paid_answers(*({"content_sha256": each, "caption": each, "caption_fingerprint": "f"} for each in paid))
    run.write_block("failed", image_rows(), letters, answers)
    run.write_deleted("all", sorted(gone))
    run.write_work(0, image_rows(), 1)
    if end == "commit":
        run.commit()
        run.write_json("report.json", {})
    return run


def _image(image_id: str, number: int, run: Run) -> dict[str, Any]:
    text = f"{image_id}{number}"
    prints = {"caption_fingerprint": "f", "embedding_fingerprint": "f", "run_id": run.run_id}
    return {"image_id": image_id, "caption": text, "keywords": [text], "content_sha256": image_id, **prints}


def images(view: LakeView) -> pa.Table:
    """All that readers see, in an order that does not depend on files."""
    return pa.concat_tables([image_rows(), *view.batches()]).sort_by("image_id").combine_chunks()


def now(lake: Lake) -> pa.Table:
    """All that readers see now."""
    return images(LakeView.everything(lake))


def captions(lake: Lake) -> str:
    """Id and run of each image, such as ``a1 b2``."""
    return " ".join(now(lake).column("caption").to_pylist())


def letters(lake: Lake) -> pa.Table:
    """The dead letters that stand."""
    batches = DeadLetters.of(lake).batches()
    return pa.concat_tables([dead_letter_rows(), *batches]).sort_by([("image_id", "ascending")]).combine_chunks()


def files(lake: Lake) -> set[str]:
    """Names of all files of the lake's runs."""
    return {file.name for file in lake.storage.walk("runs")}


def later(days: float, *, replaced: float = 7, runs: float = 90) -> Retention:
    """As it is so many days from now, everything being kept for so many days."""
    usual = Retention(timedelta(days=replaced), timedelta(days=runs))
    return Retention(usual.replaced, usual.runs, usual.now + timedelta(days=days))


class KilledError(BaseException):
    """The process is gone."""


@contextmanager
def dying(lake: Lake, change: int) -> Iterator[list[str]]:
    """Within it the process dies at its `change`-th change of the lake, and half of what it was writing is there.

    Yields:
        What was changed; grows.
    """
    done: list[str] = []
    kind = type(lake.storage)

    def counted(method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: Any, name: str, *arguments: Any, **named: Any) -> Any:
            if len(done) >= change:
                if method.__name__ in {"atomic", "create"}:
                    left = self.path(name).with_name(".tmp-half")
                    left.parent.mkdir(parents=True, exist_ok=True)
                    left.write_bytes(b"half")
                raise KilledError
            done.append(f"{method.__name__} {name}")
            return method(self, name, *arguments, **named)

        return wrapped

    with pytest.MonkeyPatch.context() as patch:
        for each in ("atomic", "create", "remove", "remove_empty"):
            patch.setattr(kind, each, counted(getattr(kind, each)))
        yield done
