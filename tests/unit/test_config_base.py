"""conf/base.yaml says what the models say, and explains every key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tuku.config import Config
from tuku.config_load import load_config

CONF = Path(__file__).parents[2] / "conf"


def flattened(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and value:
            flat |= flattened(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def test_base_yaml_has_every_key_with_its_default_and_no_other() -> None:
    written = yaml.safe_load((CONF / "base.yaml").read_text(encoding="utf-8"))
    assert flattened(written) == flattened(Config().model_dump(mode="json"))


def test_every_key_of_base_yaml_has_a_comment() -> None:
    lines = (CONF / "base.yaml").read_text(encoding="utf-8").splitlines()
    silent = [line for line in lines if re.match(r"\s*\w+: \S", line) and not re.search(r"  ?# \w", line)]
    assert silent == []


@pytest.mark.parametrize("profile", sorted(CONF.glob("*.yaml")), ids=lambda path: path.name)
def test_every_profile_can_be_loaded(profile: Path) -> None:
    assert isinstance(load_config(profile, [], {}), Config)
