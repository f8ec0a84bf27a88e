"""How the server behaves. All of it can be changed while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
PerMinute = Annotated[int, Field(ge=1)] | Literal["documented"] | None

FatalCode = Literal[
    "AccessDenied",
    "AllocationQuota.FreeTierOnly",
    "Arrearage",
    "CommodityNotPurchased",
    "InvalidApiKey",
    "Model.AccessDenied",
    "ModelNotFound",
    "PostpaidBillOverdue",
    "PrepaidBillOverdue",
]

RankingForm = Literal[
    "plain",
    "dropped",
    "dropped_once",
    "invented",
    "invented_once",
    "doubled",
    "doubled_once",
    "no_json",
    "no_json_once",
    "prose",
    "fenced",
]


class Part(BaseModel):
    """A part of the settings: immutable, and a name it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(Part):
    """What one model grants, in any sliding minute and, by a token bucket, in any second.

    Attributes:
        requests_per_min: None: unlimited; ``documented``: as the catalogue has it. Likewise `tokens_per_min`.
        burst_s: so many seconds' worth of quota may be used at once.
        refused_calls_count: whether a refused call uses quota as an accepted one does.
        burst_rate_above: above this fraction of `requests_per_min` the rate must not double within 5 s; None: it may.
        retry_after_s: sent as Retry-After with every refusal; None: no such header.
    """

    requests_per_min: PerMinute = None
    tokens_per_min: PerMinute = None
    burst_s: Annotated[float, Field(gt=0)] = 1.0
    refused_calls_count: bool = False
    burst_rate_above: Fraction | None = None
    retry_after_s: float | None = None


class Latency(Part):
    """Seconds until an answer: log-normal through median and 99th percentile, or always the median."""

    median_s: Annotated[float, Field(ge=0)] = 0.0
    p99_s: float | None = None


class Faults(Part):
    """The probability of each fault, drawn anew for every request; `bad_item` is a fixed fraction of all pictures."""

    internal_error: Fraction = 0.0  # 500 InternalError
    algo_error: Fraction = 0.0  # 500 InternalError.Algo
    unavailable_html: Fraction = 0.0  # 503, a proxy's page
    error_inside: Fraction = 0.0  # 200, and an error's code in the body
    truncated_json: Fraction = 0.0
    reset_before: Fraction = 0.0  # the connection ends without an answer
    reset_middle: Fraction = 0.0  # … in the middle of one
    hang: Fraction = 0.0  # no answer ever
    drip: Fraction = 0.0  # a byte now and then, for ever
    empty_content: Fraction = 0.0
    length: Fraction = 0.0  # finish_reason length: the caption is cut off
    refused_content: Fraction = 0.0  # filtered, or an apology in place of a caption
    exclamations: Fraction = 0.0  # a caption that is all "!"
    shuffled: Fraction = 0.0  # embeddings out of order, each with its right index
    missing: Fraction = 0.0  # one embedding is not there
    bad_vector: Fraction = 0.0  # one embedding is zero, not finite, or of a wrong length
    bad_item: Fraction = 0.0  # always 400 DataInspectionFailed

    @classmethod
    def all_at(cls, probability: float) -> Faults:
        """Every fault at this probability."""
        return cls(**dict.fromkeys(cls.model_fields, probability))


class Fatal(Part):
    """From request number `after_requests` + 1 on, nothing but this code."""

    code: FatalCode
    after_requests: int = 0


class Outage(Part):
    """The whole service is down, from `start_s` after this was configured.

    Attributes:
        how: ``503``: every request is refused; ``close``: every connection is closed instead of an answer.
    """

    start_s: float = 0.0
    seconds: float
    how: Literal["503", "close"] = "503"


class Settings(Part):
    """Everything the server can be told.

    Attributes:
        keys: API keys that are let in.
        seed: decides latencies, faults and forms. A request's luck depends on what it asks and how often that has
            been asked, not on the order in which requests arrive.
        limits: of every model that has no `model_limits`.
        answers: ``colours``: the mean colour; ``numbered``: likewise, and no two pictures are described alike;
            ``fixed``: pictures are not decoded; ``models``: tuku's local models.
        caption_form: ``prompt``: as the prompt asks; ``by_seed``: any of the others.
        usage_shape: ``by_seed``: any of the others.
        ranking: what is wrong with rankings of candidates; ``…_once``: until the prompt says what was wrong.
        ranking_order: the candidates' numbers, best first; empty: the last one first.
        json_mode: whether models can be told to answer in JSON; else they refuse such a request.
    """

    keys: tuple[str, ...] = ("sk-local",)
    seed: int = 0
    limits: Limits = Limits()
    model_limits: dict[str, Limits] = {}
    latency: Latency = Latency()
    faults: Faults = Faults()
    fatal: Fatal | None = None
    outage: Outage | None = None
    answers: Literal["colours", "numbered", "fixed", "models"] = "colours"
    caption_form: Literal[
        "prompt", "by_seed", "plain", "keyword_line", "numbered", "json", "fenced_json", "english"
    ] = "prompt"
    usage_shape: Literal["by_seed", "split", "details", "total", "missing"] = "split"
    ranking: RankingForm = "plain"
    ranking_order: tuple[int, ...] = ()
    json_mode: bool = True

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with some changed; of a part, only what is named.

        Raises:
            pydantic.ValidationError: an unknown name or an impossible value.
        """
        fields = self.model_dump()
        for name, value in changes.items():
            before = getattr(self, name, None)
            only_named = isinstance(before, Part) and isinstance(value, Mapping)
            fields[name] = {**fields[name], **value} if only_named else value
        return Settings.model_validate(fields)
