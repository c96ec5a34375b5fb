"""``python evaluate.py ...`` is ``rlsyn evaluate ...``."""

import sys

from agents.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
