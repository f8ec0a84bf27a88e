"""`tuku doctor`: everything a run needs, checked in the order in which it needs it."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from tuku import __version__
from tuku.config import Config
from tuku.errors import ConfigError
from tuku.providers.registry import NO_RERANKER
from tuku.runtime.doctor_milvus import check_milvus, check_staging
from tuku.runtime.doctor_models import ModelCheckup, Stage
from tuku.runtime.doctor_places import check_collection, check_lake, check_manifest
from tuku.runtime.findings import Diagnosis, Doubtful, Finding, Skipped, find

_PACKAGES = ("ray", "pyarrow", "pillow", "pymilvus")


@dataclass(frozen=True)
class _Check:
    """Something to look at, unless what it `needs` (the name of an earlier check) has been found wanting."""

    name: str
    look: Callable[[], str | Doubtful | Skipped]
    needs: str = ""


def examine(load: Callable[[], Config]) -> Diagnosis:
    """Check Python, configuration, models, keys, services, Milvus, lake and manifest.

    Each paid model is called once, with the least that can be asked of it: a picture of 32 × 32 px, or a word.

    Args:
        load: reads the configuration.
    """
    configs: list[Config] = []

    def configuration() -> str:
        configs.append(load())
        return f"all keys and values are known (sha256 {configs[0].sha256()[:12]})"

    first = [find("python", check_python), find("configuration", configuration)]
    if configs:
        return Diagnosis((*first, *_in_order(_checks(configs[0]))))
    skipped = [Finding(check.name, "skipped", "needs the configuration") for check in _checks(Config())]
    return Diagnosis((*first, *skipped))


def check_python() -> str:
    """Python and the packages that every run needs."""
    try:
        packages = [f"{name} {version(name)}" for name in _PACKAGES]
    except PackageNotFoundError as error:
        raise ConfigError(
            f"The package {error.name} is not installed.", "Install tuku again: pip install tuku"
        ) from None
    return ", ".join([f"Python {platform.python_version()}", f"tuku {__version__}", *packages])


def _checks(config: Config) -> Iterator[_Check]:
    stages: list[Stage] = ["caption", "embed"]
    if config.rerank.provider != NO_RERANKER:
        stages.append("rerank")
    models = [ModelCheckup(stage, config) for stage in stages]
    for model in models:
        yield _Check(f"{model.stage} model", model.describe)
    for model in models:
        yield _Check(f"{model.stage} key", model.open, needs=f"{model.stage} model")
    for model in models:
        yield _Check(f"{model.stage} call", model.call, needs=f"{model.stage} key")
    yield _Check("milvus", partial(check_milvus, config))
    yield _Check("collection", partial(check_collection, config), needs="milvus")
    yield _Check("staging", partial(check_staging, config))
    yield _Check("lake", partial(check_lake, config.lake.uri))
    yield _Check("manifest", partial(check_manifest, config))


def _in_order(checks: Iterable[_Check]) -> Iterator[Finding]:
    wanting: set[str] = set()
    for check in checks:
        blocked = check.needs in wanting
        finding = (
            Finding(check.name, "skipped", f"needs the {check.needs}") if blocked else find(check.name, check.look)
        )
        if blocked or finding.status == "failed":
            wanting.add(check.name)
        yield finding
