"""What is measured: functions that the loop calls and that return values; one file a quantity.

A *probe* is asked for by `record.probes` and measured at the recorded updates:

    probe(model, parameters, batch, state) → for each replica its rows of the table of profiles

A new one is one file and one line here; "module:function", so that a plan needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping

PROBES: Mapping[str, str] = {}
