"""Ways to the gradient: ∂L/∂θ of a recurrence without a way back through time.

Backpropagation stores all T states and goes back through them. These go forward, and are ready at every step:

objective    what is differentiated: a cell along a batch, and what each step adds to the loss
transition   one step of a cell as a function of state and parameters, and its derivatives
influence    real-time recurrent learning: ∂s_t/∂θ, all of it
local        the part of it within a unit (SnAp-1); where units do not act on each other, all of it too
rank_one     UORO: ∂s_t/∂θ as one random outer product, right on average
evolution    PES: finite differences along perturbations that persist from one stretch of steps to the next
online       the loop over the steps that all of them share
methods      their names in a study, and what each of them takes

A new way is one file with an `Estimator`, and one line in `methods`.
"""
