"""What a provider tells the registry of one of its models: how it is described and how it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tuku.config import RetryConfig
from tuku.protocols import ModelDescription, Quota

ConfigT = TypeVar("ConfigT")
ModelT = TypeVar("ModelT")


@dataclass(frozen=True)
class Access:
    """How a service may be asked.

    Attributes:
        quota: asked for leave before every request.
        retry: how long a request is tried.
    """

    quota: Quota
    retry: RetryConfig


def _nothing(_config: object) -> None:
    pass


def _none() -> tuple[ModelDescription, ...]:
    return ()


@dataclass(frozen=True)
class Factory(Generic[ConfigT, ModelT]):
    """A provider's captioner or embedder, before anything of it is loaded.

    The module that holds a factory imports no SDK; only `create` does, when it is called.

    Attributes:
        describe: what the configured model is; raises `ConfigError` for a model that the provider does not have.
        create: loads the configured model; it gets the description with its terms as configured, and, if that has
            terms, access to the service.
        require: raises `ConfigError` if the environment lacks what `create` takes from it, such as a key.
        packages: import names of everything that `create` needs beyond tuku's own dependencies.
        extra: the extra of tuku that installs them.
        known: models that it can be asked for, its default first; empty where any model will do.
        address_variable: where in the environment the service's address may be; empty if there is no service.
    """

    describe: Callable[[ConfigT], ModelDescription]
    create: Callable[[ConfigT, ModelDescription, Access | None], ModelT]
    packages: tuple[str, ...]
    extra: str
    require: Callable[[ConfigT], object] = _nothing
    address_variable: str = ""
    known: Callable[[], Iterable[ModelDescription]] = _none
