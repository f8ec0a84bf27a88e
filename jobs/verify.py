"""The proof of what readers see; writes nothing. For `ray job submit`.

ray job submit --working-dir . -- python jobs/verify.py --config conf/local.yaml

The same options and exit codes as `tuku verify`.
"""

from __future__ import annotations

import sys

from tuku.cli import main

if __name__ == "__main__":
    main(["verify", *sys.argv[1:]])
