"""What is recorded of one state of one call: the norm of its gradient at every step."""

from __future__ import annotations

from dataclasses import dataclass

from harness.schema import Array


@dataclass(frozen=True)
class Levels:
    """log₁₀ mean_b ‖B·∂L/∂s_t‖₂ of a state s; arrays are (T,), entry t−1 is step t.

    Attributes:
        module: the module's name in the watched model; "" for the model itself, and for a state named by hand.
        call: which call of the module, from 1.
        update: parameter updates made before.
        layer: ℓ, from the input up, from 1.
        direction: forward; or backward: in the order of its own steps.
        state: h, c, or the name given by hand.
        adjoint: of the total gradient; −∞ is an exact zero.
        immediate: of the part that does not come through the next step of the same recurrence; NaN where unknown.
    """

    module: str
    call: int
    update: int
    layer: int
    direction: str
    state: str
    adjoint: Array
    immediate: Array
