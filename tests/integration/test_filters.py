"""Filters mean in Milvus what they mean here, whatever stands in them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymilvus import DataType, MilvusClient

from milvus_server import MilvusServer
from tuku.conditions import Comparison, Condition, Joined, comparisons, holds
from tuku.milvus.filters import exists, expression, is_prefix
from tuku.search.where import read_where

pytestmark = pytest.mark.milvus

NAME = "filtered"
NASTY = [
    "",
    "'",
    '"',
    "\\",
    "\\\\",
    '\\"',
    "a\nb",
    "\t\r",
    "\x00\x01\x1b",
    "100%",
    "a_b",
    "服装",
    "狗🐶",
    "O'Neil",
    "or 1 == 1",
    '" or id != "',
]
NUMBERS = [0, 1, -1, 0.5, -2.25, 2**53, 2**63 - 1, 1e300]
VALUES = [*NASTY, *NUMBERS]
FIELDS = ["price", "brand", "tags", "in", "价格"]
OPERATORS = ["==", "!=", "<", "<=", ">", ">="]


def rows() -> list[dict[str, Any]]:
    """Every value in some row, and rows that lack fields."""
    chance = random.Random(7)
    made: list[dict[str, Any]] = [{"price": value, "brand": value} for value in VALUES]
    made += [{name: chance.choice(VALUES) for name in chance.sample(FIELDS, 3) if name != "tags"} for _ in range(40)]
    made += [{"new": chance.random() < 0.5} for _ in range(10)]  # apart: Milvus Lite takes true for 1
    made += [{"tags": chance.sample(NASTY, 3)} for _ in range(10)]
    made += [{"标签": chance.sample(NASTY, 3), "exists": chance.sample(NASTY, 3)} for _ in range(10)]
    return [{**row, "id": f"{number}", "keywords": chance.sample(NASTY, 2)} for number, row in enumerate(made)]


ROWS = rows()


def filled(client: MilvusClient) -> MilvusClient:
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=True)
    schema.add_field("id", DataType.VARCHAR, max_length=64, is_primary=True)
    schema.add_field("keywords", DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=8, max_length=64)
    schema.add_field("image_embedding", DataType.FLOAT_VECTOR, dim=2)
    client.create_collection(NAME, schema=schema, consistency_level="Strong")
    client.insert(NAME, [{**row, "image_embedding": [1.0, 0.0]} for row in ROWS])
    index = client.prepare_index_params()
    index.add_index("image_embedding", index_type="FLAT", metric_type="COSINE", params={})
    client.create_index(NAME, index)
    client.load_collection(NAME)
    return client


@pytest.fixture(scope="module")
def lite(tmp_path_factory) -> Iterator[MilvusClient]:
    client = filled(MilvusClient(str(tmp_path_factory.mktemp("filters") / "milvus.db"), dedicated=True))
    yield client
    client.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[MilvusClient]:
    with MilvusServer(tmp_path_factory.mktemp("filters") / "milvus") as running:
        client = filled(MilvusClient(running.uri, dedicated=True))
        yield client
        client.close()


def found(client: MilvusClient, where: str) -> set[str]:
    return {row["id"] for row in client.query(NAME, filter=where, output_fields=["id"], limit=1_000)}


TESTS = st.one_of(
    st.builds(Comparison, st.sampled_from(FIELDS), st.sampled_from(OPERATORS), st.tuples(st.sampled_from(VALUES))),
    st.builds(
        Comparison,
        st.sampled_from(FIELDS),
        st.sampled_from(["in", "not in"]),
        st.lists(st.sampled_from(VALUES), min_size=1, max_size=4).map(tuple),
    ),
    st.builds(Comparison, st.just("new"), st.sampled_from(["==", "!="]), st.tuples(st.booleans())),
    st.builds(Comparison, st.sampled_from(FIELDS), st.sampled_from(["is null", "is not null"])),
    st.builds(
        Comparison,
        st.sampled_from(["price", "brand", "价格"]),
        st.sampled_from(["like", "not like"]),
        st.sampled_from(["%", "a%", "%b", "%'%", "O_Neil", "100%", "a_b", "服%", "", "_"]).map(lambda text: (text,)),
    ),
    st.builds(
        Comparison,
        st.sampled_from(["keywords", "tags", "标签"]),
        st.sampled_from(["contains", "not contains"]),
        st.tuples(st.sampled_from(NASTY)),
    ),
)
CONDITIONS = st.recursive(
    TESTS,
    lambda part: st.builds(Joined, st.sampled_from(["and", "or"]), st.lists(part, min_size=2, max_size=3).map(tuple)),
    max_leaves=5,
)
ON_ONE_COLLECTION = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def check(client: MilvusClient, condition: Condition, *, lite: bool = True) -> None:
    wanted = {row["id"] for row in ROWS if holds(condition, row)}
    where = expression(condition, lite=lite)
    assert found(client, where) == wanted, where


@ON_ONE_COLLECTION
@given(CONDITIONS)
def test_a_condition_finds_in_lite_what_it_means(lite, condition):
    check(lite, condition)


@pytest.mark.long
@ON_ONE_COLLECTION
@given(CONDITIONS)
def test_a_condition_finds_on_a_server_what_it_means(server, condition):
    patterns = [str(each.values[0]) for each in comparisons(condition) if "like" in each.operator]
    if all(is_prefix(pattern) for pattern in patterns):
        check(server, condition, lite=False)


@pytest.mark.long
@pytest.mark.parametrize("value", NASTY)
def test_a_server_finds_in_lists_whose_name_is_a_word(server, value):
    check(server, Comparison("exists", "contains", (value,)), lite=False)


@ON_ONE_COLLECTION
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_nothing_breaks_out_of_its_quotes(lite, text):
    quoted = text.replace("\\", "\\\\").replace("'", "''")
    condition = read_where(f"brand == '{quoted}' and price is not null")
    check(lite, condition)
    assert found(lite, exists(text)) == {row["id"] for row in ROWS if text in row and text not in {"id", "keywords"}}
