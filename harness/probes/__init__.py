"""What is measured: functions that the loop calls and that return values; one file a quantity.

A *probe* is asked for by `record.probes` and measured at the recorded updates:

    probe(model, parameters, batch, state) → for each replica its rows of the table of profiles

A new one is one file and one line here; "module:function", so that a plan needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping

PROBES: Mapping[str, str] = {
    "jacobian_singular_values": "harness.probes.jacobians:jacobian_singular_values",
    "lyapunov_spectrum": "harness.probes.lyapunov:lyapunov_spectrum",
    "local_ratio": "harness.probes.paths:local_ratio",
    "path_decay": "harness.probes.paths:path_decay",
    "saturation": "harness.probes.saturation:saturation",
    "truncation_bias": "harness.probes.truncation:truncation_bias",
}
