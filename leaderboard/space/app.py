# ruff: noqa: INP001 - a Space is no package
"""The leaderboard on a Space; what is submitted and published lies where CRAQBENCH_STORE says."""

import os

from leaderboard.app import serve

if __name__ == "__main__":
    serve(os.environ["CRAQBENCH_STORE"], host="0.0.0.0", port=7860, seconds=30.0)  # noqa: S104  a Space's own wall
