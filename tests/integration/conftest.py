"""What the end-to-end tests share: the command line with a lake and a Milvus file of its own, and a small catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import Tuku
from tuku.demo import build_catalogue


@pytest.fixture
def tuku(tmp_path: Path) -> Tuku:
    return Tuku(tmp_path)


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's catalogue: real photographs, listed in a CSV."""
    return build_catalogue(tmp_path_factory.mktemp("catalogue"))


@pytest.fixture(scope="session")
def photographs(catalogue: Path) -> list[Path]:
    """Six of its pictures."""
    found = sorted(path for path in catalogue.parent.rglob("*") if path.suffix in {".jpg", ".png"})
    return found[:6]
