"""``python -m craqbench.cli`` is the command ``craqbench``."""

import sys

from craqbench.cli import main

if __name__ == "__main__":
    sys.exit(main())
