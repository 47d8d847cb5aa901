"""An LSTM's gates as switches: which gates a switch sets, and what that does to the state.

Source: the lecture's part on gating (docs/lecture/gates.md).
"""

from __future__ import annotations

from collections.abc import Mapping

# Which gates a switch sets, to 1 (open) or 0 (closed).
SWITCHES: Mapping[str, Mapping[str, bool]] = {
    "none": {},
    "silence": {"o": False},
    "show": {"o": True},
    "keep": {"i": False, "f": True},
    "reset": {"i": False, "f": False},
    "write": {"i": True, "f": False},
}
