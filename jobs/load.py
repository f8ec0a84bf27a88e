"""Lake → Milvus: load, index, proof, alias. For `ray job submit`.

ray job submit --working-dir . -- python jobs/load.py --config conf/local.yaml

The same options and exit codes as `tuku load`.
"""

from __future__ import annotations

import sys

from tuku.cli import main

if __name__ == "__main__":
    main(["load", *sys.argv[1:]])
