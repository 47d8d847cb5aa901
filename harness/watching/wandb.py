"""A watch's newest record as scalars of a Weights & Biases run, which may be offline; needs the package wandb."""

from __future__ import annotations

from math import isfinite
from typing import Any

from harness.watching.watch import Watch


def log(watch: Watch, run: Any) -> int:
    """Log log₁₀ ‖∂L/∂s_t‖ of each state at the first and the last step, and its mean change over one step back in time.

    Their names are gradients/<module>/<layer>/<direction>/<state>/<first, last or slope>; a number that is not finite
    (an exact zero) is left out. Call it after `watch.step()`, or after a context; nothing is logged twice.

    Args:
        watch: what `harness.watch` has returned.
        run: what `wandb.init` has returned.

    Returns:
        how many updates were logged.
    """
    by_update: dict[int, dict[str, float]] = {}
    for each in watch.new_levels():
        place = f"gradients/{each.module or 'model'}/{each.layer}/{each.direction}/{each.state}"
        if each.call > 1:
            place = f"{place}/call {each.call}"
        first, last = float(each.adjoint[0]), float(each.adjoint[-1])
        slope = (first - last) / (len(each.adjoint) - 1) if len(each.adjoint) > 1 else float("nan")
        values = {"first": first, "last": last, "slope": slope}
        of_update = by_update.setdefault(each.update, {})
        of_update |= {f"{place}/{name}": value for name, value in values.items() if isfinite(value)}
    for update, scalars in by_update.items():
        run.log({"update": update, **scalars})
    return len(by_update)
