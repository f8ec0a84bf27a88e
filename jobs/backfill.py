"""A large catalogue over many nights, for `ray job submit`.

ray job submit --working-dir . -- python jobs/backfill.py catalogue.parquet --max-minutes 360 --config conf/local.yaml

The same options as `tuku ingest`; rows are added, and nothing is deleted. A night that ends with its window exits with
5; the next one goes on where it ended, and what its report calls unchanged is what the nights before have done.
`--shard 2/30` takes one of thirty parts, whatever else is in the catalogue by then.
"""

from __future__ import annotations

import os
import sys

from tuku.cli import main

if __name__ == "__main__":
    os.environ.setdefault("TUKU__RUNTIME__ADDRESS", "auto")
    main(["ingest", *sys.argv[1:], "--set", "manifest.mode=append"])
