"""Whether a model's quota lets a request through, and how often."""

from __future__ import annotations

from tuku import units
from tuku.errors import ConfigError
from tuku.pipeline import Models
from tuku.protocols import ModelDescription


def request_tokens(model: ModelDescription) -> int:
    """About how many tokens one request takes: with a square picture as large as the model looks at, and the answer."""
    terms, size = model.terms, model.picture_size
    if terms is None:
        return 0
    side_px = 0 if size is None else size.long_side_px or size.short_side_px or 0
    seen = terms.picture_tokens(side_px, side_px) if side_px else 0
    if model.dim is not None:
        return max(seen, terms.prompt_tokens)  # an embedder is asked for pictures or for texts, and says nothing
    return seen + terms.prompt_tokens + terms.answer_tokens


def require_fit(stage: str, model: ModelDescription) -> None:
    """A quota that is smaller than one request: the service would refuse every one.

    Raises:
        ConfigError: naming the key, and what one request takes.
    """
    limit = None if model.terms is None else model.terms.tokens_per_min
    needed = request_tokens(model)
    if limit is not None and limit < needed:
        raise ConfigError(
            f"{stage}.quota.tokens_per_min is {limit:,}, and one request to {model.model} takes about {needed:,}"
            " tokens: none could ever be sent.",
            f"Set it to what the service allows (at least {needed:,}), or leave it empty.",
        )


def require_quotas(models: Models) -> None:
    """See `require_fit`, of every model.

    Raises:
        ConfigError: see there.
    """
    for stage, model in models.by_stage().items():
        require_fit(stage, model)


def minutes_per_request(model: ModelDescription, share: float) -> float:
    """How long the part of the quota that may be used makes one request wait for the next; 0 where no limit is known.

    Args:
        model: with its terms as configured.
        share: `quota.share`.
    """
    terms = model.terms
    if terms is None:
        return 0.0
    limits = ((1, terms.requests_per_min), (request_tokens(model), terms.tokens_per_min))
    return max((needed / (limit * share) for needed, limit in limits if limit is not None), default=0.0)


def slowness(stage: str, model: ModelDescription, share: float) -> str:
    """What is slow about a quota, with the keys that say so; empty if it lets a request through every minute."""
    wait_min = minutes_per_request(model, share)
    if wait_min <= 1:
        return ""
    keys = f"{stage}.quota" if share == 1 else f"{stage}.quota and quota.share ({share:g})"
    return (
        f"{keys} let one request through in {units.duration(60 * wait_min)}; one takes about"
        f" {request_tokens(model):,} tokens"
    )
