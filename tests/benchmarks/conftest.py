"""The benchmarks are not installed with the harness: they are found in the checkout, after everything else."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
