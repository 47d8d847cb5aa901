"""How figures name the recorded adjoints: the table's column, and ∂L/∂h_t or ∂L/∂c_t in a caption and on an axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

GradientPath = Literal["hidden", "cell"]

COLUMN: Mapping[str, str] = {"hidden": "log10_adjoint", "cell": "log10_adjoint_cell"}
SYMBOL: Mapping[str, str] = {"hidden": "∂L/∂h_t", "cell": "∂L/∂c_t"}
NORM: Mapping[str, str] = {  # on an axis, as mathtext
    "hidden": r"$\|\partial L/\partial h_t\|$",
    "cell": r"$\|\partial L/\partial c_t\|$",
}
