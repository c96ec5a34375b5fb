"""The peer ``oneshot_published`` with all its iterations (its default)."""

import runpy
import sys
from pathlib import Path

peer = Path(__file__).resolve().parents[1] / "oneshot_published"
sys.path.insert(0, str(peer))
runpy.run_path(str(peer / "run.py"), run_name="__main__")
