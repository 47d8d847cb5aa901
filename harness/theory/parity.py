"""Parity: how often a function that is monotone in each bit can agree with it; linear recurrences cannot do better."""

from __future__ import annotations

from math import comb


def affine_accuracy(T: int) -> float:
    """The largest accuracy on the parity of T random bits of a classifier whose margin is affine in the bits.

        ½ + C(T−1, ⌊(T−1)/2⌋)/2ᵀ ≈ ½ + 1/√(2πT)

    reached by a threshold on their number. A recurrence x_t = A x_{t−1} + B u_t with a linear readout has such a margin
    at every step, whatever the eigenvalues of A.

    Proof. Changing the sign of a bit's weight and complementing the bit turns parity into itself or its opposite, so
    let the classifier f = ±1 be increasing in each bit. Draw an order of the bits at random and set them to one in
    that order: f changes sign at most once on the way, say after j ones. The corner with k ones is random among those,
    so E[f · (−1)^Σ] = E[Σ_k C(T, k)/2ᵀ (−1)^k f], and |Σ_{k≤j} (−1)^k C(T, k)| = C(T−1, j). So |E[f · (−1)^Σ]| is at
    most 2 C(T−1, ⌊(T−1)/2⌋)/2ᵀ.

    Args:
        T: bits, at least one.

    Raises:
        ValueError: T is less than one.
    """
    if T < 1:
        raise ValueError(f"parity is that of one bit or more, got {T}")
    return 0.5 + float(comb(T - 1, (T - 1) // 2) / 2**T)


def mean_affine_accuracies(T: int) -> list[float]:
    """The means of `affine_accuracy` over the first 1 … t bits, for t = 1 … T: bounds where every step is scored.

    C(t−1, ⌊(t−1)/2⌋)/2ᵗ is that of t − 1 bits at an odd t, and (t−1)/t times it at an even one.
    """
    excess, total, means = 0.5, 0.0, []
    for t in range(1, T + 1):
        excess *= 1 if t % 2 else (t - 1) / t
        total += 0.5 + excess
        means.append(total / t)
    return means
