"""The .ts reader and aeon's give the same numbers, lengths and targets for every .ts file that aeon ships.

`tox -e aeon,ts` runs aeon in an environment of its own, which writes its arrays to a file; AEON_ARRAYS names that.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from harness.data.ts import parse_ts

ARRAYS = os.environ.get("AEON_ARRAYS")


@pytest.mark.skipif(not ARRAYS, reason="AEON_ARRAYS names no file; tox -e aeon,ts compares")
def test_every_file_of_aeon_reads_as_aeon_reads_it() -> None:
    assert ARRAYS
    with np.load(ARRAYS, allow_pickle=False) as arrays:
        names = sorted({name.rpartition(" ")[0] for name in arrays})
        assert len(names) >= 20
        for name in names:
            text, rows, lengths, targets = (arrays[f"{name} {part}"] for part in ("text", "rows", "lengths", "targets"))
            number = targets.dtype.kind == "f"
            own = parse_ts(str(text).splitlines(), name, number)
            np.testing.assert_array_equal(own.rows, rows, err_msg=name)
            np.testing.assert_array_equal(own.lengths, lengths, err_msg=name)
            # aeon reads a class in lower case
            np.testing.assert_array_equal(own.targets if number else np.char.lower(own.targets), targets, err_msg=name)
