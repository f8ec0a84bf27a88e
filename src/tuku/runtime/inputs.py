"""What the configuration asks of a run, judged before anything is begun."""

from __future__ import annotations

from pathlib import Path

from tuku.config import Config
from tuku.errors import ConfigError
from tuku.pipeline import Models
from tuku.providers.registry import require_environment
from tuku.runtime.quota_fit import require_quotas


def manifest_uri(config: Config) -> str:
    """The manifest's absolute path or URI.

    Raises:
        ConfigError: none was named.
    """
    uri = config.manifest.uri
    if not uri:
        raise ConfigError("No manifest was named.", "Give it as the argument, or set manifest.uri.")
    return uri if "://" in uri else str(Path(uri).expanduser().absolute())


def refuse_unavailable(config: Config) -> None:
    """A setting that would be ignored is worse than none.

    Raises:
        ConfigError: naming it.
    """
    if config.manifest.mode != "snapshot":
        return
    for key in ("limit", "shard"):
        if getattr(config.manifest, key) is not None:
            raise ConfigError(
                f"manifest.{key} cannot be combined with manifest.mode = snapshot: all the rest would be deleted.",
                f"Leave out --{key}, or set manifest.mode to append.",
            )


def require_access(config: Config, models: Models) -> None:
    """Whether the models' services can be asked: what the environment must hold, and `require_terms`.

    Raises:
        ConfigError: a key is missing, an address or a proxy is none, or as `require_terms`.
    """
    require_environment(config.caption, config.embed)
    require_terms(config, models)


def require_terms(config: Config, models: Models) -> None:
    """Whether a request fits into each quota, and `limits.max_cost` can be kept, as far as can be told beforehand.

    Raises:
        ConfigError: a quota is smaller than a request, or money is to be limited and nobody knows what a model costs.
    """
    require_quotas(models)
    if config.limits.max_cost is None:
        return
    prices = {stage: model.terms.price for stage, model in models.by_stage().items() if model.terms is not None}
    for stage, price in prices.items():
        if not (price.input_per_1k or price.output_per_1k):
            raise ConfigError(
                f"limits.max_cost is set, but nobody knows what the model of {stage} costs.",
                f"Set {stage}.price.input_per_1k and {stage}.price.output_per_1k, or limits.max_calls instead.",
            )
    currencies = sorted({price.currency for price in prices.values()})
    if len(currencies) > 1:
        raise ConfigError(
            f"limits.max_cost is set, but the models are paid in {' and '.join(currencies)}.",
            "Set the prices in one currency (caption.price, embed.price), or limits.max_calls instead.",
        )
