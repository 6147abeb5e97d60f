"""The graph of a crack network: skeleton, pixels, links, nodes.

`tracing` finds links and junctions in a skeleton, `pruning` takes off what thinning made up, `junctions`
tells T, Y and X apart, and `graph` is the way in.
"""

from craqbench.graphs.graph import CrackGraph, crack_graph
from craqbench.graphs.policy import PUBLISHED_POLICY, GraphPolicy

__all__ = ["PUBLISHED_POLICY", "CrackGraph", "GraphPolicy", "crack_graph"]
