"""What the sections of the configuration are made of."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tuku.uris import address_fault

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Name = Annotated[str, Field(min_length=1)]


MOST_PER_MIN = 1_000_000_000
"""Of requests or tokens: far beyond any service, and a number that a clock can still pace."""
_MOST_NAME = 200
_COMMIT = re.compile(r"[0-9a-f]{40}")


def _model_name(value: str) -> str:
    if not value.isprintable() or value != value.strip() or len(value) > _MOST_NAME:
        raise ValueError(f"a model's name: at most {_MOST_NAME} characters that can be seen, no blank at its ends")
    return value


def _commit(value: str) -> str:
    if not _COMMIT.fullmatch(value.lower()):
        raise ValueError(
            "a full commit, 40 hexadecimal digits, for everybody must have the same weights, and what a branch or a tag"
            " stands for may change from one night to the next; docs/self-hosted.md says where commits are listed"
        )
    return value.lower()


def _address(value: str) -> str:
    fault = address_fault(value)
    if fault is not None:
        raise ValueError(f"the address of a service, such as https://host/api/v1; {fault}")
    return value


def _shard(value: str) -> str:
    wanted, _, parts = value.partition("/")
    if not (wanted.isdecimal() and parts.isdecimal() and 1 <= int(wanted) <= int(parts)):
        raise ValueError("a part of several, from 1/N to N/N, such as 2/30")
    return value


ColumnName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,254}$")]
ModelName = Annotated[str, Field(min_length=1), AfterValidator(_model_name)]
Shard = Annotated[str, Field(max_length=20), AfterValidator(_shard)]
Commit = Annotated[str, AfterValidator(_commit)]
Address = Annotated[str, Field(min_length=1), AfterValidator(_address)]


class Section(BaseModel):
    """A part of the configuration: immutable, and a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
