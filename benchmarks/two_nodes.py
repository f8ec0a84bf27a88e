"""Runs a command on a Ray cluster of two nodes on this machine, three workers together, and ends the cluster.

python benchmarks/two_nodes.py COMMAND [ARGUMENT ...]
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from ray_head import RAY, ray_head

BENCH = Path(".bench")


def main() -> int:
    """The command's exit status."""
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    with ray_head(BENCH / "head.log", env=environment) as head, (BENCH / "node.log").open("w") as log:
        second = subprocess.Popen(
            [RAY, "start", "--block", f"--address={head.address}", "--num-cpus=1", "--node-ip-address=127.0.0.1"],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            time.sleep(10)  # until it has joined
            command = [*sys.argv[1:], f"--set=runtime.address={head.address}"]
            return subprocess.run(command, check=False, env=environment).returncode
        finally:
            os.killpg(second.pid, signal.SIGTERM)
            second.wait()


if __name__ == "__main__":
    sys.exit(main())
