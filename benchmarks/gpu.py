"""`python -m benchmarks.gpu`: the torch engine over packs on a GPU against the CPU's numbers and torch.nn's modules.

Checks that values and gradients on the device are those on the CPU, then times one update (forward, backward, RMSprop)
of stacked replicas: as PyTorch launches it, and captured once as a CUDA graph; beside it R updates of torch.nn's
module, which cuDNN computes one replica after another. Writes JSON. On the CPU it runs too, so that it can be tested
there; its times mean nothing then.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from harness.cells import CELLS
from harness.recurrence.scan import scan

MODULES = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
T, B, D = 100, 32, 10
RATE = 1e-3
REPEATS = 10


class Update:
    """One update of R replicas of a cell by the torch engine: loss ½‖h_T‖², RMSprop."""

    def __init__(self, name: str, H: int, R: int, device: str, dtype: torch.dtype, *, T: int = T, B: int = B) -> None:
        self.cell = CELLS[name](cell=name, hidden_size=H)
        generator = torch.Generator().manual_seed(0)

        def drawn(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, dtype=torch.float64).sub_(0.5).mul_(2 / H**0.5)

        shapes = self.cell.shapes(H, D)
        self.parameters = {key: drawn(R, *shape).to(device, dtype).requires_grad_() for key, shape in shapes.items()}
        self.squares = {key: torch.zeros_like(value) for key, value in self.parameters.items()}
        self.inputs = torch.randn(T, R, B, D, generator=generator, dtype=torch.float64).to(device, dtype)
        self.state = tuple(torch.zeros(R, B, H, device=device, dtype=dtype) for _ in self.cell.states)

    def gradients(self) -> tuple[Tensor, ...]:
        h, _ = scan(self.cell, self.parameters, self.inputs, self.state, engine="torch")
        return torch.autograd.grad(0.5 * h.square().sum() / h.shape[1], list(self.parameters.values()))

    def __call__(self) -> None:
        gradients = self.gradients()
        with torch.no_grad():
            for parameter, square, gradient in zip(
                self.parameters.values(), self.squares.values(), gradients, strict=True
            ):
                square.mul_(0.99).addcmul_(gradient, gradient, value=0.01)
                parameter.addcdiv_(gradient, square.sqrt().add_(1e-8), value=-RATE)


def captured(update: Update) -> Callable[[], None]:
    """The update as a CUDA graph: one launch for all of its kernels."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):  # libraries choose their kernels and take their memory before the capture
            update()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        update()
    return graph.replay


def module_update(name: str, H: int, R: int, device: str) -> Callable[[], None]:
    """R updates of torch.nn's module, one after another."""
    modules = [MODULES[name](D, H).to(device) for _ in range(R)]
    optimizers = [torch.optim.RMSprop(module.parameters(), lr=RATE) for module in modules]
    inputs = torch.randn(T, B, D, device=device)

    def update() -> None:
        for module, optimizer in zip(modules, optimizers, strict=True):
            optimizer.zero_grad()
            outputs, _ = module(inputs)
            (0.5 * outputs[-1].square().sum() / B).backward()
            optimizer.step()

    return update


def seconds(update: Callable[[], None], device: str, repeats: int) -> float:
    """Median wall time of an update, the device's work included."""

    def wait() -> None:
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    for _ in range(2):
        update()
    times = []
    for _ in range(repeats):
        wait()
        start = perf_counter()
        update()
        wait()
        times.append(perf_counter() - start)
    return statistics.median(times)


def differences(device: str) -> Iterator[dict[str, Any]]:
    """Largest relative difference of gradients between the device and the CPU."""
    for name in MODULES:
        for dtype in (torch.float64, torch.float32):
            on_cpu, on_device = (Update(name, 17, 3, place, dtype, T=40, B=5).gradients() for place in ("cpu", device))
            largest = max(
                float((a.cpu() - b).abs().max() / b.abs().max()) for a, b in zip(on_device, on_cpu, strict=True)
            )
            yield {"cell": name, "dtype": str(dtype).removeprefix("torch."), "difference": largest}


def times(device: str, widths: list[int], packs: list[int], repeats: int) -> Iterator[dict[str, Any]]:
    """Seconds of an update by cell, width and number of replicas."""
    for name in MODULES:
        for H in widths:
            for R in packs:
                row: dict[str, Any] = {"cell": name, "hidden_size": H, "replicas": R}
                try:
                    update = Update(name, H, R, device, torch.float32)
                    row["eager"] = seconds(update, device, repeats)
                    if device.startswith("cuda"):
                        row["graph"] = seconds(captured(update), device, repeats)
                    if R <= 64:  # as many modules as their optimizers' launches leave patience for
                        row["module"] = seconds(module_update(name, H, R, device), device, repeats)
                except torch.cuda.OutOfMemoryError:
                    row["missing"] = "out of memory"
                yield row


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--output", type=Path, default=Path("gpu.json"))
    parser.add_argument("--widths", type=int, nargs="+", default=[50, 128, 256, 1024])
    parser.add_argument("--packs", type=int, nargs="+", default=[1, 16, 64, 256, 1024])
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parsed = parser.parse_args(arguments)
    if parsed.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("this torch has no CUDA device; --device cpu runs the same script, whose times then mean nothing")
    properties = torch.cuda.get_device_properties(parsed.device) if parsed.device.startswith("cuda") else None
    results: dict[str, Any] = {
        "device": properties.name if properties else "cpu",
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "shape": {"T": T, "B": B, "D": D},
        "differences": list(differences(parsed.device)),
        "times": [],
    }
    for row in times(parsed.device, parsed.widths, parsed.packs, parsed.repeats):
        results["times"].append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)
        parsed.output.write_text(json.dumps(results, indent=1))  # after each row: a run that is cut off has the others
    return int(
        any(row["difference"] > (1e-10 if row["dtype"] == "float64" else 1e-4) for row in results["differences"])
    )


if __name__ == "__main__":
    sys.exit(main())
