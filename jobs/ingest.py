"""The main job, for `ray job submit`.

ray job submit --working-dir . -- python jobs/ingest.py catalogue.csv --config conf/local.yaml

The same options as `tuku ingest`; it joins the cluster that it was submitted to.
"""

from __future__ import annotations

import os
import sys

from tuku.cli import main

if __name__ == "__main__":
    os.environ.setdefault("TUKU__RUNTIME__ADDRESS", "auto")
    main(["ingest", *sys.argv[1:]])
