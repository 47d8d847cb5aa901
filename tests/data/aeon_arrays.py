"""Reads every .ts file of an installed aeon with aeon's own reader, and writes it as arrays: aeon_arrays.py OUT.npz.

Run by the tox environment `aeon`, where aeon is alone: it needs older numba and pandas than the harness.
"""

import sys
from pathlib import Path

import aeon
import numpy as np
from aeon.datasets import load_from_ts_file

if __name__ == "__main__":
    folder = Path(aeon.__file__).parent / "datasets" / "data"
    arrays = {}
    for path in sorted(folder.rglob("*.ts")):
        sequences, targets = load_from_ts_file(str(path))
        name = path.relative_to(folder).as_posix()
        arrays[f"{name} text"] = np.array(path.read_text(encoding="utf-8"))
        arrays[f"{name} rows"] = np.concatenate([np.asarray(each).T for each in sequences])
        arrays[f"{name} lengths"] = np.array([each.shape[1] for each in sequences])
        arrays[f"{name} targets"] = np.asarray(targets)
    np.savez_compressed(sys.argv[1], **arrays)
    print(f"{len(arrays) // 4} files of aeon {aeon.__version__}")
