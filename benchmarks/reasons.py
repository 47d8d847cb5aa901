"""Why a goal is missed, by the goal's key: written by hand, shown beside the miss and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

STEP = (
    "the kernel is half of an rnn's step and three quarters of an lstm's (its parts are below); sampling, Python "
    "around the call, the readout and the optimizer are the rest"
)
BACKWARD = (
    "the pointwise part of the way back takes as long as its product at H = 50 (104 GFLOP/s together, the gradients of "
    "weights 205); fetching ahead, higher tiles and other chunks changed less than 2 %"
)
SMALL = (
    "cells without a matrix product, or with a small one, have little arithmetic to divide a step's fixed costs by; "
    "that of `orthogonal` and `antisymmetric` is made anew each update by torch, uncounted"
)

REASONS: Mapping[str, str] = {
    "module lstm": f"oneDNN's fused LSTM is the strongest peer; {BACKWARD}",
    "module lstm widths": f"at H = 256 oneDNN's products run at the machine's rate too; {BACKWARD}",
    **{f"{peer} {cell}": STEP for peer in ("batched", "batched, silent") for cell in ("rnn", "lstm", "gru")},
    "jax rnn": STEP,
    "other loops": SMALL,
    "other engines": SMALL,
    "other flops": SMALL,
    **{f"best {cell}": STEP for cell in ("rnn", "lstm", "gru")},
    "best wide rnn": STEP,
    "two jobs": "the start and the report are not parallel throughout, and two jobs share a cache",
    "start": "imports are two seconds and the figures two, on two cores that both are in use",
    "linear lstm": "from T = 1,600 an LSTM of this size computes its forward pass twice, in checkpoint segments",
}
