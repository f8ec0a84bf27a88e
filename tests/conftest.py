"""For all tests."""

from __future__ import annotations

import os

# pytest-xdist's workers are told how wide a terminal is; tests decide that themselves.
os.environ.pop("COLUMNS", None)
