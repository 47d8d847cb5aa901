"""The .ts reader: what is written is read back, and what is not of the format is said with its line.

`test_ts_and_aeon` compares it with aeon's, in the tox environment `ts`.
"""

from __future__ import annotations

import numpy as np
import pytest

from harness.data.sequences import DataError
from harness.data.ts import parse_ts

HEADER = ("@problemName Some", "@timeStamps false", "@missing false", "@univariate false", "@dimensions 2",
          "@equalLength false", "@classLabel true a b", "@data")  # fmt: skip


def parsed(*lines: str, header: tuple[str, ...] = HEADER, number: bool = False):
    return parse_ts([*header, *lines], "some.ts", number)


@pytest.mark.parametrize("number", [False, True])
def test_what_is_written_is_read_back(number: bool) -> None:
    drawn = np.random.default_rng(0)
    sequences = [drawn.normal(size=(T, 3)) for T in (5, 1, 7)]
    targets = [0.5, -1e-3, 2.0] if number else ["a", "b", "a"]
    lines = [
        ":".join([*(",".join(map(repr, channel.tolist())) for channel in rows.T), str(y)])
        for rows, y in zip(sequences, targets, strict=True)
    ]
    tag = "@targetlabel true" if number else "@classLabel true a b"
    own = parsed(
        *lines, header=("# told by nobody", "%too", "@problemname x", "@dimensions 3", tag, "@DATA"), number=number
    )
    np.testing.assert_array_equal(own.rows, np.concatenate(sequences))
    np.testing.assert_array_equal(own.targets, targets)
    assert own.lengths.tolist() == [5, 1, 7]
    assert [own.place(s) for s in (0, 4, 5, 6)] == [f"some.ts: line {n}" for n in (7, 7, 8, 9)]


def test_time_stamps_are_left_out() -> None:
    header = ("@timeStamps true", "@univariate false", "@classLabel true 1 2", "@data")
    own = parsed("(2007-01-01 00:00:00,241.97),(2007-01-01 00:01:00,-1e3):(0,1),(1,2):2", header=header)
    np.testing.assert_array_equal(own.rows, [[241.97, 1], [-1000, 2]])
    assert own.targets.tolist() == ["2"]


BAD = {
    "missing": (("1,2:3,?:a",), HEADER, "some.ts: line 9, channel 2, step 2: is missing"),
    "no number": (("1,2:3,x:a",), HEADER, "some.ts: line 9, channel 2, step 2: 'x' is no finite number"),
    "unequal channels": (("1,2:3:a",), HEADER, "some.ts: line 9, channel 2: has 1 steps, the first channel 2"),
    "channels": (("1,2:a",), HEADER, "some.ts: line 9: has 1 channels, expected 2 as the header says"),
    "class": (("1:2:c",), HEADER, "some.ts: line 9: class 'c' is not of the header; there are (a, b)"),
    "no sequence": ((), HEADER, "some.ts: has no sequence after @data"),
    "no data": ((), HEADER[:-1], "some.ts: has no @data"),
    "no header": (("1:2:a",), (), "some.ts: line 1: expected a tag such as @problemName"),
    "a tag": ((), ("@problem x",), "some.ts: line 1: no tag '@problem'; did you mean 'problemname'?"),
    "a flag": ((), ("@univariate 1",), "some.ts: line 1: @univariate is true or false, not '1'"),
    "no classes": ((), ("@classLabel true",), "some.ts: line 1: @classLabel true is followed by the classes"),
    "a count": ((), ("@dimensions two",), "some.ts: line 1: @dimensions is a number of at least 1, not 'two'"),
    "equal lengths": (("1,2:a", "1:a"), ("@equalLength true", "@univariate true", "@data"),
                      "some.ts: line 5: has 1 steps, expected 2: the header has @equalLength true"),
    "the stated length": (("1,2:a",), ("@equalLength true", "@seriesLength 3", "@data"),
                          "some.ts: line 4: has 2 steps, expected 3"),
    "a number": (("1,2:5",), ("@targetlabel true", "@data"),
                 "has a number a sequence, not a class; set predict: number"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_not_of_the_format_is_said_with_its_place(case: str) -> None:
    lines, header, message = BAD[case]
    with pytest.raises(DataError) as raised:
        parsed(*lines, header=header)
    assert message in str(raised.value)
