"""The profiles in conf/ that use DashScope."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuku.config import Config
from tuku.config_load import load_config
from tuku.providers.registry import describe_captioner, describe_embedder

CONF = Path(__file__).parents[4] / "conf"


def profile(name: str, *overrides: str) -> Config:
    return load_config(CONF / f"{name}.yaml", overrides, {})


def test_reference_system_a_is_reproduced() -> None:
    config = profile("dashscope")
    captioner, embedder = describe_captioner(config.caption), describe_embedder(config.embed)
    assert captioner is not None
    assert (captioner.provider, captioner.model) == ("dashscope", "qwen-vl-plus")
    assert (embedder.provider, embedder.model, embedder.dim) == ("dashscope", "multimodal-embedding-v1", 1024)
    assert dict(captioner.settings)["system"] == "You are a helpful assistant."
    milvus, index = config.milvus, config.milvus.index
    assert (milvus.collection, config.load.alias, milvus.vectors) == ("multimodal_search", False, ("image", "text"))
    assert (index.type, index.metric, index.params, index.search_params) == (
        *("IVF_FLAT", "L2"),
        {"nlist": 1024},
        {"nprobe": 10},
    )


def test_its_other_index_stands_in_the_comment(tmp_path: Path) -> None:
    text = (CONF / "dashscope.yaml").read_text(encoding="utf-8")
    before, _, rest = text.partition("    type: IVF_FLAT\n")
    four, _, after = rest.partition("    # The system's other index")
    commented = [line.replace("# ", "", 1) for line in after.splitlines() if line.startswith("    # ")]
    file = tmp_path / "other.yaml"
    file.write_text(before + "\n".join(commented) + "\n", encoding="utf-8")
    index = load_config(file, [], {}).milvus.index
    assert len(four.splitlines()) == 3
    assert (index.type, index.metric, index.params, index.search_params) == (
        *("HNSW", "L2"),
        {"M": 64, "efConstruction": 100},
        {"ef": 10},
    )


def test_the_modern_profile() -> None:
    config = profile("dashscope_modern")
    captioner, embedder = describe_captioner(config.caption), describe_embedder(config.embed)
    assert captioner is not None
    assert (captioner.model, embedder.model, embedder.dim) == ("qwen3-vl-flash", "tongyi-embedding-vision-plus", 1152)
    assert (config.milvus.index.type, config.milvus.index.metric, config.load.alias) == ("HNSW", "COSINE", True)


def test_every_profile_has_a_lake_of_its_own() -> None:
    lakes = [profile(name).lake.uri for name in ("dashscope", "dashscope_modern", "local")]
    assert len(set(lakes)) == len(lakes)


@pytest.mark.parametrize("name", ["dashscope", "dashscope_modern"])
def test_the_profile_says_what_must_be_in_the_environment(name: str) -> None:
    text = (CONF / f"{name}.yaml").read_text(encoding="utf-8")
    assert all(variable in text for variable in ("DASHSCOPE_API_KEY", "DASHSCOPE_HTTP_BASE_URL", "MILVUS_TOKEN"))
