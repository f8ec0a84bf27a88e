"""Metadata as fields with a type of their own."""

from __future__ import annotations

from typing import Any

from tuku.errors import ConfigError
from tuku.milvus.fields import Typed
from tuku.typed_values import ValueType, fitting, misfit

_ZERO: dict[ValueType, Any] = {"varchar": "", "int64": 0, "double": 0.0, "bool": False}


def typed_value(value: Any, name: str, typed: Typed, image_id: str) -> Any:
    """A value of the metadata as its field holds it; None for a null.

    Args:
        value: as JSON has it.
        name: of the field.
        typed: the field.
        image_id: whose it is, for the message.

    Raises:
        ConfigError: it is not of this type, or there is none and Milvus has no nulls there.
    """
    if value is None:
        if typed.partitioned:
            return _ZERO[typed.kind]
        if typed.nullable:
            return None
        raise ConfigError(
            f"Image {image_id!r} has no {name}, and a typed field cannot be null in this Milvus (2.5 and newer can).",
            f"Take {name} out of milvus.indexed_metadata: as a dynamic field it may be missing.",
        )
    fits = fitting(value, typed.kind)
    if fits is None:
        raise ConfigError(
            f"Image {image_id!r} has {misfit(name, value, typed.kind)}.",
            f"Mend the manifest, or choose another type for milvus.indexed_metadata.{name}, or take it out of there:"
            " a dynamic field takes anything.",
        )
    return fits
