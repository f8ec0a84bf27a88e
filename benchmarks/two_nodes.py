"""Runs a command on a Ray cluster of two nodes on this machine, three workers together, and ends the cluster.

python benchmarks/two_nodes.py COMMAND [ARGUMENT ...]
"""

from __future__ import annotations

import os
import subprocess
import sys


def main() -> int:
    """The command's exit status."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "node_ip_address": "127.0.0.1"})
    cluster.add_node(num_cpus=1, node_ip_address="127.0.0.1")
    try:
        command = [*sys.argv[1:], f"--set=runtime.address={cluster.address}"]
        return subprocess.run(command, check=False, env={**os.environ, "RAY_AUTH_MODE": "disabled"}).returncode
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    sys.exit(main())
