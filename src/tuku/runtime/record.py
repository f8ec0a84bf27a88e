"""What is known of a run while it goes on, and the report that comes of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timezone

from tuku.config import Config
from tuku.errors import InterruptedRunError, StoppedError, TukuError
from tuku.lake import Run
from tuku.pipeline import STAGES, Models
from tuku.report import ApiUse, LoadSummary, Report, Rows, StageTime, VerifySummary
from tuku.runtime.blocks import BlockStats
from tuku.runtime.demand import quota_use
from tuku.runtime.ledger import Demand
from tuku.runtime.work_list import Plan


@dataclass
class Record:
    """What is known of the run so far; whatever stops it, a report can be made.

    Attributes:
        resumed: it builds on an interrupted run.
        warnings: what its reader should know even if it goes well.
        worked: it is through its whole work list.
    """

    config: Config
    models: Models
    run: Run
    resumed: bool
    plan: Plan = field(default_factory=Plan)
    stats: BlockStats = field(default_factory=BlockStats)
    warnings: list[str] = field(default_factory=list)
    worked: bool = False
    demand: Demand = field(default_factory=dict)
    load: LoadSummary | None = None
    verify: VerifySummary | None = None
    error: TukuError | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    _started: float = field(default_factory=time.monotonic)

    def report(self) -> Report:
        """The report as of now."""
        plan, stats, error = self.plan, self.stats, self.error
        changed_after_all = max(0, plan.rechecks - stats.unchanged) if self.worked else 0
        rows = Rows(
            manifest=plan.manifest,
            new=plan.new,
            changed=plan.changed + changed_after_all,
            unchanged=plan.unchanged - changed_after_all,
            deleted=plan.deleted,
            duplicates=plan.duplicates,
            ok=stats.ok + plan.rewritten,
            failed=sum(stats.errors.values()),
        )
        stopped = isinstance(error, (StoppedError, InterruptedRunError))
        return Report(
            run_id=self.run.run_id,
            status="ok" if error is None else "stopped" if stopped else "failed",
            exit_code=0 if error is None else error.exit_code,
            config_sha256=self.config.sha256(),
            started_at=self.started_at,
            seconds=round(time.monotonic() - self._started, 3),
            rows=rows,
            errors=dict(stats.errors.most_common()),
            api={stage: ApiUse.of(usage) for stage, usage in stats.usage.items() if usage.requests},
            quota=quota_use(self.demand, self.models),
            stages={
                stage.name: StageTime.of(stats.rows[stage.name], round(stats.seconds[stage.name], 3))
                for stage in STAGES
                if stage.name in stats.seconds
            },
            load=self.load,
            verify=self.verify,
            message=str(error) if error is not None else "",
            warnings=tuple(self.warnings),
            resumed=self.resumed,
            models=self.models.notes(),
        )
