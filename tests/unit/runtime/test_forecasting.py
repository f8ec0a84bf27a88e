"""`tuku plan` in process: what the next run would find, and what earlier runs have paid for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from fakes.tables import image_rows
from tuku.config import (
    CaptionConfig,
    Config,
    EmbedConfig,
    LakeConfig,
    LimitsConfig,
    LoadConfig,
    ManifestConfig,
    PriceConfig,
)
from tuku.errors import ConfigError
from tuku.lake import Lake, Run, Stamp
from tuku.lake_view import LakeView
from tuku.progress import SilentProgress
from tuku.runtime.forecasting import forecast, next_run_view
from tuku.runtime.models import describe_models
from tuku.schemas import DEAD_LETTERS, IMAGES, PAID


def left_behind(lake: Lake, image_id: str) -> Run:
    run, _ = lake.begin()
    run.write_block("all", image_rows({"image_id": image_id}), DEAD_LETTERS.empty_table())
    return run


def test_the_next_run_builds_on_what_was_interrupted_and_not_on_what_was_rejected(tmp_path: Path):
    lake = Lake.at(str(tmp_path / "lake"))
    left_behind(lake, "committed").commit()
    left_behind(lake, "rejected").reject("wrong")
    left_behind(lake, "interrupted")
    view = next_run_view(lake)
    ids = {image_id for batch in view.batches(["image_id"]) for image_id in batch.column("image_id").to_pylist()}
    assert ids == {"committed", "interrupted"}
    assert len(lake.committed_runs()) == 1


def test_what_an_interrupted_run_was_about_to_delete_is_still_there(tmp_path: Path):
    lake = Lake.at(str(tmp_path / "lake"))
    left_behind(lake, "kept").commit()
    left_behind(lake, "new").write_deleted("all", ["kept"])
    assert next_run_view(lake).rows() == 2
    assert len(lake.committed_runs()) == 1
    lake.begin()
    assert LakeView.everything(lake).rows() == 2


def test_there_need_not_be_a_lake(tmp_path: Path):
    assert next_run_view(Lake.at(str(tmp_path / "lake"))).rows() == 0
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def config(tmp_path: Path) -> Config:
    for number in range(4):
        Image.new("RGB", (64, 64), (number * 60, 0, 0)).save(tmp_path / f"{number}.png")
    manifest = tmp_path / "pictures.csv"
    manifest.write_text("id,uri\n" + "".join(f"{number},{number}.png\n" for number in range(4)))
    return Config(
        manifest=ManifestConfig(uri=str(manifest)),
        lake=LakeConfig(uri=str(tmp_path / "lake")),
        caption=CaptionConfig(provider="dashscope"),
        embed=EmbedConfig(provider="dashscope"),
    )


def test_answers_that_an_earlier_run_could_not_use_are_not_paid_again(config: Config, tmp_path: Path):
    assert forecast(config, SilentProgress()).stages["caption"].calls == 4
    first = Path(str(config.manifest.uri)).with_name("0.png")
    digest = hashlib.sha256(first.read_bytes()).hexdigest()
    fingerprint = describe_models(config).caption_fingerprint
    paid = {"content_sha256": digest, "caption": "A cat", "keywords": [], "caption_fingerprint": fingerprint}
    run, _ = Lake.at(config.lake.uri).begin()
    run.write_block("all", IMAGES.empty_table(), DEAD_LETTERS.empty_table(), pa.Table.from_pylist([paid], PAID))
    assert forecast(config, SilentProgress()).stages["caption"].calls == 3


def test_a_lake_of_another_model_is_warned_about_unless_it_is_to_be_replaced(config: Config):
    lake = Lake.at(config.lake.uri)
    lake.storage.prepare()
    lake.write_stamp(Stamp("fake/model@1", 8, "f-1"))
    [warning] = (text for text in forecast(config, SilentProgress()).warnings if "vectors of fake/model@1" in text)
    assert "`tuku ingest` needs --set load.strategy=rebuild" in warning
    rebuilding = config.model_copy(update={"load": LoadConfig(strategy="rebuild")})
    assert not [text for text in forecast(rebuilding, SilentProgress()).warnings if "vectors" in text]


def test_money_in_two_currencies_cannot_be_limited(config: Config):
    dollars = config.embed.model_copy(update={"price": PriceConfig(input_per_1k=1.0, currency="USD")})
    limited = config.model_copy(update={"embed": dollars, "limits": LimitsConfig(max_cost=1.0)})
    with pytest.raises(ConfigError, match="the models are paid in CNY and USD"):
        forecast(limited, SilentProgress())


def test_a_catalogue_has_to_be_named(config: Config):
    unnamed = config.manifest.model_copy(update={"uri": None})
    with pytest.raises(ConfigError, match="No manifest"):
        forecast(config.model_copy(update={"manifest": unnamed}), SilentProgress())
