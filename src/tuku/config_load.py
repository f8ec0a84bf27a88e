"""From files, environment and `--set` to one checked `Config`.

Layers, each over the one before: conf/base.yaml beside the profile ← the profile ← ``TUKU__SECTION__KEY`` ←
``--set section.key=value``. Every problem is found before any work is done, and all of them at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tuku.config import Config
from tuku.config_errors import describe
from tuku.errors import ConfigError

_BASE = "base.yaml"
_PREFIX = "TUKU__"
_SECRETS = {"milvus.token": "MILVUS_TOKEN"}
"""Keys that may come from the environment only, and the variable that holds each."""

Key = tuple[str, ...]


def load_config(file: Path | None, overrides: Sequence[str], environ: Mapping[str, str]) -> Config:
    """Read and check the configuration.

    Args:
        file: the profile; None for the defaults.
        overrides: ``section.key=value``; values are YAML.
        environ: the process's environment.

    Raises:
        ConfigError: names file or variable, key, value and what is allowed, for every key that is wrong.
    """
    layers = _Layers()
    if file is not None:
        base = file.with_name(_BASE)
        if base.exists() and file.name != _BASE:
            layers.merge(_read_yaml(base), str(base))
        layers.merge(_read_yaml(file), str(file))
    for name, value in environ.items():
        if name.startswith(_PREFIX):
            key = tuple(part.lower() for part in name.removeprefix(_PREFIX).split("__"))
            secret = ".".join(key) in _SECRETS
            layers.put(key, value if secret else _parse(value, name), name, from_environment=True)
    for override in overrides:
        name, equals, value = override.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"--set {override!r} is not understood.", "Write --set section.key=value.")
        layers.put(tuple(name.strip().split(".")), _parse(value, f"--set {name}"), "--set")
    for dotted, variable in _SECRETS.items():
        if environ.get(variable):
            layers.put(tuple(dotted.split(".")), environ[variable], variable, from_environment=True)
    try:
        return Config.model_validate(layers.values)
    except ValidationError as error:
        raise ConfigError("\n".join(describe(error, Config, layers.origin))) from None


def dump_config(config: Config) -> str:
    """The configuration as YAML, without secrets: what stands in a run's config.yaml."""
    return yaml.safe_dump(config.model_dump(mode="json"), allow_unicode=True, sort_keys=False)


@dataclass
class _Layers:
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Key, str] = field(default_factory=dict)

    def merge(self, values: Mapping[str, Any], origin: str, prefix: Key = ()) -> None:
        for name, value in values.items():
            key = (*prefix, str(name))
            if isinstance(value, Mapping) and value:
                self.merge(value, origin, key)
            else:
                self.put(key, value, origin)

    def put(self, key: Key, value: Any, origin: str, *, from_environment: bool = False) -> None:
        dotted = ".".join(key)
        if dotted in _SECRETS and value is not None and not from_environment:
            raise ConfigError(
                f"{origin}: {dotted} is a secret and stands in no file and on no command line.",
                f"Put it into the environment variable {_SECRETS[dotted]}.",
            )
        section = self.values
        for part in key[:-1]:
            inner = section.get(part)
            if not isinstance(inner, dict):
                inner = section[part] = {}
            section = inner
        section[key[-1]] = value
        self.origins[key] = origin

    def origin(self, key: Key) -> str:
        """Where a key, or the nearest one above or below it, was set last."""
        for end in range(len(key), 0, -1):
            if key[:end] in self.origins:
                return self.origins[key[:end]]
        below = [origin for other, origin in self.origins.items() if other[: len(key)] == key]
        return below[-1] if below else "the configuration"


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error rather than a surprise."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=deep)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _read_yaml(file: Path) -> Mapping[str, Any]:
    try:
        values = _yaml(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"There is no configuration file {file}.", "Check --config.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration file {file} cannot be read: {error}.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}{_where(error)}: not valid YAML: {_problem(error)}.") from None
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise ConfigError(f"{file}: a configuration is a mapping of sections, not a {type(values).__name__}.")
    return values


def _parse(text: str, origin: str) -> Any:
    try:
        return _yaml(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{origin}: the value is not valid YAML: {_problem(error)}.", "Put it in quotes.") from None


def _yaml(text: str) -> Any:
    return yaml.load(text, _UniqueKeyLoader)  # noqa: S506  a SafeLoader


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _problem(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or error).replace("\n", " ")
