"""The contract of a cell. A cell *is* its settings, with the paper's equations as one `step` and its initial weights.

A new cell is a subclass in a file of its own: it names its gates, states and recurrent weights, and gives the
equations as `activations` and `combine`. Whatever it does differently before training it says in `start`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from harness.cells.initialisation import Weights, scaled_blocks, uniform
from harness.rng import generator
from harness.study.section import Section, setting, wrong

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

State = tuple["Tensor", ...]  # (h,) or (h, c), each (R, B, H)
EPSILON = 1e-5  # added to a variance, as in torch.nn.LayerNorm
Draw = Callable[[str], "np.random.Generator"]  # a parameter's name → its own stream


class Cell(Section):
    """Base of all cells; `cell` is the key by which a study chooses one.

    Parameters are stacked over the R replicas of a pack, gate blocks below one another as in torch.nn:
    W (R, G·H, H) recurrent, U (R, G·H, D) input, b_x and b_h (R, G·H) the two biases. A cell with others says so in
    `shapes`.

    Attributes:
        gates: names of the G blocks, in torch's order.
        states: names of the parts of the state, the one that is read out first.
        recurrent_weights: names of the parameters that carry one state to the next.
        radius_inits: the values of `init` that have a spectral radius.
        recurs: whether a state depends on the one before it.
        carries_h: whether h acts on the next step; where it is only read, c is what carries.
        normalises: whether the equations take W h from `recurrent`, which normalises it where that is asked for.
        keeps: whether a unit may keep its value from step to step (zoneout); not where the state holds earlier steps.
        diagonal: whether no unit acts on another from step to step: ∂s_t/∂s_{t−1} has no entries between `partners`.
        crossing: through what a row of the parameters acts within a step on other units than its own: the product with
            a state that the step has changed, a number that all units share; "" where none does.
        given: blocks of H numbers at the end of z that come from beside the input; recurrence/given.py has some.
    """

    gates: ClassVar[tuple[str, ...]]
    states: ClassVar[tuple[str, ...]] = ("h",)
    recurrent_weights: ClassVar[tuple[str, ...]] = ("W",)
    radius_inits: ClassVar[tuple[str, ...]] = ("gaussian", "orthogonal", "identity")
    recurs: ClassVar[bool] = True
    carries_h: ClassVar[bool] = True
    normalises: ClassVar[bool] = False
    keeps: ClassVar[bool] = True
    diagonal: ClassVar[bool] = False
    crossing: ClassVar[str] = ""
    rewritten = frozenset({"layer_sizes"})
    given: ClassVar[int] = 0

    cell: str = setting(..., "which cell", order=("rnn", "lstm", "gru"))
    hidden_size: int = setting(
        50,
        "H, the number of hidden units; of layers of several widths, the last one's",
        label="hidden units H",
        short="H",
        sequential=True,
        ge=1,
    )
    match: Literal["parameters", "recurrent_parameters"] | None = setting(
        None,
        "read hidden_size as that of a simple RNN, and take the width whose number of parameters (or of recurrent "
        "weights) is nearest to that RNN's",
    )
    init: Literal["torch", "gaussian", "orthogonal", "identity"] = setting(
        "torch",
        "recurrent weights before training: torch's default, or a block per gate of that kind and radius",
        replica=True,
    )
    spectral_radius: float | None = setting(
        None,
        "ρ of each gate block of W before training; null with init: torch, else 1",
        replica=True,
        label="spectral radius ρ",
        short="ρ",
        sequential=True,
        ge=0,
        allow_inf_nan=False,
    )
    biases: Literal[1, 2] = setting(2, "bias vectors: torch's two (input and recurrent), or the input's alone")
    layers: int = setting(
        1, "L, recurrent layers on top of one another", label="layers L", short="L", sequential=True, ge=1, le=64
    )
    layer_sizes: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False, min_length=1)] | None = setting(
        None, "widths of the layers from the input up, in place of hidden_size and layers", takes_list=True
    )
    bidirectional: bool = setting(
        False, "each layer has a second recurrence, from the last step to the first; the next layer reads both"
    )
    residual: Literal["none", "add"] = setting(
        "none",
        "add: what goes into a layer is added to what it passes on, from the second layer on",
        column="residual_connection",
        short="residual",
    )
    dropout: float = setting(
        0.0, "probability that an entry of what goes from layer to layer is dropped in training", ge=0, lt=1
    )
    zoneout: float = setting(
        0.0,
        "probability that a unit of h, and of c, keeps its previous value in a training step; where the network is "
        "judged, the expected value is taken",
        ge=0,
        lt=1,
    )
    h_detach: float = setting(
        0.0,
        "of a cell with a memory c: probability that no gradient of a training step passes through h_{t−1} into the "
        "gates; that through c does",
        label="probability of h-detach",
        ge=0,
        le=1,
    )
    normalisation: Literal["none", "layer", "rms"] = setting(
        "none", "layer (Ba et al. 2016) or rms (Zhang & Sennrich 2019) normalisation over units, with gains"
    )
    normalised: Literal["recurrence", "between"] = setting(
        "recurrence", "what normalisation acts on: W h of each gate, or what goes from layer to layer"
    )

    @model_validator(mode="before")
    @classmethod
    def _layers(cls, data: object, info: object) -> object:
        """Of several ways to write one network, one: equal widths are a width and a number of layers, and what lies
        between layers is nothing where there is one. A value that is wrong in itself stays, to be reported.
        """
        if not isinstance(data, dict):
            return data
        values = cls._widths(data, (getattr(info, "context", None) or {}).get("swept", ()))
        own = ("dropout", "residual", "normalisation", "normalised")
        proper = {key for key in own if key in values and cls._proper(key, values[key])}
        if values.get("layers", 1) == 1:  # nothing lies between layers
            values = {**values, **{key: cls.model_fields[key].default for key in proper & {"dropout", "residual"}}}
            if values.get("normalised") == "between" and "normalisation" in proper:
                values["normalisation"] = "none"
        if values.get("normalisation", "none") == "none":
            dropped = proper & {"normalisation", "normalised"}
            values = {key: value for key, value in values.items() if key not in dropped}
        return values

    @classmethod
    def _widths(cls, data: dict[str, Any], swept: Collection[str]) -> dict[str, Any]:
        """The number of layers from their widths, and hidden_size as the last layer's."""
        sizes, given = data.get("layer_sizes"), data.get("layers")
        if not isinstance(sizes, list | tuple):
            return data
        if not sizes:
            raise wrong("layer_sizes", "is empty; give each layer's width, such as [64, 32]")
        if isinstance(given, int) and given != len(sizes):
            raise wrong("layer_sizes", f"has {len(sizes)} widths, and layers is {given}; leave layers out")
        data = {**data, "layers": len(sizes)}
        if any(type(size) is not int or size < 1 for size in sizes):
            return data
        if "hidden_size" in swept:
            raise wrong("hidden_size", "layer_sizes stands in its place, so it cannot be swept there")
        return {**data, "hidden_size": sizes[-1], **({"layer_sizes": None} if len(set(sizes)) == 1 else {})}

    @classmethod
    def _proper(cls, key: str, value: object) -> bool:
        """Whether a value of what lies between layers is one of those that it may have."""
        words = get_args(cls.model_fields[key].annotation)
        if words:
            return isinstance(value, str) and value in words
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1

    @model_validator(mode="before")
    @classmethod
    def _radius(cls, data: object, info: object) -> object:
        """Torch's default has no spectral radius to set, nor has a paper's; the other initialisations have 1."""
        if not isinstance(data, dict):
            return data
        field = cls.model_fields["init"]
        known = get_args(field.annotation)
        if not cls.recurrent_weights and "torch" in known:  # nothing to set
            return {**data, "init": "torch", "spectral_radius": None}
        init = data.get("init", field.default)
        if init in cls.radius_inits and init in known:
            return data if data.get("spectral_radius") is not None else {**data, "spectral_radius": 1.0}
        swept = (getattr(info, "context", None) or {}).get("swept", ())
        if "spectral_radius" in swept and data.get("spectral_radius") is not None:
            hint = cls.use_of("spectral_radius")
            message = f"has no meaning with init: {init}, so it cannot be swept there"
            raise wrong("spectral_radius", f"{message}; {hint}" if hint else message)
        return {**data, "spectral_radius": None}

    @classmethod
    def use_of(cls, key: str) -> str:
        known = get_args(cls.model_fields["init"].annotation)
        if key in ("dropout", "residual", "normalised"):
            return "it acts between layers: set model.layers"
        radius = key == "spectral_radius" and cls.recurrent_weights and "gaussian" in known
        return "set model.init: gaussian" if radius else ""

    def alone(self, H: int) -> Self:
        """The cell of one layer of H units, without what a network of layers has besides."""
        single = {"layers": 1, "layer_sizes": None, "bidirectional": False, "residual": "none", "dropout": 0.0}
        if self.normalised == "between":
            single |= {"normalisation": "none", "normalised": "recurrence"}
        changed = {key: value for key, value in (single | {"hidden_size": H}).items() if getattr(self, key) != value}
        return self.model_copy(update=changed) if changed else self

    def gains(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the gains of a normalised recurrence; see `recurrent`."""
        G, kind = len(self.gates), self.normalisation
        return {} if kind == "none" or self.normalised == "between" else {f"g_{kind}": (G * self.hidden_size,)}

    def shapes(self, H: int, D: int) -> dict[str, tuple[int, ...]]:
        """Shapes of one replica's trained parameters, at width H and on rows of D numbers."""
        G = len(self.gates)
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(self.recurrent_weights, (G * H, H))
        shapes |= {"U": (G * H, D), "b_x": (G * H,)}
        return shapes | ({"b_h": (G * H,)} if self.biases == 2 else {})

    @property
    def widths(self) -> tuple[int, ...]:
        """How many numbers each part of the state has."""
        return (self.hidden_size,) * len(self.states)

    @property
    def width_multiple(self) -> int:
        """What the hidden size is a multiple of: heads, of attention."""
        return 1

    @property
    def local(self) -> bool:
        """Whether a unit's own parameters reach no other unit, within a step or later: RTRL then needs no more."""
        return self.diagonal and not self.crossing

    @property
    def cell_state(self) -> tuple[str, ...]:
        """The parts of the state whose adjoint, of all of them together, is recorded as that of the cell state."""
        return tuple(name for name in self.states if name == "c")

    @property
    def partners(self) -> tuple[int, ...]:
        """Of each unit the other half of its complex number; itself, where numbers are real."""
        return tuple(range(self.hidden_size))

    @property
    def activation(self) -> str:
        """φ of what becomes the new state: "tanh" unless the cell has a choice."""
        return "tanh"

    @property
    def draws_readout(self) -> bool:
        """Whether `start` draws the readout's V and b_y as well, which a decoder has no use for."""
        return False

    def start(self, seed: int, *, input_size: int, output_size: int, length: int) -> Weights:
        """The parameters of one replica before training.

        All are uniform on (−1/√H, 1/√H), torch's default for its recurrent modules; with an `init` that has a spectral
        radius each gate block of the recurrent weights is drawn anew and scaled to it. Each parameter has a stream of
        its own, so that one seed gives the same input weights and biases whatever is done to W.

        Args:
            seed: of the run.
            input_size: D.
            output_size: C, for cells whose start draws the readout too (`draws_readout`).
            length: T, the longest dependency, for chrono initialisation.

        Returns:
            float64 arrays of the shapes in `shapes`; with `draws_readout` V (C, H) and b_y (C,) beside them.
        """
        return self._torch_start(seed, input_size) | self._scaled_blocks(seed)

    def _torch_start(self, seed: int, input_size: int) -> Weights:
        return uniform(seed, self.shapes(self.hidden_size, input_size), self.hidden_size)

    def _scaled_blocks(self, seed: int) -> Weights:
        H, shapes = self.hidden_size, self.shapes(self.hidden_size, 1)
        blocks = {name: shapes[name][0] // H for name in self.recurrent_weights}
        return scaled_blocks(seed, blocks, self.init, self.spectral_radius, H=H)

    def parametrize(self, parameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The parameters that the equations use, from those that are trained: an orthogonal W from its generator.

        `scan` asks once a sequence, so that no step computes them anew; asked twice, it returns what it was given.
        """
        return parameters

    def recurrent_matrices(self, parameters: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """The matrices whose ρ and σ₁ are recorded, each (R, k·H, H) for some k; none where there is none."""
        return tuple(parameters[name] for name in self.recurrent_weights)

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        """What a step computes before it changes the state: gates and candidates by name, each (R, B, H).

        Args:
            parameters: W (R, G·H, H) and, with `biases: 2`, b_h (R, G·H); others are left alone.
            state: the state at t−1: h (R, B, H), for some cells c too.
            z: U x_t + b_x, (R, B, G·H).
        """
        raise NotImplementedError

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        """The state at t from that at t−1 and the step's activations."""
        raise NotImplementedError

    def step(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> State:
        """One time step: state at t−1 and the input's share of the pre-activations → state at t.

        With zoneout it is the expected one, p s_{t−1} + (1 − p) s_t, in which the network is judged and probed; in
        training which units keep their values is drawn (recurrence/given.py).
        """
        return self.expected(state, self.combine(state, self.activations(parameters, state, z)))

    def expected(self, state: State, new: State) -> State:
        """The mean over which units zoneout keeps, of a step from `state` to `new`."""
        p = self.zoneout
        return tuple(p * old + (1 - p) * part for old, part in zip(state, new, strict=True)) if p else new


class PaperCell(Cell):
    """A cell that starts as its paper says (`init: paper`), with the one bias vector that papers have."""

    biases: Literal[1] = setting(1, "bias vectors: the input's alone, as in the paper")
    init: Literal["paper", "torch", "gaussian", "orthogonal", "identity"] = setting(  # type: ignore[assignment]
        "paper",
        "paper: as the cell's paper says; or recurrent weights as torch's default, or a block per gate of that kind "
        "and radius",
        replica=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _known_start(cls, data: object) -> object:
        """A start that has no meaning for this cell is an error that names those that have one."""
        known = get_args(cls.model_fields["init"].annotation)
        if isinstance(data, dict) and data.get("init", "paper") not in known:
            raise wrong("init", f"'{data.get('cell')}' starts as its paper says; set model.init: {' or '.join(known)}")
        return data

    def start(self, seed: int, *, input_size: int, output_size: int, length: int) -> Weights:
        """Torch's default, in its place with `init: paper` whatever the paper draws, then blocks of a given radius."""
        weights = self._torch_start(seed, input_size)
        if self.init == "paper":
            weights |= self.paper(
                lambda name: generator(seed, f"initialise {name} paper"), input_size=input_size, length=length
            )
        return weights | self._scaled_blocks(seed)

    def paper(self, draw: Draw, *, input_size: int, length: int) -> Weights:
        """Parameters of one replica as the paper draws them; those left out keep torch's default.

        Args:
            draw: a stream for each parameter, by its name.
            input_size: D.
            length: T, the longest dependency.
        """
        raise NotImplementedError


def recurrent(parameters: Mapping[str, Tensor], h: Tensor) -> Tensor:
    """W h + b_h over the pack, (R, B, H) → (R, B, G·H); with a gain γ ⊙ N(W h) + b_h, N over the units of each gate.

    The gain's name says which normalisation N is: g_layer (R, G·H), (a − mean)/√(variance + ε), or g_rms,
    a/√(mean of squares + ε).
    """
    a = h @ parameters["W"].mT
    for kind in ("layer", "rms"):
        if f"g_{kind}" in parameters:
            a = _normalised(kind, a, h.shape[-1]) * parameters[f"g_{kind}"].unsqueeze(1)
    return a + parameters["b_h"].unsqueeze(1) if "b_h" in parameters else a


def _normalised(kind: str, a: Tensor, H: int) -> Tensor:
    import torch  # a plan needs no torch

    blocks = []
    for block in a.split(H, dim=-1):  # type: ignore[no-untyped-call]
        if kind == "layer":
            block = block - block.mean(-1, keepdim=True)
        blocks.append(block * torch.rsqrt(block.square().mean(-1, keepdim=True) + EPSILON))
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks, dim=-1)


def sigmoid(x: Tensor) -> Tensor:
    """1/(1 + e⁻ˣ), in a form whose bits do not depend on the place in an array, as those of torch.sigmoid do."""
    return 0.5 * (0.5 * x).tanh() + 0.5


def log_sigmoid(a: Tensor) -> Tensor:
    """ln σ(a) = (a − |a|)/2 − ln(1 + e^−|a|), whose bits do not depend on the place in an array."""
    size = a.abs()
    return (a - size) / 2 - (-size).exp().log1p()
