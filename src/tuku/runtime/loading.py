"""Lake → Milvus, with the proof that it arrived."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from tuku.config import Config
from tuku.errors import StorageError, VectorSpaceError, VerificationError
from tuku.lake import Lake, Stamp, new_run_id
from tuku.lake_view import LakeView
from tuku.pipeline import Models
from tuku.progress import Progress
from tuku.providers.registry import describe_embedder
from tuku.report import Check, LoadSummary, VerifySummary

if TYPE_CHECKING:
    from tuku.milvus.job import LoadReport

_FOR_RECALL = (
    "The index misses neighbours that exact search finds (many equal pictures can do that)."
    " Set milvus.index.type to FLAT, raise milvus.index.params or milvus.index.search_params,"
    " or lower verify.min_recall; then run `tuku load`."
)
_FOR_CONTENT = (
    "Run `tuku load --strategy rebuild`: the lake holds all. A fresh collection is not shown to readers until it is"
    " proven; rows upserted in place they see already."
)


def load_lake(
    config: Config, lake: Lake, run_id: str, progress: Progress, require_lease: Callable[[], None]
) -> tuple[LoadSummary, VerifySummary]:
    """Bring the collection up to the lake's current view and prove it.

    Args:
        config: `milvus`, `load` and `verify` say how.
        lake: what is loaded: the vectors of the model that the lake is stamped with, which must be the configured one.
        run_id: names a fresh collection, should one be needed.
        progress: told what is going on.
        require_lease: raises if another process has taken the lake over (`Lease.require`).

    Raises:
        LeaseLostError: the lake was taken over; readers see nothing of what came later.
        StorageError: the lake is empty.
        VectorSpaceError: its vectors are not those of the configured model, or not all of one model.
        MilvusError: Milvus refused, or did not answer in time.
    """
    from tuku.milvus.context import LoadOrder
    from tuku.milvus.job import load_and_verify

    stamp = _loadable(config, lake)
    progress.phase("load", config.milvus.collection)
    order = LoadOrder(
        config=config,
        lake=_view_to_load(config, lake),
        ledgers=lake.storage,
        run_id=run_id,
        embed_model=stamp.embed_model,
        dim=stamp.dim,
        progress=lambda phase, done, total: progress.phase(phase, f"{done:,} of {total:,}"),
        require_lease=require_lease,
    )
    outcome = load_and_verify(order)
    return _load_summary(outcome), _summary(outcome.checks)


def space_differs(config: Config, lake: Lake) -> str:
    """How the lake's vectors differ from those of the configured model; empty if they do not, or there are none.

    Raises:
        ConfigError: an unknown provider or model, or a package that is missing.
    """
    stamp = lake.stamp()
    if stamp is None:
        return ""
    configured = describe_embedder(config.embed)
    if (stamp.embed_model, stamp.dim) == (configured.name, configured.dim or 0):
        return ""
    return (
        f"The lake holds vectors of {stamp.embed_model} of length {stamp.dim}; the configuration says"
        f" {configured.name} of length {configured.dim}."
    )


def check_target(config: Config, models: Models) -> None:
    """Before any work: can what is about to be made be loaded where it is to go?

    Raises:
        ConfigError: the collection there has other fields, another vector space, or is not tuku's.
        MilvusError: no server answers.
    """
    from tuku.milvus.target import check_target as check

    runs = LakeView.everything(Lake.at(config.lake.uri)).run_ids()
    check(config, embed_model=models.embedder.name, dim=models.embedder.dim or 0, run_ids=runs)


def _loadable(config: Config, lake: Lake) -> Stamp:
    """The lake's stamp. Readers search with the configured model: vectors of another one would be refused to them.

    Raises:
        StorageError: nothing was ever ingested.
        VectorSpaceError: the lake holds vectors of another model.
    """
    stamp = _stamp(lake)
    difference = space_differs(config, lake)
    if difference:
        raise VectorSpaceError(
            difference,
            f"Set embed.model and embed.dim back (to {stamp.dim}), or make all vectors anew: `tuku ingest --set"
            " load.strategy=rebuild` with the whole catalogue. Readers see what they saw before.",
        )
    return stamp


def _view_to_load(config: Config, lake: Lake) -> LakeView:
    """Images must not vanish from Milvus because part of the catalogue has moved to another model.

    Raises:
        StorageError: nothing was ever committed.
        VectorSpaceError: vectors of another model remain, and nobody has asked to leave them out.
    """
    view = LakeView.of_one_space(lake)
    if not view.runs:
        raise StorageError(f"There is nothing to load in {lake.storage.uri}.", "Run `tuku ingest` first.")
    left_out = LakeView.everything(lake).rows() - view.rows()
    if left_out and config.load.strategy != "rebuild":
        raise VectorSpaceError(
            f"{left_out:,} images of the lake still have vectors of another model than {view.rows():,} have.",
            "Run `tuku ingest` over the whole catalogue to move them too, or leave them out with"
            " `tuku load --strategy rebuild`. Readers see what they saw before.",
        )
    return view


def load(config: Config, progress: Progress, *, wait_s: float | None = None) -> tuple[LoadSummary, VerifySummary]:
    """`tuku load`: see `load_lake`; a fresh collection is named by the time.

    Args:
        config: the configuration.
        progress: told what is going on.
        wait_s: how long to wait for another run on this lake to end; None: not at all.
    """
    lake = Lake.at(config.lake.uri)
    _loadable(config, lake)  # the lease would make a folder of a mistyped lake.uri
    with lake.exclusive(wait_s, command="tuku load", on_wait=partial(progress.phase, "wait")) as lease:
        loaded, proof = load_lake(config, lake, new_run_id(), progress, lease.require)
        lease.require()
        for run in lake.committed_runs()[-1:]:
            run.write_json("load.json", loaded.model_dump(mode="json"))
    return loaded, proof


def verify(config: Config) -> VerifySummary:
    """`tuku verify`: prove what readers see against the lake; nothing is written.

    Raises:
        StorageError: the lake is empty.
        ConfigError: there is no collection.
    """
    from tuku.milvus.collection import check_schema, vector_space
    from tuku.milvus.connect import connected
    from tuku.milvus.reader import require_readable
    from tuku.milvus.verify import verify as verify_collection

    lake = Lake.at(config.lake.uri)
    stamp = _stamp(lake)
    with connected(config.milvus, create=False) as client:
        name = require_readable(client, config.milvus)
        space = vector_space(client, name)
        if space != stamp.embed_model:
            # Nothing else can be compared across two vector spaces.
            return _summary([Check(name="vector space", expected=stamp.embed_model, actual=space, passed=False)])
        check_schema(client, name, config.milvus, stamp.dim)
        view = LakeView.of_one_space(lake)
        checks = verify_collection(
            client,
            name,
            view,
            config.milvus,
            config.verify,
            embed_model=stamp.embed_model,
            dim=stamp.dim,
            seed=time.time_ns() % 2**32,  # other rows each time
        )
    return _summary(checks)


def require_passed(verify: VerifySummary) -> None:
    """Stop here if the proof failed.

    Raises:
        VerificationError: naming the checks that failed.
    """
    failed = [
        f"{check.name} (expected {check.expected}, got {check.actual})" for check in verify.checks if not check.passed
    ]
    if failed:
        only_recall = all(check.passed or check.name.startswith("recall") for check in verify.checks)
        raise VerificationError(
            f"The loaded collection failed its proof: {'; '.join(failed)}.",
            _FOR_RECALL if only_recall else _FOR_CONTENT,
        )


def _stamp(lake: Lake) -> Stamp:
    stamp = lake.stamp()
    if stamp is None:
        raise StorageError(f"There is nothing to load in {lake.storage.uri}.", "Run `tuku ingest` first.")
    return stamp


def _load_summary(done: LoadReport) -> LoadSummary:
    return LoadSummary(
        strategy=done.strategy,
        reason=done.reason,
        collection=done.collection,
        alias=done.alias,
        inserted=done.inserted,
        deleted=done.deleted,
        files=done.files,
        seconds=round(done.seconds, 3),
        readers_cut_off_s=round(done.readers_cut_off_s, 3),
    )


def _summary(checks: Sequence[Check]) -> VerifySummary:
    return VerifySummary(passed=all(check.passed for check in checks), checks=tuple(checks))
