"""What is measured of a network: functions that the loop calls and that return values; one file a quantity.

A *probe* is named in `record.probes` and measured at the recorded updates; `harness.probes.contract.Probe` says what it
is called with and what it returns. A new one is one file and one line here ("module:function", so that a plan needs no
torch), or an entry point of an installed package in the group "harness.probes".

jacobians lyapunov parameters paths                  the probes
saturation truncation units
contract profiles                                    what a probe is, and the call of those that a study names
trajectory products benettin                         what probes are made of: states, Jacobians, their products, QR
adjoints                                             rows of the table of gradients, from what the recorder holds
artifacts date_codes switches                        what is measured once, of the network at the end of a run
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.study.plugins import Group, load_object

if TYPE_CHECKING:
    from harness.probes.contract import Probe, UpdateProbe

# What a plan takes a probe to cost is in experiments/training/planning.py.
PROBES: Mapping[str, str] = {
    "jacobian_singular_values": "harness.probes.jacobians:jacobian_singular_values",
    "lyapunov_spectrum": "harness.probes.lyapunov:lyapunov_spectrum",
    "local_ratio": "harness.probes.paths:local_ratio",
    "parameter_gradients": "harness.probes.parameters:parameter_gradients",
    "path_decay": "harness.probes.paths:path_decay",
    "saturation": "harness.probes.saturation:saturation",
    "truncation_bias": "harness.probes.truncation:truncation_bias",
    "unit_gradients": "harness.probes.units:unit_gradients",
}
PLUGINS: Group[Any] = Group("harness.probes", "record.probes", Callable, PROBES)  # type: ignore[arg-type]


@cache
def probe_named(name: str) -> Probe | UpdateProbe:
    """A probe by its name, built in or brought by an installed package.

    Raises:
        HarnessError: there is none of that name, or it cannot be loaded.
    """
    probe = PLUGINS.named(name)
    loaded: Probe | UpdateProbe = load_object(probe) if isinstance(probe, str) else probe
    return loaded
