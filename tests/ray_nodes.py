"""Run by tests: a command on two Ray nodes of one core each, of which one may be killed on the way.

    python ray_nodes.py DIR SHARDS COMMAND...

Ends with the command's exit code. The second node is killed once SHARDS are in DIR (0: never).
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from ray.cluster_utils import Cluster


def main() -> int:
    """Start the nodes, run the command, kill a node."""
    folder, shards, command = Path(sys.argv[1]) / "data", int(sys.argv[2]), sys.argv[3:]
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    command = [*command, "--engine-option", f"address={cluster.address}"]
    with subprocess.Popen(command) as process:
        while shards and process.poll() is None:
            made, making = len(list(folder.glob("*.parquet"))), len(list(folder.glob(".*.part")))
            if made >= shards + (0 if making == 2 else 3):  # when both are seen at work, or soon anyway
                cluster.remove_node(second, allow_graceful=False)
                sys.stdout.write("killed a node\n")
                break
            time.sleep(0.02)
    cluster.shutdown()
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
