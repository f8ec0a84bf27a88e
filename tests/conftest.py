"""For all tests."""

from __future__ import annotations

import os

# pytest-xdist's workers are told how wide a terminal is; tests decide that themselves.
os.environ.pop("COLUMNS", None)
# The tests of several processes share the processors: PyTorch's threads would wait for one another, and burn time.
os.environ.setdefault("OMP_NUM_THREADS", "1")
