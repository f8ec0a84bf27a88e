"""`tuku models`: what can be asked for, without a package, a key or a download."""

from __future__ import annotations

import io

from rich.console import Console

from tuku.config import CaptionConfig, EmbedConfig
from tuku.providers.registry import describe_captioner, describe_embedder
from tuku.runtime.known_models import list_models


def test_each_provider_s_models_are_listed_with_what_one_chooses_by() -> None:
    listed = {(each["stage"], each["provider"], each["model"]): each for each in list_models().to_dict()["models"]}
    chinese = listed["embed", "hf", "OFA-Sys/chinese-clip-vit-base-patch16"]
    assert (chinese["dim"], chinese["parameters_m"], chinese["languages"]) == (512, 188, ["zh"])
    assert (chinese["licence"], chinese["runs_here"]) == ("Apache-2.0", True)
    assert not listed["embed", "dashscope", "multimodal-embedding-v1"]["runs_here"]
    assert {stage for stage, *_ in listed} == {"caption", "embed", "rerank"}


def test_what_is_listed_can_be_configured() -> None:
    """What one hosts oneself is a folder first."""
    for stage, model in list_models().models:
        if model.provider not in {"dashscope", "local"}:
            continue
        if stage == "embed":
            described = describe_embedder(EmbedConfig(provider=model.provider, model=model.model))
            assert described.dim == model.dim
        elif stage == "caption":
            assert describe_captioner(CaptionConfig(provider=model.provider, model=model.model)) == model


def test_the_table_names_them() -> None:
    console = Console(file=io.StringIO(), width=140)
    console.print(list_models().summary())
    text = console.file.getvalue()
    assert "google/siglip2-base-patch16-224" in text
    assert "1,136 M" in text
