"""Filters and boosts are checked against what the fields hold before Milvus is asked."""

from __future__ import annotations

import pytest

from tuku.conditions import Comparison
from tuku.errors import ConfigError
from tuku.metadata_names import field_name
from tuku.search.known_fields import KnownField, checked, require_field
from tuku.search.where import read_where

KNOWN = {
    "stock": KnownField(frozenset({"number"}), typed="int64"),
    "price": KnownField(frozenset({"number"})),
    "new": KnownField(frozenset({"bool"}), typed="bool"),
    "code": KnownField(frozenset({"number", "text"})),
    "keywords": KnownField(frozenset({"list"}), typed="varchar"),
    "tags": KnownField(frozenset({"list"})),
    "rare": KnownField(),
}


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("stock like '1%'", "stock holds no texts"),
        ("price not like '1%'", "price holds no texts"),
        ("new like 't%'", "new holds no texts"),
        ("stock contains 1", "stock holds no lists"),
        ("new > false", "no order"),
        ("price < true", "no order"),
        ("rare between false and true", "no order"),
        ("tags like 'a%'", "tags holds lists"),
        ("keywords contains true", "keywords = true, which is not a text"),
        ("stock == 'many'", 'stock = "many", which is not a whole number'),
        ("price in [1, 'a']", "price holds numbers"),
    ],
)
def test_what_no_row_can_meet_is_refused(where: str, said: str):
    with pytest.raises(ConfigError) as error:
        checked(read_where(where), KNOWN, lambda _name: False)
    assert said in error.value.message
    assert error.value.exit_code == 2


def test_what_fits_stays_in_the_fields_type():
    def read(where: str) -> object:
        return checked(read_where(where), KNOWN, lambda _name: False)

    assert read("keywords contains 5") == Comparison("keywords", "contains", ("5",))
    assert read("stock < '5'") == Comparison("stock", "<", (5,))
    assert read("code like '5%'") == Comparison("code", "like", ("5%",))
    assert read("rare like '5%'") == Comparison("rare", "like", ("5%",))
    assert read("tags contains 5") == Comparison("tags", "contains", (5,))


def test_a_field_can_be_given_by_the_name_of_its_column():
    price, stock = field_name("price €"), field_name("stock (pcs)")
    known = {**KNOWN, price: KnownField(frozenset({"number"}))}
    assert checked(read_where("`price €` < 5"), known, lambda _name: False) == Comparison(price, "<", (5,))
    assert require_field("stock (pcs)", known, {stock}.__contains__) == stock
    with pytest.raises(ConfigError, match=r"There is no field price \$"):
        require_field("price $", known, lambda _name: False)
