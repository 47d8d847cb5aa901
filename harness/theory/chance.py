"""What a network without memory reaches: the levels that a loss must fall below before it says anything."""

from __future__ import annotations

import math


def adding_chance(*, halved: bool = False) -> float:
    """Mean squared error of always answering the mean in the adding problem.

    The target is the sum of two numbers from U(0, 1): variance 2/12. The older variant halves it: 2/12/4.

    Source: Le, Jaitly & Hinton 2015, section 4.1; halved: Hochreiter & Schmidhuber 1997, section 5.4, whose target is
    ½ + sum/4 of numbers from U(−1, 1).
    """
    return 1 / 24 if halved else 1 / 6


def copying_floor(delay: int, *, symbols: int = 8, copied: int = 10) -> float:
    """Cross-entropy in nats a step of the best memoryless answer to the copying problem.

        S ln C/(T + 2 S):  blank while blank is due, and one of C symbols at random for the last S steps

    Args:
        delay: T ≥ 0, steps between the last symbol read and the first to be said.
        symbols: C ≥ 1.
        copied: S ≥ 1, symbols to copy.

    Raises:
        ValueError: if one is out of range.

    Source: Arjovsky, Shah & Bengio 2016, "Unitary evolution recurrent neural networks", section 5.1.
    """
    if delay < 0 or symbols < 1 or copied < 1:
        raise ValueError(f"needs delay >= 0, symbols >= 1 and copied >= 1, got {delay}, {symbols} and {copied}")
    return copied * math.log(symbols) / (delay + 2 * copied)
