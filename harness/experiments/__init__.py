"""What is done with the settings: one file an experiment, one name in this table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.experiments import (
    cliff,
    curse_of_memory,
    decay_by_length,
    depth_time,
    gate_surgery,
    gated_memory,
    gated_network,
    gradient_flossing,
    gradient_methods,
    influence_balancing,
    jacobian_bound,
    learnable_lag,
    linear_decay,
    parallel_newton,
    random_network,
    sparse_forcing,
    training,
    watched,
)
from harness.study.spec import Experiment

EXPERIMENTS: Mapping[str, Experiment[Any]] = {
    experiment.name: experiment
    for experiment in (
        training.EXPERIMENT,
        gate_surgery.EXPERIMENT,
        influence_balancing.EXPERIMENT,
        gradient_methods.EXPERIMENT,
        linear_decay.EXPERIMENT,
        jacobian_bound.EXPERIMENT,
        cliff.EXPERIMENT,
        random_network.EXPERIMENT,
        curse_of_memory.EXPERIMENT,
        depth_time.EXPERIMENT,
        decay_by_length.EXPERIMENT,
        parallel_newton.EXPERIMENT,
        gated_network.EXPERIMENT,
        gradient_flossing.EXPERIMENT,
        gated_memory.EXPERIMENT,
        sparse_forcing.EXPERIMENT,
        learnable_lag.EXPERIMENT,
        watched.EXPERIMENT,
    )
}
