"""Gradients of a recurrent network of your own, at every time step: `harness.watch(model)` (docs/watch.md).

Hooks take down what goes into each recurrent module and the gradient of what comes out of it; the steps between, which
torch's kernels hide, are computed again by the harness's own recurrence.
"""
