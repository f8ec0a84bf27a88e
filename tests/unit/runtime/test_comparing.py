"""Two collections beside each other."""

from __future__ import annotations

import pytest

from tuku.config import Config
from tuku.errors import ConfigError
from tuku.runtime.comparing import open_searchers


def test_a_collection_is_not_compared_with_itself():
    config = Config()
    with pytest.raises(ConfigError, match="with itself"), open_searchers(config, config.milvus.collection):
        pass
