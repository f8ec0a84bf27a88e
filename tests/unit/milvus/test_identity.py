"""Which loads go to the same place, however it is spelt."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuku.config import Config
from tuku.milvus.identity import is_for, target


def of(uri: str, **changes: str):
    return Config.model_validate({"milvus": {"uri": uri, **changes}}).milvus


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://milvus:19530", "http://milvus:19530/"),
        ("http://milvus:19530", "HTTP://Milvus:19530"),
        ("http://milvus:19530", "http://root:secret@milvus:19530/"),
        ("https://in.example/Db", "https://in.example/Db/"),
        ("demo/milvus.db", "./demo/../demo/milvus.db"),
        ("demo/milvus.db", str(Path("demo/milvus.db").absolute())),
    ],
)
def test_spellings_of_one_place(one: str, other: str) -> None:
    assert target(of(one)) == target(of(other))
    assert is_for(of(one), target(of(other)))
    assert is_for(of(one), f"{other.replace('root:secret@', '')} default tuku")  # as earlier versions noted it
    assert "secret" not in target(of(other))


@pytest.mark.parametrize(
    ("uri", "changes"),
    [
        ("http://milvus:19531", {}),
        ("https://milvus:19530", {}),
        ("http://milvus:19530/A", {}),
        ("http://milvus:19530", {"db": "other"}),
        ("http://milvus:19530", {"collection": "other"}),
        ("~nobody-of-this-name/milvus.db", {}),
    ],
)
def test_other_places(uri: str, changes: dict[str, str]) -> None:
    assert not is_for(of("http://milvus:19530"), target(of(uri, **changes)))
    assert not is_for(of("http://milvus:19530"), "anything")
