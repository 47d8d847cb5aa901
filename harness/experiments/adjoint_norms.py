"""How the gradient of a tanh network without input goes back, as `scan` records it; torch is imported when called."""

from __future__ import annotations

from math import log

import numpy as np

from harness.cells.rnn import RNN
from harness.schema import Values


def log_adjoint_norms(W: Values, first: Values, v: Values, steps: int) -> Values:
    """ln ‖∂(v·h_T)/∂h_{T−k}‖ for k = 0 … T − 1 of h_t = tanh(W h_{t−1}), in nats.

    Args:
        W: (H, H).
        first: h_0, (H,); 0 keeps the network at rest, where it is linear and every Jacobian is W.
        v: (H,).
        steps: T ≥ 1.
    """
    import torch

    from harness.recurrence.adjoints import AdjointRecorder
    from harness.recurrence.scan import scan

    H = len(v)
    cell, recorder = RNN(cell="rnn", hidden_size=H, biases=1), AdjointRecorder()
    zeros = torch.zeros(1, H, 1, dtype=torch.float64)
    parameters = {"W": torch.as_tensor(W)[None].requires_grad_(), "U": zeros, "b_x": zeros[..., 0]}
    silence = torch.full((steps, 1, 1), -1)
    last, _ = scan(cell, parameters, silence, (torch.as_tensor(first)[None, None],), recorder=recorder)
    (last[0, 0] @ torch.as_tensor(v)).backward()  # type: ignore[no-untyped-call]
    assert recorder.log10_adjoint is not None
    return np.asarray(recorder.log10_adjoint[::-1, 0] * log(10), dtype=np.float64)
