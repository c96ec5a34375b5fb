"""Entry point of ``python -m benchmarks.field``."""

import sys

from benchmarks.field.cli import main

sys.exit(main())
