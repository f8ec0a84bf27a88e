"""What the matrix of kills takes for paid twice without need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from kills.witness import Bill

KILLED = (10.0, 10.5)  # the first of those who asked, and the last


@dataclass
class Server:
    """One that has only books."""

    accepted_s: list[float]
    intact_s: list[float]

    def items(self) -> dict[str, list[dict[str, Any]]]:
        return {"model": [{"item": "x", "accepted_s": self.accepted_s, "intact_s": self.intact_s}]}


@pytest.mark.parametrize(
    ("accepted_s", "intact_s"),
    [
        ([5.0], [6.0]),  # paid once
        ([9.0, 20.0], [21.0]),  # its answer was never heard of
        ([9.0, 20.0], [9.9, 21.0]),  # it was on its way to the disk
        ([9.0, 20.0], [10.2, 21.0]),  # it came while one lived on
        ([10.4, 20.0], [10.45, 21.0]),  # asked for by the one that lived on
    ],
)
def test_what_was_in_flight_at_a_death_may_be_paid_again(accepted_s, intact_s):
    bill = Bill.of(Server(accepted_s, intact_s), [KILLED])
    assert not bill.unexcused
    assert bill.paid_twice == len(accepted_s) - 1


@pytest.mark.parametrize(
    ("accepted_s", "intact_s", "deaths"),
    [
        ([5.0, 20.0], [6.0, 21.0], [KILLED]),  # its answer had been there long before
        ([9.0, 20.0, 30.0], [21.0, 31.0], [KILLED]),  # once more than need be
        ([20.0, 30.0], [21.0, 31.0], [KILLED]),  # asked for by those after it only
        ([9.0, 20.0, 45.0], [21.0, 46.0], [KILLED, (40.0, 40.0)]),  # at the second death it had its answer
        ([9.0, 20.0], [21.0], []),  # nobody died
    ],
)
def test_whatever_else_is_paid_again_has_no_excuse(accepted_s, intact_s, deaths):
    assert Bill.of(Server(accepted_s, intact_s), deaths).unexcused


def test_an_item_may_be_in_flight_at_two_deaths():
    bill = Bill.of(Server([9.0, 20.0, 45.0], [46.0]), [KILLED, (40.0, 40.0)])
    assert (bill.in_flight, bill.paid_twice, bill.unexcused) == (2, 2, [])
