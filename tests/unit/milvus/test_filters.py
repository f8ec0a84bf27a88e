"""Names and values in Milvus' language."""

from __future__ import annotations

import pytest

from tuku.conditions import Comparison
from tuku.config import MilvusConfig
from tuku.errors import ConfigError
from tuku.milvus.filters import expression
from tuku.milvus.search import only


def test_true_is_not_one():
    assert '($meta["f"] == 1 or $meta["f"] == true)' in expression(Comparison("f", "in", (1, True, 1)))


@pytest.mark.parametrize("name", ["tags", "in", "标签", "exists", "a b", 'x"]'])
def test_a_server_is_told_any_name_of_a_list_in_quotes(name: str):
    quoted = name.replace('"', '\\"')
    assert f'json_contains($meta["{quoted}"], 1)' in expression(Comparison(name, "contains", (1,)))


@pytest.mark.parametrize("name", ["tags", "标签", "_2"])
def test_lite_is_told_a_plain_name(name: str):
    assert f"json_contains({name}, 1)" in expression(Comparison(name, "contains", (1,)), lite=True)


def test_fields_are_asked_for_by_name_where_every_milvus_takes_it():
    config = MilvusConfig(indexed_metadata={"make": "varchar"})
    assert only(config, ["price", "make", "origin", "price"]) == ["id", "price", "make", "origin"]
    assert only(config, ["价格", "in"]) == ["id", "$meta"]
    assert only(config, []) == ["id"]


@pytest.mark.parametrize("name", ["in", "Exists", "TRUE", "a b", "2nd", 'x"]', "e\u0301"])
def test_what_lite_cannot_be_told_is_refused(name: str):
    with pytest.raises(ConfigError, match="Milvus Lite cannot look into the lists of"):
        expression(Comparison(name, "contains", (1,)), lite=True)
    assert expression(Comparison(name, "==", (1,)), lite=True)
