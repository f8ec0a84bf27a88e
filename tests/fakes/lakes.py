"""Runs in a lake, for tests of what a sequence of runs comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fakes.tables import dead_letter_rows, image_rows
from tuku.lake import Lake, Run


def run_id(number: int) -> str:
    """The id of a lake's first, second … run."""
    return f"20261121T0000{number:08d}Z-{number:04x}"


def add_run(
    lake: Lake,
    *,
    ok: str = "",
    failed: str | Sequence[Mapping[str, Any]] = "",
    gone: str = "",
    manifest: str | None = None,
    complete: bool = False,
    end: str = "commit",
) -> Run:
    """A run with images of these ids (a letter each), dead letters, and ids that it took out.

    Args:
        lake: gains the run.
        ok: ids of images.
        failed: ids of dead letters, or what is special about each of them.
        gone: ids that were deleted.
        manifest: of all rows, and in plan.json.
        complete: as in plan.json.
        end: ``commit``, ``seal``, or ``nothing``: it is being written.
    """
    run = Run(lake.storage, run_id(len(lake.runs())))
    run.write_json("plan.json", {"manifest_uri": manifest, "complete": complete})
    letters = [dict(each) if isinstance(each, Mapping) else {"image_id": each} for each in failed]
    usual = {"manifest_uri": manifest, "run_id": run.run_id}
    images = image_rows(*({"image_id": each, "run_id": run.run_id} for each in ok))
    run.write_block("block", images, dead_letter_rows(*({**usual, **letter} for letter in letters)))
    run.write_deleted("all", list(gone))
    if end != "nothing":
        getattr(run, end)()
    return run
