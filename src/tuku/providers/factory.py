"""What a provider tells the registry of one of its models: how it is described and how it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tuku.protocols import ModelDescription

ConfigT = TypeVar("ConfigT")
ModelT = TypeVar("ModelT")


@dataclass(frozen=True)
class Factory(Generic[ConfigT, ModelT]):
    """A provider's captioner or embedder, before anything of it is loaded.

    The module that holds a factory imports no SDK; only `create` does, when it is called.

    Attributes:
        describe: what the configured model is; raises `ConfigError` for a model that the provider does not have.
        create: loads the configured model.
        packages: import names of everything that `create` needs beyond tuku's own dependencies.
        extra: the extra of tuku that installs them.
    """

    describe: Callable[[ConfigT], ModelDescription]
    create: Callable[[ConfigT], ModelT]
    packages: tuple[str, ...]
    extra: str
