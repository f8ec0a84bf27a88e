"""Strict YAML: a duplicate key is an error, dates stay text, and every key knows the line it stands on."""

from __future__ import annotations

from typing import Any

import yaml

_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_MERGE = "tag:yaml.org,2002:merge"


class YamlError(ValueError):
    """A text that is no YAML. The message says where and why, and quotes nothing that the text holds."""


class LocatedDict(dict[str, Any]):
    """A mapping, with the 1-based line of each of its keys in `lines`."""

    lines: dict[str, int]


def parse_yaml(text: str | bytes) -> Any:
    """The one document in `text`: `LocatedDict`, list, scalar or None.

    Raises:
        YamlError: wrong syntax, a duplicate key, or bytes that are not UTF-8.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader, only stricter)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise YamlError(f"{where}{error.problem or error.context}") from None
    except yaml.reader.ReaderError as error:
        raise YamlError(f"not UTF-8 text (at position {error.position})") from None
    except ValueError as error:
        raise YamlError(f"a value that does not fit its tag ({type(error).__name__})") from None


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader without its surprises."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (PyYAML's own class attribute, replaced and not shared)
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def located_mapping(self, node: yaml.MappingNode) -> LocatedDict:
        lines: dict[str, int] = {}
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(problem="a key is one word", problem_mark=key_node.start_mark)
            key = str(key_node.value)
            if key in lines and key_node.tag != _MERGE:
                raise yaml.constructor.ConstructorError(
                    problem=f"duplicate key {key!r}, first on line {lines[key]}", problem_mark=key_node.start_mark
                )
            lines[key] = key_node.start_mark.line + 1
        self.flatten_mapping(node)  # after the check: `<<` may be overridden by a key of its own
        mapping = LocatedDict({str(key.value): self.construct_object(value, deep=True) for key, value in node.value})
        mapping.lines = lines
        return mapping


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.located_mapping)
