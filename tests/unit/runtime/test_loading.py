"""Loading: what is refused before Milvus is touched."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from fakes.tables import image_rows
from tuku.config import Config
from tuku.errors import StorageError, VectorSpaceError, VerificationError
from tuku.lake import Lake, Stamp
from tuku.lease import holder_in
from tuku.progress import SilentProgress
from tuku.providers.registry import describe_embedder
from tuku.report import Check, VerifySummary
from tuku.runtime.loading import load, require_passed, space_differs
from tuku.schemas import DEAD_LETTERS


def configured(tmp_path: Path) -> Config:
    paths = {"lake": {"uri": str(tmp_path / "lake")}, "milvus": {"uri": str(tmp_path / "milvus.db")}}
    return Config.model_validate(paths)


def add_run(lake: Lake, ids: str, fingerprint: str) -> None:
    run, _ = lake.begin()
    rows = [{"image_id": i, "embedding_fingerprint": fingerprint, "run_id": run.run_id} for i in ids]
    run.write_block("b", image_rows(*rows), DEAD_LETTERS.empty_table())
    run.commit()


def stamp_of(config: Config, fingerprint: str, *, shorter_by: int = 0) -> Stamp:
    embedder = describe_embedder(config.embed)
    return Stamp(embedder.name, (embedder.dim or 0) - shorter_by, fingerprint)


@pytest.mark.parametrize("strategy", ["auto", "upsert", "rebuild"])
def test_vectors_of_another_length_than_configured_are_not_loaded(tmp_path: Path, strategy: str) -> None:
    config = configured(tmp_path)
    config = config.model_copy(update={"load": config.load.model_copy(update={"strategy": strategy})})
    lake = Lake.at(config.lake.uri)
    add_run(lake, "abc", "old")
    lake.write_stamp(stamp_of(config, "old", shorter_by=1))
    with pytest.raises(VectorSpaceError, match=r"of length 383; the configuration says .* of length 384") as caught:
        load(config, SilentProgress())
    assert "tuku ingest --set load.strategy=rebuild" in caught.value.remedy  # `tuku load` would load the same again
    assert caught.value.exit_code == 2
    assert not (tmp_path / "milvus.db").exists()


def test_what_differs_between_lake_and_configuration_is_said(tmp_path: Path) -> None:
    config = configured(tmp_path)
    lake = Lake.at(config.lake.uri)
    assert space_differs(config, lake) == ""
    lake.write_stamp(stamp_of(config, "x"))
    assert space_differs(config, lake) == ""
    lake.write_stamp(Stamp("fake/model@2", 384, "x"))
    assert space_differs(config, lake).startswith("The lake holds vectors of fake/model@2 of length 384; the config")


def test_an_empty_lake_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nothing to load"):
        load(configured(tmp_path), SilentProgress())
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def half_moved(tmp_path: Path) -> Config:
    """A lake that `load` refuses once it has read it."""
    config = configured(tmp_path)
    lake = Lake.at(config.lake.uri)
    add_run(lake, "abc", "old")
    add_run(lake, "c", "new")
    lake.write_stamp(stamp_of(config, "new"))
    return config


def test_a_lake_that_another_works_on_is_not_loaded(half_moved: Config) -> None:
    ingesting = Lake.at(half_moved.lake.uri).exclusive(command="tuku ingest")
    with ingesting, pytest.raises(StorageError, match=r"works on the lake .*: `tuku ingest` on") as caught:
        load(half_moved, SilentProgress())
    assert "--wait" in caught.value.remedy


class Waiter(SilentProgress):
    """Lets the other go as soon as it is told who is waited for."""

    def __init__(self, other: ExitStack) -> None:
        self._other = other
        self.told: list[str] = []

    def phase(self, name: str, detail: str = "") -> None:
        self.told.append(f"{name} {detail}")
        self._other.close()


def test_it_waits_for_the_other_if_it_is_to(half_moved: Config) -> None:
    with ExitStack() as other:
        other.enter_context(Lake.at(half_moved.lake.uri).exclusive(command="tuku ingest"))
        progress = Waiter(other)
        with pytest.raises(VectorSpaceError, match="another model"):
            load(half_moved, progress, wait_s=60)
    assert progress.told[0].startswith("wait `tuku ingest` on ")
    assert progress.told[1].startswith("load ")
    assert holder_in(Lake.at(half_moved.lake.uri).storage) is None


def test_a_catalogue_half_moved_to_another_model_is_not_loaded(half_moved: Config, tmp_path: Path) -> None:
    with pytest.raises(VectorSpaceError, match="2 images of the lake still have vectors of another model"):
        load(half_moved, SilentProgress())
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
