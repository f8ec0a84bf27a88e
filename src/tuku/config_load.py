"""How files, environment and ``--set`` become one `Config`, or one error that names every mistake.

conf/base.yaml beside the profile ← the profile ← ``TUKU__SECTION__KEY`` ← ``--set section.key=value``
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tuku import config_keys
from tuku.config import Config
from tuku.config_keys import allowed_values, find_key, is_own_key, looks_secret
from tuku.config_yaml import LocatedDict, YamlError, parse_yaml
from tuku.errors import ConfigError

_PREFIX = "TUKU__"
_SECRET_VARIABLES = {"MILVUS_TOKEN": ("milvus", "token"), "TUKU_SERVE_TOKEN": ("serve", "token")}
_NULLS = {"", "~", "null", "Null", "NULL"}
_SHOWN_CHARACTERS = 80


def load_config(file: Path | None, overrides: Sequence[str], environ: Mapping[str, str]) -> Config:
    """The configuration of a run.

    Args:
        file: the profile; a ``base.yaml`` in its folder is read before it. None: the models' defaults.
        overrides: ``section.key=value`` each; the value is a YAML scalar or a flow list or dictionary.
        environ: the process's environment; secrets come from here only.

    Raises:
        ConfigError: names every mistake at once: its file and line, variable or option, the key, the value
            (never a secret), and what is allowed.
    """
    draft = _Draft()
    if file is not None:
        base = file.parent / "base.yaml"
        for path in [base, file] if base.is_file() and base.resolve() != file.resolve() else [file]:
            _add_file(draft, path)
    _add_environment(draft, environ)
    for override in overrides:
        name, equals, text = override.partition("=")
        if equals:
            _add_text(draft, tuple(name.strip().split(".")), text, _Origin("--set"))
        else:
            draft.problems.append("--set takes section.key=value, such as --set milvus.collection=tuku")
    return draft.finish()


def dump_config(config: Config) -> str:
    """The configuration as YAML, without secrets.

    That is no token, no user, password or query inside an address, and no entry that is named as a secret would be.
    """
    values = _without_secrets(config.model_dump(mode="json"), ())
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110)
    return _without_credentials(text)


@dataclass(frozen=True)
class _Origin:
    """Where a value comes from; `line` (1-based) is None where lines mean nothing."""

    name: str
    line: int | None = None
    may_hold_secrets: bool = False

    def __str__(self) -> str:
        return self.name if self.line is None else f"{self.name}, line {self.line}"

    def of(self, mapping: Mapping[str, Any], key: str) -> _Origin:
        if self.line is None or not isinstance(mapping, LocatedDict):
            return self
        return replace(self, line=mapping.lines.get(key, self.line))  # a merged key (`<<`) has no line of its own


@dataclass
class _Draft:
    """The values so far, nested like the models, where each came from, and what is wrong with them."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[config_keys.Path, _Origin] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, path: config_keys.Path, value: Any, origin: _Origin) -> None:
        """Take a value over; a section is taken key by key, a key's whole value replaces the one before."""
        name = ".".join(path)
        key = find_key(path)
        if key is None:
            self.problems.append(f"{origin}: unknown key {name}; {config_keys.allowed_names(path)}")
        elif key.is_secret and not origin.may_hold_secrets:
            variables = " or ".join(variable for variable, secret in _SECRET_VARIABLES.items() if secret == path)
            self.problems.append(f"{origin}: {name} is a secret: set it only in the environment, as {variables}")
        elif key.children is None:
            self._assign(path, value, origin)
        elif isinstance(value, Mapping):
            for child, below in value.items():
                self.add((*path, child), below, origin.of(value, child))
        elif value is not None:  # a section whose keys are all commented out is null
            what = f"{name} is a section of keys" if path else "a configuration is made of sections"
            known = ", ".join(key.children)
            self.problems.append(f"{origin}: {what}, not {_kind(value)}; known keys: {known}")

    def _assign(self, path: config_keys.Path, value: Any, origin: _Origin) -> None:
        target = self.values
        for part in path[:-1]:
            below = target.get(part)
            # Copied: an entry of a dictionary is set on top of another layer's dictionary.
            target[part] = dict(below) if isinstance(below, Mapping) else {}
            target = target[part]
        target[path[-1]] = value
        self.origins[path] = origin

    def finish(self) -> Config:
        """The checked configuration, or every problem in one error."""
        try:
            config = Config.model_validate(self.values)
        except ValidationError as error:
            problems = (self._explain(details) for details in error.errors())
            self.problems.extend(dict.fromkeys(problems))
        if self.problems:
            remedy = "conf/base.yaml explains every key."
            if len(self.problems) == 1:
                raise ConfigError(f"{self.problems[0]}.", remedy) from None
            numbered = "; ".join(f"({n}) {problem}" for n, problem in enumerate(self.problems, 1))
            raise ConfigError(f"{len(self.problems)} mistakes in the configuration: {numbered}.", remedy) from None
        return config

    def _explain(self, details: ErrorDetails) -> str:
        # Pydantic's location goes on below the key: with an item's number, or the name of a type that it tried.
        path = tuple(str(part) for part in details["loc"])
        while path not in self.origins and not _is_section(path):
            path = path[:-1]
        if path not in self.origins:  # keys that are right one by one, and do not go together
            origins = dict.fromkeys(self.origins[key].name for key in self.origins if key[: len(path)] == path)
            return f"{' and '.join(origins)}: {'.'.join(path)}: {details['ctx']['error']}"
        value: Any = reduce(getitem, path, self.values)
        allowed = details["ctx"]["error"] if details["type"] == "value_error" else allowed_values(path)
        is_secret = (key := find_key(path)) is not None and key.is_secret
        is_what = "cannot be used" if is_secret else f"is {_shown(value)}"
        return f"{self.origins[path]}: {'.'.join(path)} {is_what}; allowed: {allowed}"


def _is_section(path: config_keys.Path) -> bool:
    key = find_key(path)
    return key is not None and key.children is not None


def _add_file(draft: _Draft, path: Path) -> None:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"The configuration {path} cannot be read: {error.strerror}.", "Name a readable file with --config."
        ) from None
    try:
        draft.add((), parse_yaml(content), _Origin(str(path), line=1))
    except YamlError as error:
        draft.problems.append(f"{path}: {error}")


def _add_environment(draft: _Draft, environ: Mapping[str, str]) -> None:
    for variable, secret in _SECRET_VARIABLES.items():
        if environ.get(variable):
            draft.add(secret, environ[variable], _Origin(variable, may_hold_secrets=True))
    for variable in sorted(environ):
        if variable.startswith(_PREFIX):
            spelled = tuple(variable.removeprefix(_PREFIX).split("__"))
            path = tuple(part.lower() for part in spelled)
            parent = find_key(path[:-1])
            if parent is not None and parent.children is None:
                path = (*path[:-1], spelled[-1])  # an entry keeps its spelling: Milvus says efConstruction
            _add_text(draft, path, environ[variable], _Origin(variable, may_hold_secrets=True))


def _add_text(draft: _Draft, path: config_keys.Path, text: str, origin: _Origin) -> None:
    """A value from a shell: YAML, but free text (a URI, a prompt, a secret) stands for itself unless quoted."""
    key = find_key(path)
    if key is not None and (key.is_secret or (key.is_text and not _is_yaml(text))):
        draft.add(path, text or None if key.is_secret else text, origin)
        return
    try:
        draft.add(path, parse_yaml(text), origin)
    except YamlError as error:
        draft.problems.append(f"{origin}: the value of {'.'.join(path)} is no YAML: {error}")


def _is_yaml(text: str) -> bool:
    return text in _NULLS or text[0] in "\"'"


def _kind(value: Any) -> str:
    return "a list" if isinstance(value, Sequence) and not isinstance(value, str) else "a single value"


def _shown(value: Any) -> str:
    text = _without_credentials(repr(value))
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _without_secrets(values: dict[str, Any], path: config_keys.Path) -> dict[str, Any]:
    """Without what is named as a secret would be, but is no key of tuku's own, such as milvus.partition_key."""
    return {
        key: _without_secrets(value, (*path, key))
        if isinstance(value, dict)
        else "***"
        if looks_secret(key) and not is_own_key((*path, key))
        else value
        for key, value in values.items()
    }


def _without_credentials(text: str) -> str:
    shown = re.sub(r"(://)[^\s'\"]*@", r"\1***@", text)
    return re.sub(r"(://[^?#\s'\"]*)\?[^\s'\"]+", r"\1?***", shown)
