"""After a run that went well the lake is tidied up, as far as that is worth it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.nights import STEPS, captions, files, night
from tuku.config import LakeConfig
from tuku.errors import StorageError
from tuku.housekeeping import tidy
from tuku.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.at(str(tmp_path / "lake"))
    night(lake, ok="abcd", paid="p")
    night(lake, ok="b")
    return lake


def test_it_compacts_from_so_many_small_files_on(lake: Lake) -> None:
    (said,) = tidy(lake, LakeConfig(compact_files=4), STEPS, thorough=True)
    assert said.startswith("2 files (")
    assert " removed in " in said
    assert not any(run.replaces for run in lake.runs())
    compacted, *rest = tidy(lake, LakeConfig(compact_files=3), STEPS, thorough=True)
    assert compacted.startswith("3 files (")
    assert " of 2 runs compacted into 1 file (" in compacted
    assert rest == []
    assert captions(lake) == "a1 b2 c1 d1"


def test_it_says_nothing_when_there_is_nothing_to_do(lake: Lake) -> None:
    tidy(lake, LakeConfig(), STEPS, thorough=True)
    there = files(lake)
    assert tidy(lake, LakeConfig(), STEPS, thorough=True) == []
    assert files(lake) == there


def test_it_can_be_switched_off(lake: Lake) -> None:
    there = files(lake)
    assert tidy(lake, LakeConfig(compact_files=None), STEPS, thorough=True) == []
    assert files(lake) == there


def test_after_a_run_that_changed_nothing_no_images_are_read(lake: Lake) -> None:
    for run in lake.runs():
        for name in run.parts():
            lake.storage.write(name, b"whoever reads this fails")
    assert tidy(lake, LakeConfig(), STEPS, thorough=False) != []
    with pytest.raises(StorageError):
        tidy(lake, LakeConfig(), STEPS, thorough=True)
