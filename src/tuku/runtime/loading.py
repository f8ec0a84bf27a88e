"""Lake → Milvus, with the proof that it arrived."""

from __future__ import annotations

from tuku.config import Config
from tuku.errors import StorageError, VerificationError
from tuku.lake import Lake
from tuku.lake_view import LakeView
from tuku.progress import Progress
from tuku.report import Check, LoadSummary, VerifySummary


def load_lake(
    config: Config, lake: Lake, run_id: str, progress: Progress
) -> tuple[LoadSummary, VerifySummary]:
    """Bring the collection up to the lake's current view and prove it.

    Args:
        config: `milvus`, `load` and `verify` say how.
        lake: what is loaded: the vectors of the model that the lake is stamped with.
        run_id: names a fresh collection, should one be needed.
        progress: told what is going on.

    Raises:
        StorageError: the lake is empty: no run has stamped it.
        MilvusError: Milvus refused, or did not answer in time.
    """
    from tuku.milvus.job import load_and_verify

    stamp = lake.stamp()
    if stamp is None:
        raise StorageError(f"There is nothing to load in {lake.storage.root}.", "Run `tuku ingest` first.")
    view = LakeView.of_one_space(lake)
    progress.phase("load", config.milvus.collection)

    def on_progress(phase: str, done: int, total: int) -> None:
        progress.phase(phase, f"{done:,} of {total:,}" if total else "")

    outcome = load_and_verify(config, view, run_id, stamp.embed_model, stamp.dim, on_progress)
    summary = LoadSummary(
        strategy=outcome.strategy,
        reason=outcome.reason,
        collection=outcome.collection,
        alias=outcome.alias,
        inserted=outcome.inserted,
        deleted=outcome.deleted,
        files=outcome.files,
        seconds=round(outcome.seconds, 3),
    )
    checks = tuple(Check.model_validate(vars(check)) for check in outcome.checks)
    return summary, VerifySummary(passed=all(check.passed for check in checks), checks=checks)


def require_passed(verify: VerifySummary) -> None:
    """Stop here if the proof failed.

    Raises:
        VerificationError: naming the checks that failed.
    """
    failed = [f"{check.name} (expected {check.expected}, got {check.actual})" for check in verify.checks if not check.passed]
    if failed:
        raise VerificationError(
            f"The loaded collection failed its proof: {'; '.join(failed)}. Readers do not see it.",
            "Run `tuku load --strategy rebuild`; the lake holds everything that is needed.",
        )
