"""`python -m craqbench`."""

import sys

from craqbench.cli import main

if __name__ == "__main__":
    sys.exit(main())
