"""craqbench: crack data that never existed, and who can find real cracks with it."""

__version__ = "0.1.0"
