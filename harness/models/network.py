"""A torch.nn.Module called as a function of its parameters, its buffers and a seed, so that a call leaves no trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from harness.study.code import Code, CodeError, described, imported

Values = dict[str, Tensor]


@dataclass
class Network:
    """A module that a factory has built, with the values that it holds beside its trained parameters.

    Attributes:
        code: the factory.
        module: where it was built.
        parameters: names of what is trained, each once; `tied` has the others of a parameter with several.
        buffers: such as the running mean of a BatchNorm, and parameters that are not trained: before the update.
        coming: the same after the forward pass of the update, until `advance`.
    """

    code: Code
    module: nn.Module | None = None
    parameters: tuple[str, ...] = ()
    tied: dict[str, str] = field(default_factory=dict)  # every name of a trained parameter → the one it has here
    own: Values = field(default_factory=dict)  # the module's own tensors of what is trained
    buffers: Values = field(default_factory=dict)
    coming: Values | None = None

    def build(self, seed: int, sizes: Mapping[str, int], settings: Mapping[str, Any]) -> None:
        """Import the factory and call it, with torch's generator at `seed`.

        Raises:
            CodeError: the factory fails, or returns no module with parameters to train.
        """
        function = imported(self.code)
        with seeded(seed, torch.device("cpu")), self.explained("failed"):
            module = function(**sizes, **settings)
        if not isinstance(module, nn.Module):
            kind = f"the class {module.__name__}" if isinstance(module, type) else f"a {type(module).__name__}"
            raise CodeError(f"{self.code.shown} returned {kind}; expected a torch.nn.Module")
        trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
        for name, p in trained.items():
            if not p.is_floating_point():
                raise CodeError(
                    f"{self.code.shown}: parameter '{name}' is of {p.dtype}; the harness trains real numbers"
                )
        names = {id(p): name for name, p in trained.items()}
        every = module.named_parameters(remove_duplicate=False)
        self.tied = {name: names[id(p)] for name, p in every if id(p) in names}
        self.module, self.parameters, self.own = module, tuple(trained), dict(trained)
        self.buffers, self.coming = _buffers_of(module), None

    def initial(self) -> dict[str, Any]:
        """The parameters as they were built, float64 arrays."""
        return {name: p.detach().cpu().double().numpy() for name, p in self.own.items()}

    def __call__(
        self,
        parameters: Mapping[str, Tensor],
        x: Tensor,
        lengths: Tensor | None,
        seed: int,
        *,
        training: bool,
        before: Callable[[nn.Module], None] = lambda module: None,
    ) -> object:
        """What the module returns, in training mode or not, with torch's generator at `seed`.

        The tensors of `parameters` stand in the module's own places until the next call: what it computes anew on the
        way back (torch.utils.checkpoint) is then computed from them too, which torch.func.functional_call, whose
        tensors leave with the call, does not give.

        Args:
            parameters: by name, without a replica axis.
            x: (T, B, D).
            lengths: (B,) on the CPU, where sequences have their own: the module is called with them too.
            before: called with the module as it will be called.

        Raises:
            CodeError: it fails.
        """
        module = self.module
        if module is None:
            raise ValueError("the module has not been built: build() comes first")
        like = next(iter(parameters.values()))
        for name, own in self.tied.items():
            _put(module, name, parameters[own])
        for name, value in self.buffers.items():
            value = value.to(like.device, like.dtype if value.is_floating_point() else value.dtype, copy=True)
            _put(module, name, value)
        module.train(training)
        before(module)
        arguments = (x,) if lengths is None else (x, lengths)
        if lengths is not None and not _takes(module, arguments):
            raise CodeError(
                f"{self.code.shown}: the sequences have lengths of their own, and forward{signature(module.forward)} "
                "does not take (x, lengths); torch.nn.utils.rnn.pack_padded_sequence takes both"
            )
        with seeded(seed, x.device), self.explained(f"failed on an input (T, B, D) = {tuple(x.shape)}"):
            answer: object = module(*arguments)
        if training:
            self.coming = _buffers_of(module, but=self.tied)
        else:  # nothing is computed anew
            for name, own in self.tied.items():
                _put(module, name, self.own[own])
        return answer

    def advance(self) -> None:
        """After an update: what its forward pass made of the buffers is now theirs."""
        if self.coming is not None:
            self.buffers, self.coming = self.coming, None

    @contextmanager
    def explained(self, happened: str) -> Iterator[None]:
        """An error inside the module becomes one that names the study's line, the factory and the line of its code."""
        try:
            yield
        except (KeyboardInterrupt, CodeError):
            raise
        except BaseException as error:
            raise CodeError(f"{self.code.shown} {happened}: {described(error, self.code)}") from error


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """torch's generators at a seed, and where they were afterwards."""
    devices = [] if device.type == "cpu" else [device.index or 0]
    kind = {} if device.type == "cpu" else {"device_type": device.type}
    with torch.random.fork_rng(devices, **kind):
        torch.manual_seed(seed)
        yield


def _takes(module: nn.Module, arguments: tuple[object, ...]) -> bool:
    try:
        signature(module.forward).bind(*arguments)
    except TypeError:
        return False
    return True


def _buffers_of(module: nn.Module, but: Mapping[str, str] | None = None) -> Values:
    """Buffers and untrained parameters, in memory of their own."""
    frozen = {
        n: p for n, p in module.named_parameters(remove_duplicate=False) if not p.requires_grad and n not in (but or {})
    }
    values = {**dict(module.named_buffers(remove_duplicate=False)), **frozen}
    return {name: value.detach().clone() for name, value in values.items()}


def _put(module: nn.Module, name: str, value: Tensor) -> None:
    """A tensor in the place of a parameter or a buffer, as torch.func.functional_call puts it there."""
    *path, leaf = name.split(".")
    owner: nn.Module = module
    for part in path:
        owner = owner._modules[part]  # type: ignore[assignment]
    places: dict[str, Any] = owner._parameters if leaf in owner._parameters else owner._buffers
    places[leaf] = value
