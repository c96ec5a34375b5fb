"""``python train.py ...`` is ``rlsyn train ...``."""

import sys

from agents.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
