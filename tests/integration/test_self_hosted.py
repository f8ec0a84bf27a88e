"""The whole job with a model that one hosts oneself: a folder of pictures, its collection, and searches in it.

The models are as small as can be, with weights by chance: a picture finds itself, and what a text finds means nothing.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from fakes import hub, tiny_models, tiny_qwen
from support import Tuku, environment

pytestmark = [pytest.mark.ray, pytest.mark.milvus, pytest.mark.timeout(240)]

CONF = Path(__file__).parents[2] / "conf"


@pytest.fixture(scope="module")
def landscapes(tmp_path_factory: pytest.TempPathFactory, catalogue: Path) -> Path:
    """Pictures in folders within folders, as JPEG and PNG, with endings in all spellings."""
    folder = tmp_path_factory.mktemp("landscapes")
    found = sorted(path for path in catalogue.parent.rglob("*") if path.suffix in {".jpg", ".png"})[:12]
    for number, path in enumerate(found):
        place = folder / ("山水" if number % 2 else "a/b") / f"图{number}{('.JPEG', '.jpg', '.png')[number % 3]}"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.open(path).convert("RGB").save(place)
    return folder


@pytest.mark.parametrize(
    ("profile", "family"),
    [
        pytest.param("chinese_clip", "chinese_clip", marks=pytest.mark.long),
        pytest.param("clip", "clip", marks=pytest.mark.long),
        pytest.param("clip", "siglip", marks=pytest.mark.long),
    ],
)
def test_from_a_folder_to_a_search(tuku: Tuku, landscapes: Path, tmp_path: Path, profile: str, family: str) -> None:
    model = tiny_models.MODELS[family](tmp_path / family)
    options = ["--config", CONF / f"{profile}.yaml", "--set", f"embed.model={model}", "--set", "verify.min_recall=0"]

    def run(*arguments: object) -> dict:
        ran = tuku(*arguments, *options, "--json")
        assert ran.code == 0, ran.err
        return ran.json

    report = run("ingest", landscapes)
    assert (report["rows"]["ok"], report["rows"]["failed"]) == (12, 0)
    assert report["verify"]["passed"]
    checks = {check["name"]: check["actual"] for check in report["verify"]["checks"]}
    assert (checks["load state"], checks["rows"]) == ("Loaded", 12)

    picture = landscapes / "山水" / "图1.jpg"
    grid = tmp_path / "grid.png"
    by_picture = run("search", "--image", picture, "--limit", "10", "--grid", grid)["results"]
    assert len(by_picture) == 10
    assert by_picture[0]["uri"] == str(picture)
    assert by_picture[0]["score"] == pytest.approx(1, abs=1e-3)
    assert len(run("search", "一只猫", "--limit", "10")["results"]) == 10
    with Image.open(grid) as drawn:
        assert min(drawn.size) > 300
    assert run("ingest", landscapes)["rows"]["unchanged"] == 12


@pytest.mark.long
def test_another_model_is_refused_until_a_rebuild(tuku: Tuku, landscapes: Path, tmp_path: Path) -> None:
    first, second = tiny_models.clip(tmp_path / "clip"), tiny_models.siglip(tmp_path / "siglip")
    options = ["--config", CONF / "clip.yaml", "--set", "verify.min_recall=0"]
    assert tuku("ingest", landscapes, *options, "--set", f"embed.model={first}").code == 0
    wrong = tuku("search", "cat", *options, "--set", f"embed.model={second}")
    assert wrong.code == 2
    assert "siglip" in wrong.err
    gone = tuku("search", "cat", *options, "--set", f"embed.model={tmp_path / 'nowhere'}")
    assert (gone.code, "no such folder" in gone.err) == (2, True)


@pytest.mark.long
def test_captions_and_vectors_by_one_model(tuku: Tuku, tmp_path: Path) -> None:
    """Reference system D: a Qwen3-VL, pictures with titles and prices, and a search with a filter."""
    model = tiny_qwen.qwen3_vl(tmp_path / "tiny-qwen3-vl", trained=True)
    rows = []
    for number, colour in enumerate([*tiny_qwen.COLOURS] * 3):
        name = f"{colour}{number}.png"
        Image.fromarray(tiny_qwen.picture(colour, number)).save(tmp_path / name)
        rows.append({"uri": name, "title": f"杯 {number}", "category": "cup", "price": 10.5 * number})
    manifest = tmp_path / "shop.jsonl"
    manifest.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    own = {
        "caption.model": model,
        "embed.model": model,
        "caption.dtype": "float32",
        "embed.dtype": "float32",
        "milvus.uri": tmp_path / "milvus.db",
        "lake.uri": tmp_path / "lake",
        "runtime.worker_gpus": 0,
        "verify.min_recall": 0,
    }
    options = ["--config", CONF / "qwen3_vl.yaml", "--json"]
    for key, value in own.items():
        options += ["--set", f"{key}={value}"]

    def run(*arguments: object) -> dict:
        ran = tuku(*arguments, *options)
        assert ran.code == 0, ran.err
        return ran.json

    report = run("ingest", manifest)
    assert (report["rows"]["ok"], report["rows"]["failed"], report["verify"]["passed"]) == (len(rows), 0, True)
    red = tmp_path / "红0.png"
    found = run("search", "--image", red, "--limit", "12")["results"]
    assert found[0]["uri"] == str(red)
    assert {each["caption"] for each in found} == {f"一张{colour}色的图。" for colour in tiny_qwen.COLOURS}
    cheap = run("search", "红色", "--in", "text", "--where", "price < 30", "--limit", "9")["results"]
    assert sorted(each["metadata"]["price"] for each in cheap) == [0, 10.5, 21]
    both = run("search", "红色", "--image", red, "--limit", "3")["results"]
    assert len(both) == 3
    assert run("ingest", manifest)["rows"]["unchanged"] == len(rows)


@pytest.mark.long
def test_a_collection_of_another_dimension_is_refused_before_any_work(
    tuku: Tuku, landscapes: Path, tmp_path: Path
) -> None:
    """Two lakes, one collection. What is of the same lake is moved by a rebuild instead."""
    first, second = tiny_models.clip(tmp_path / "clip"), tiny_models.siglip(tmp_path / "siglip")
    options = ["--config", CONF / "clip.yaml", "--set", "verify.min_recall=0"]
    assert tuku("ingest", landscapes, *options, "--set", f"embed.model={first}").code == 0
    other = tmp_path / "other-lake"
    refused = tuku("ingest", landscapes, *options, "--set", f"embed.model={second}", "--set", f"lake.uri={other}")
    assert refused.code == 2
    said = " ".join(refused.err.split())
    assert re.search(
        r"holds vectors of hf/clip@\w+ of length 16; the configuration says hf/siglip@\w+ of length 32", said
    )
    assert "tuku ingest --set load.strategy=rebuild" in said
    assert not list(other.rglob("*.parquet"))
    moved = tuku("ingest", landscapes, *options, "--set", f"embed.model={second}", "--json")
    assert (moved.code, moved.json["load"]["strategy"], moved.json["rows"]["ok"]) == (0, "rebuild", 12)


TOLD = """
import sys
from tuku.cli import main
try:
    main(sys.argv[1:])
finally:
    print({"torch", "transformers"} & set(sys.modules))
"""


@pytest.mark.long
def test_the_driver_never_imports_torch(tuku: Tuku, landscapes: Path, tmp_path: Path) -> None:
    """Whoever imports it may look for a GPU, and the driver may run where there is none, or another."""
    model = tiny_models.clip(tmp_path / "clip")
    options = ["--config", CONF / "clip.yaml", "--set", f"embed.model={model}", "--set", "verify.min_recall=0"]
    for name in ("plan", "ingest"):
        given = tuku.command(name, landscapes, *options)
        done = subprocess.run(
            [sys.executable, "-c", TOLD, *map(str, given[3:])],
            cwd=tuku.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.long
def test_by_a_hubs_id_and_without_a_network_afterwards(tuku: Tuku, landscapes: Path, tmp_path: Path) -> None:
    model = tiny_models.chinese_clip(tmp_path / "tiny-clip")
    common = ["--config", CONF / "chinese_clip.yaml", "--set", "verify.min_recall=0", "--json"]
    by_id = [*common, "--set", "embed.model=acme/tiny-clip", "--set", f"embed.revision={hub.COMMIT}"]
    with hub.serve({"acme/tiny-clip": model}) as running:
        env = {"HF_ENDPOINT": running.url, "HF_HOME": str(tmp_path / "hf"), "NO_PROXY": "127.0.0.1"}
        first = tuku("ingest", landscapes / "山水", *by_id, env=env)
        assert first.code == 0, first.err
        assert first.json["rows"]["ok"] == 6
        assert running.sent().count("model.safetensors") == 1
        running.hits.clear()
        from_folder = tuku("search", "一只猫", *common, "--set", f"embed.model={model}", env=env)
        assert len(from_folder.json["results"]) == 6  # it is the same model
        assert not running.hits

    rest = tuku("ingest", landscapes, *by_id, "--set", "embed.offline=true", env=env)
    assert rest.code == 0, rest.err
    assert (rest.json["rows"]["ok"], rest.json["rows"]["unchanged"]) == (6, 6)
