"""What a run did, as a value: report.json, `ingest --json`, `tuku report` and report.html come from it."""

from __future__ import annotations

import json
import math
from datetime import timezone
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from tuku import units
from tuku.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

    from tuku.protocols import Usage

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]


def _encodable(value: Any) -> Any:
    # A file name that is not UTF-8 holds half surrogate pairs. A report about it must still be written.
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    # A check compares whatever it measured: numpy scalars become numbers, NaN and infinities words.
    value = value.item() if hasattr(value, "item") else value
    return str(value) if isinstance(value, float) and not math.isfinite(value) else _encodable(value)


Text = Annotated[str, BeforeValidator(_encodable)]
Value = Annotated[bool | int | float | str | None, BeforeValidator(_plain)]
UtcTime = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(timezone.utc))]


class Part(BaseModel):
    """A part of the report. Keys of a later version are ignored: old runs and new ones can be shown."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Rows(Part):
    """Where the manifest's rows went: ``manifest == unchanged + duplicates + ok + failed``."""

    manifest: Count = 0
    new: Count = 0
    changed: Count = 0
    unchanged: Count = 0
    deleted: Count = 0
    ok: Count = 0
    failed: Count = 0
    duplicates: Count = 0


class ApiUse(Part):
    """What one stage asked of a provider, and its price."""

    requests: Count = 0
    retries: Count = 0
    throttled: Count = 0
    input_tokens: Count = 0
    output_tokens: Count = 0
    cost: Annotated[float, Field(ge=0)] = 0.0
    currency: Text = "CNY"

    @classmethod
    def of(cls, usage: Usage) -> ApiUse:
        """The same numbers as the provider counted them."""
        return cls.model_validate({name: getattr(usage, name) for name in cls.model_fields})


class QuotaUse(Part):
    """What one stage asked of a service over time, each point over as many seconds.

    Attributes:
        requests_per_min: the limit; None: not known. Likewise `tokens_per_min`.
        requests: sent in each point's time. Likewise `tokens`.
        throttled: of those, refused for being too many.
    """

    requests_per_min: Count | None = None
    tokens_per_min: Count | None = None
    seconds_per_point: Count = 1
    requests: tuple[Count, ...] = ()
    tokens: tuple[Count, ...] = ()
    throttled: tuple[Count, ...] = ()


class StageTime(Part):
    """How many rows went through a stage, in how many busy seconds of all its workers together."""

    rows: Count
    seconds: Seconds
    rows_per_s: Annotated[float, Field(ge=0)]

    @classmethod
    def of(cls, rows: int, seconds: float) -> StageTime:
        """With the rate worked out; 0 where no time was measured."""
        return cls(rows=rows, seconds=seconds, rows_per_s=round(rows / seconds, 3) if seconds else 0.0)


class LoadSummary(Part):
    """What was written to Milvus.

    Attributes:
        readers_cut_off_s: how long nobody could search, where the collection was rebuilt or indexed in place.
    """

    strategy: Text
    reason: Text = ""
    collection: Text
    alias: Text | None = None
    inserted: Count = 0
    deleted: Count = 0
    files: Count = 0
    seconds: Seconds = 0.0
    readers_cut_off_s: Seconds = 0.0


class Check(Part):
    """One thing that was proven, or was not."""

    name: Text
    expected: Value
    actual: Value
    passed: bool


class VerifySummary(Part):
    """The proof of what was loaded."""

    passed: bool
    checks: tuple[Check, ...] = ()


class Report(Part):
    """One run.

    Attributes:
        started_at: UTC; written as ISO-8601.
        seconds: from the start of the run to its end.
        errors: failed rows by code.
        api: by stage; empty when no stage asked a paid or limited service.
        quota: by stage, how the service's quota was used over time; empty like `api`.
        load: None when nothing was loaded; likewise `verify`.
        message: for a run that failed or stopped, one paragraph: what happened and what to do.
        warnings: what its reader should know even if it went well.
        resumed: whether it went on with an unfinished run.
        models: by stage, which model it was, and what it is and is not.
        paths: where things are, by name (``report``, ``lake``, ``grid`` …).
    """

    run_id: Text
    status: Literal["ok", "failed", "stopped"]
    exit_code: Annotated[int, Field(ge=0, le=255)]
    config_sha256: Text
    started_at: UtcTime
    seconds: Seconds
    rows: Rows = Rows()
    errors: dict[Text, Count] = {}
    api: dict[Text, ApiUse] = {}
    quota: dict[Text, QuotaUse] = {}
    stages: dict[Text, StageTime] = {}
    load: LoadSummary | None = None
    verify: VerifySummary | None = None
    message: Text = ""
    warnings: tuple[Text, ...] = ()
    resumed: bool = False
    models: dict[Text, Text] = {}
    paths: dict[Text, Text] = {}

    def unaccounted(self) -> int:
        """Manifest rows that ended nowhere: 0 after a run that was not stopped, or tuku has a bug."""
        rows = self.rows
        return rows.manifest - rows.unchanged - rows.duplicates - rows.ok - rows.failed

    def rows_per_s(self) -> float:
        """Rows worked on (ok or failed) per second of the whole run; 0 for a run that took no time."""
        return (self.rows.ok + self.rows.failed) / self.seconds if self.seconds else 0.0

    def costs(self) -> Mapping[str, float]:
        """Money spent by all stages, by currency."""
        total: dict[str, float] = {}
        for use in self.api.values():
            if use.cost:
                total[use.currency] = total.get(use.currency, 0.0) + use.cost
        return total

    def headline(self) -> list[str]:
        """What became of the run, in a few short phrases; the first is the one to remember."""
        rows, time = self.rows, units.duration(self.seconds)
        if self.status == "ok" and rows.ok + rows.failed == 0:
            changes = units.plural(rows.deleted, "image") + " deleted" if rows.deleted else "nothing changed"
            return [changes, f"{rows.unchanged:,} unchanged", time]
        done = [units.plural(rows.ok, "image") + " ingested"]
        failed = [f"{rows.failed:,} failed"] if rows.failed else []
        rate = [units.rate(self.rows_per_s())] if rows.ok else []
        return [*done, *failed, time, *rate]

    def to_dict(self) -> dict[str, Any]:
        """The object that report.json holds and `ingest --json` prints."""
        return self.model_dump(mode="json")

    def to_json(self) -> str:
        """UTF-8 text of `to_dict`, indented; every number is finite."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, source: str = "report.json") -> Report:
        """A report that was written earlier.

        Raises:
            StorageError: the text is no report; `source` names the file.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(key) for key in first["loc"]) or "the file"
            raise StorageError(
                f"{source} is not a report of a run: {where}: {first['msg']}.",
                "The other runs' reports are not affected; `tuku report` without an id shows the latest.",
            ) from None

    def summary(self) -> RenderableType:
        """The report for a terminal (rich), or for a log when the console is plain."""
        from tuku.report_summary import Summary

        return Summary(self)
