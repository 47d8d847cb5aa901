"""Real-time recurrent learning: the influence of every parameter on the state, carried forward.

    P_t = ∂s_t/∂s_{t−1} P_{t−1} + ∂⁺s_t/∂θ,    ∂L/∂θ = Σ_t ∂L_t/∂h_t P_t

It is the gradient that backpropagation finds, ready at every step, in memory that does not grow with T. P is N × |θ|
for each sequence: N² |θ| multiplications a step.

Williams & Zipser 1989, "A learning algorithm for continually running fully recurrent neural networks".
"""

from __future__ import annotations

from torch import Tensor

from harness.gradients.transition import Transition, Values


class Influence:
    """P of one network along B sequences.

    Attributes:
        parts: P by parameter, (B, N, |p|).
    """

    def __init__(self, transition: Transition, B: int) -> None:
        self.transition = transition
        N = sum(transition.cell.widths)
        self.parts: Values = {name: p.new_zeros(B, N, p.numel()) for name, p in transition.parameters.items()}

    def step(self, s: Tensor, x: Tensor, counts: bool) -> Tensor:
        """Take P over one step from s_{t−1} (B, N) on x_t (B, D); returns s_t.

        Args:
            counts: whether the parameters of this step are those that the derivative is for.
        """
        J, immediate = self.transition.jacobians(s, x)
        for name, P in self.parts.items():
            P = J @ P
            self.parts[name] = P + immediate[name].flatten(2) if counts else P
        return self.transition.step(s, x)

    def credit(self, gradient: Tensor) -> Values:
        """∂L_t/∂h_t P_t of each sequence by parameter, (B, …), of ∂L_t/∂h_t (B, H)."""
        H, own = gradient.shape[-1], self.transition.parameters
        return {name: (gradient.unsqueeze(1) @ P[:, :H]).view(-1, *own[name].shape) for name, P in self.parts.items()}
