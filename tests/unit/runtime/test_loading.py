"""Loading: what is refused before Milvus is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.tables import image_rows
from tuku.config import Config
from tuku.errors import StorageError, VectorSpaceError, VerificationError
from tuku.lake import Lake, Stamp
from tuku.progress import SilentProgress
from tuku.report import Check, VerifySummary
from tuku.runtime.loading import load, require_passed
from tuku.schemas import DEAD_LETTERS


def configured(tmp_path: Path) -> Config:
    paths = {"lake": {"uri": str(tmp_path / "lake")}, "milvus": {"uri": str(tmp_path / "milvus.db")}}
    return Config.model_validate(paths)


def add_run(lake: Lake, ids: str, fingerprint: str) -> None:
    run, _ = lake.begin()
    rows = [{"image_id": i, "embedding_fingerprint": fingerprint, "run_id": run.run_id} for i in ids]
    run.write_block("b", image_rows(*rows), DEAD_LETTERS.empty_table())
    run.commit()


def test_an_empty_lake_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nothing to load"):
        load(configured(tmp_path), SilentProgress())
    assert not (tmp_path / "milvus.db").exists()


def test_a_catalogue_half_moved_to_another_model_is_not_loaded(tmp_path: Path) -> None:
    config = configured(tmp_path)
    lake = Lake.at(config.lake.uri)
    add_run(lake, "abc", "old")
    add_run(lake, "c", "new")
    lake.write_stamp(Stamp("fake/model@2", 2, "new"))
    with pytest.raises(VectorSpaceError, match="2 images of the lake still have vectors of another model"):
        load(config, SilentProgress())
    assert not (tmp_path / "milvus.db").exists()


@pytest.mark.parametrize(("name", "remedy"), [("rows", "rebuild"), ("recall@10, image queries", "FLAT")])
def test_a_failed_proof_says_what_to_do(name: str, remedy: str) -> None:
    checks = (
        Check(name="load state", expected=1, actual=1, passed=True),
        Check(name=name, expected=2, actual=1, passed=False),
    )
    with pytest.raises(VerificationError, match=rf"{name} \(expected 2, got 1\)") as caught:
        require_passed(VerifySummary(passed=False, checks=checks))
    assert remedy in caught.value.remedy
