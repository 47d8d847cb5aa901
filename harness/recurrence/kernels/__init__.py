"""Compiled recurrent cells: whole sequences forward and backward for a pack of replicas, on one thread.

    states, saved = KERNELS["lstm"].forward(x, (h_0, c_0), (W, U, b_x, b_h))
    gradients = KERNELS["lstm"].backward(saved, last=(dL_dh_T, None), window=20, record=True)

Arrays are numpy's; `interface.Kernel` documents both calls. Products run in scipy's OpenBLAS, which has threads of its
own: limit them to one.
"""

import numpy as np

from . import gru, lstm, rnn
from .interface import Gradients, Kernel, Saved

KERNELS: dict[str, Kernel] = {k.name: k for k in (rnn.KERNEL, lstm.KERNEL, gru.KERNEL)}

__all__ = ["KERNELS", "Gradients", "Kernel", "Saved", "warm_up"]


def warm_up(name: str, dtype: type[np.floating] = np.float32) -> None:
    """Compile the cell's kernels for `dtype`, or load them from the cache: before workers start, so that none compiles.

    Raises KeyError if there is no such kernel.
    """
    kernel = KERNELS[name]
    state = tuple(np.zeros((1, 1, 1), dtype) for _ in range(kernel.states))
    W = np.zeros((1, kernel.gates, 1), dtype)
    b = np.zeros((1, kernel.gates), dtype)
    _, saved = kernel.forward(np.zeros((1, 1, 1), np.int64), state, (W, W.copy(), b, b))
    kernel.backward(saved, last=state, record=True)
