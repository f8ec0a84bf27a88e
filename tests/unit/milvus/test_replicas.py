"""A collection is loaded with as many copies as it was made with, whatever the configuration says now."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from tuku.config import Config, MilvusConfig
from tuku.milvus import made_as, reader, target
from tuku.milvus.loaded_runs import RUNS


@dataclass
class OldServer:
    """As Milvus 2.3 and 2.4: a collection that is loaded is not loaded with another number of copies.

    Attributes:
        notes: properties of the one collection.
        copies: in memory.
        asked: for how many it was loaded.
    """

    notes: dict[str, str]
    copies: int = 0
    asked: list[int] = field(default_factory=list)

    def load_collection(self, name: str, *, timeout: float, replica_number: int = 0) -> None:
        wanted = replica_number or 1
        self.asked.append(wanted)
        if self.copies not in {0, wanted}:
            raise MilvusException(65535, f"collection loaded with different replica number, existed {self.copies}")
        self.copies = wanted

    def get_load_state(self, name: str) -> dict[str, Any]:
        return {"state": SimpleNamespace(name="Loaded" if self.copies else "NotLoad")}

    def describe_collection(self, name: str) -> dict[str, Any]:
        return {"properties": self.notes}

    def list_indexes(self, name: str) -> list[str]:
        return ["image_embedding"]

    def query(self, name: str, **_: Any) -> list[dict[str, int]]:
        return [{"count(*)": 7}]


def server(made_with: int, loaded: int) -> tuple[OldServer, MilvusClient]:
    notes = made_as.made_as_note(MilvusConfig(uri="http://h:1", replicas=made_with))
    fake = OldServer({**notes, RUNS: "{}"}, loaded)
    return fake, cast("MilvusClient", fake)


CASES = pytest.mark.parametrize(
    ("made_with", "configured", "loaded", "asked"),
    [
        (2, 2, 2, []),
        (2, 1, 2, []),
        (2, 3, 0, [2]),
        (2, 1, 0, [2]),
        (1, 2, 0, [1]),
    ],
)


@CASES
def test_who_searches_loads_what_is_not_loaded(
    monkeypatch: pytest.MonkeyPatch, made_with: int, configured: int, loaded: int, asked: list[int]
) -> None:
    fake, client = server(made_with, loaded)
    monkeypatch.setattr(reader, "require_readable", lambda client, config: "tuku__r1")
    for check in ("require_vector_space", "check_schema", "require_metric"):
        monkeypatch.setattr(f"tuku.milvus.collection.{check}", lambda *given: None)
    config = MilvusConfig(uri="http://h:1", replicas=configured)
    assert reader.require_searchable(client, config, "a/b@c", 8) == "tuku__r1"
    assert (fake.asked, fake.copies) == (asked, made_with)


@CASES
def test_who_counts_what_readers_see_loads_what_is_not_loaded(
    made_with: int, configured: int, loaded: int, asked: list[int]
) -> None:
    fake, client = server(made_with, loaded)
    config = Config(milvus=MilvusConfig(uri="http://h:1", replicas=configured))
    target.require_no_collapse(client, config, "tuku__r1", 7)
    assert (fake.asked, fake.copies) == (asked, made_with)
