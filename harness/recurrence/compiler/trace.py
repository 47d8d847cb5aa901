"""A cell's `step`, run once on stand-ins for tensors, which write down what is done to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors.guarding import reason
from harness.recurrence.compiler.graph import Graph, Node, ordered

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cells.cell import Cell


class Untraceable(Exception):  # noqa: N818 - what it is, and no mistake of anyone's
    """The equations use what the compiler does not know; its text says what."""


@dataclass(frozen=True)
class TracedStep:
    """One node for each part of the state after the step."""

    graph: Graph
    new: tuple[Node, ...]


def trace(cell: Cell, parameters: Mapping[str, Tensor], *, exact: bool) -> TracedStep:
    """The graph of a cell's step.

    Args:
        parameters: as the equations use them (`Cell.parametrize`); only their shapes are read.
        exact: see `Graph`.

    Raises:
        Untraceable: the step does what no graph can say (a decision on values, an unknown operation).
    """
    graph, H = Graph(exact=exact), cell.hidden_size
    known = {name: _parameter(graph, name, value, H) for name, value in parameters.items()}
    gates = parameters["U"].shape[1] // H
    given = tuple(graph.leaf("given", k) for k in range(cell.given))
    z = Block(graph, H, (*(graph.leaf("z", k) for k in range(gates)), *given))
    state: Any = tuple(Block(graph, H, (graph.leaf("state", part),)) for part in range(len(cell.states)))
    known_too: Any = known
    try:
        new = cell.step(known_too, state, z)  # type: ignore[arg-type]
    except Untraceable:
        raise
    except Exception as error:  # whatever a stand-in cannot do, a tensor may
        raise Untraceable(reason(error)) from error
    blocks: list[tuple[Node, ...]] = [
        part.blocks if isinstance(part, Block) and not part.is_narrow else () for part in new
    ]
    if [len(part) for part in blocks] != [1] * len(cell.states):
        raise Untraceable("the new state is not one tensor of H units for each part of the old")
    step = TracedStep(graph, tuple(part[0] for part in blocks))
    idle = [name for part, name in enumerate(cell.states) if part not in _parts_of_h(step)]
    if idle:  # its adjoint is nowhere, which is not the same as zero: 0·∞ is no number
        raise Untraceable(f"the part {idle[0]} of the state, which h never depends on")
    return step


def _parts_of_h(step: TracedStep) -> set[int]:
    """The parts of the state that some later h depends on."""
    parts, new = {0}, {0}
    while new:
        nodes = ordered(step.new[part] for part in new)
        new = {node.args[0] for node in nodes if node.op == "state"} - parts
        parts |= new
    return parts


def _parameter(graph: Graph, name: str, value: Tensor, H: int) -> Any:
    _, *shape = value.shape
    if name in ("U", "b_x"):
        return Unknown(name)
    if len(shape) == 2 and shape[1] == H and shape[0] % H == 0:
        return Matrix(graph, name, H, shape[0] // H)
    if len(shape) == 1 and shape[0] % H == 0:
        return Vector(graph, name, H, shape[0] // H)
    return Unknown(name)


class StandIn:
    """What all stand-ins share: anything that is not written down here is refused by name."""

    def __getattr__(self, name: str) -> Any:
        raise Untraceable(f"Tensor.{name}")

    def __bool__(self) -> bool:
        raise Untraceable("a decision on a tensor's values")

    def _compared(self, other: object) -> Any:
        raise Untraceable("a comparison of tensors")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _compared
    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = getattr(function, "__name__", str(function))
        if name in ("cat", "concat") and isinstance(args[0], (tuple, list)):
            return joined(args[0], *args[1:], **(kwargs or {}))
        if name in FUNCTIONS and isinstance(args[0], Block) and not set(kwargs or {}) - {"inplace"}:
            return getattr(args[0], name)(*args[1:])
        raise Untraceable(f"torch.{name}")


FUNCTIONS = frozenset(
    {"tanh", "sigmoid", "relu", "exp", "log1p", "sqrt", "rsqrt", "abs", "sign", "square", "neg", "add", "sub", "mul",
     "div", "chunk", "sum", "mean", "softplus", "log_sigmoid", "reciprocal"}
)  # fmt: skip


class Unknown(StandIn):
    """A parameter of another shape: it may be passed on, and using it is refused."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        raise Untraceable(f"the parameter {self._name}, whose shape is not a multiple of the units")


class Extents(StandIn):
    """Stands for a shape (R, B, n), of which only n is known."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __getitem__(self, axis: Any) -> int:
        if axis not in (-1, 2):
            raise Untraceable("the number of replicas or sequences")
        return self.n

    def __iter__(self) -> Any:
        raise Untraceable("the number of replicas or sequences")


class Block(StandIn):
    """Stands for (R, B, k·H): a node for each of the k blocks; or, `narrow`, for (R, B, 1)."""

    def __init__(self, graph: Graph, H: int, blocks: tuple[Node, ...], *, narrow: bool = False) -> None:
        self.graph, self.H, self.blocks, self.is_narrow = graph, H, blocks, narrow

    @property
    def shape(self) -> Extents:
        return Extents(1 if self.is_narrow else self.H * len(self.blocks))

    def _each(self, op: str) -> Block:
        return Block(
            self.graph, self.H, tuple(self.graph.apply(op, block) for block in self.blocks), narrow=self.is_narrow
        )

    def _whole(self, use: str) -> None:
        if self.is_narrow:
            raise Untraceable(f"{use} of a sum over units")

    def _with(self, op: str, other: Any, *, swapped: bool = False) -> Block:
        if isinstance(other, (int, float)):
            others: tuple[Node, ...] = (self.graph.const(other),) * len(self.blocks)
        elif isinstance(other, Block) and (len(other.blocks) == len(self.blocks) or other.is_narrow):
            others = other.blocks * (len(self.blocks) if other.is_narrow else 1)
        elif isinstance(other, Block) and self.is_narrow:
            return other._with(op, self, swapped=not swapped)
        else:
            raise Untraceable(f"{op} of tensors of different shape")
        narrow = self.is_narrow and not (isinstance(other, Block) and not other.is_narrow)
        pairs = zip(*((others, self.blocks) if swapped else (self.blocks, others)), strict=True)
        return Block(self.graph, self.H, tuple(self.graph.apply(op, a, b) for a, b in pairs), narrow=narrow)

    def __add__(self, other: Any) -> Block:
        return self._with("add", other)

    __radd__ = __add__
    add = __add__

    def __sub__(self, other: Any) -> Block:
        return self._with("sub", other)

    def __rsub__(self, other: Any) -> Block:
        return self._with("sub", other, swapped=True)

    sub = __sub__

    def __mul__(self, other: Any) -> Block:
        return self._with("mul", other)

    __rmul__ = __mul__
    mul = __mul__

    def __truediv__(self, other: Any) -> Block:
        return self._with("div", other)

    def __rtruediv__(self, other: Any) -> Block:
        return self._with("div", other, swapped=True)

    div = __truediv__

    def __neg__(self) -> Block:
        return self._each("neg")

    neg = __neg__

    def __pow__(self, power: Any) -> Block:
        if power != 2:
            raise Untraceable(f"a power of {power}")
        return self.square()

    def tanh(self) -> Block:
        return self._each("tanh")

    def exp(self) -> Block:
        return self._each("exp")

    def log1p(self) -> Block:
        return self._each("log1p")

    def sqrt(self) -> Block:
        return self._each("sqrt")

    def rsqrt(self) -> Block:
        return 1 / self.sqrt()

    def reciprocal(self) -> Block:
        return 1 / self

    def abs(self) -> Block:
        return self._each("abs")

    def sign(self) -> Block:
        return self._each("sign")

    def detach(self) -> Block:
        return self._each("detach")

    def relu(self) -> Block:
        return self._each("relu")

    def square(self) -> Block:
        return self * self

    def sigmoid(self) -> Block:
        return self._each("sigmoid")

    def softplus(self) -> Block:
        """max(x, 0) + ln(1 + e^−|x|), and x itself beyond 20, as torch's; its slope at 0 is ½."""
        near = 1 - (self - 20).relu().sign()
        return 0.5 * self + 0.5 * self.abs() + near * (-self.abs()).exp().log1p()

    def log_sigmoid(self) -> Block:
        """min(x, 0) − ln(1 + e^−|x|)."""
        return 0.5 * self - 0.5 * self.abs() - (-self.abs()).exp().log1p()

    def chunk(self, chunks: int, dim: int = 0) -> tuple[Block, ...]:
        self._whole("chunk")
        if dim not in (-1, 2) or len(self.blocks) % chunks:
            raise Untraceable(f"chunk({chunks}, dim={dim}) of {len(self.blocks)} blocks")
        k = len(self.blocks) // chunks
        return tuple(Block(self.graph, self.H, self.blocks[i * k : (i + 1) * k]) for i in range(chunks))

    def split(self, size: int | list[int], dim: int = 0) -> tuple[Block, ...]:
        if isinstance(size, list):
            return self._split_at(size, dim)
        if size % self.H or len(self.blocks) * self.H % size:
            raise Untraceable(f"split({size})")
        return self.chunk(len(self.blocks) * self.H // size, dim)

    def _split_at(self, sizes: list[int], dim: int) -> tuple[Block, ...]:
        self._whole("split")
        if dim not in (-1, 2) or sum(sizes) != self.H * len(self.blocks) or any(size % self.H for size in sizes):
            raise Untraceable(f"split({sizes}, dim={dim}) of {len(self.blocks)} blocks")
        parts, start = [], 0
        for size in sizes:
            parts.append(Block(self.graph, self.H, self.blocks[start : start + size // self.H]))
            start += size // self.H
        return tuple(parts)

    def repeat(self, *times: int) -> Block:
        self._whole("repeat")
        if len(times) != 3 or times[:2] != (1, 1):
            raise Untraceable(f"repeat{times}")
        return Block(self.graph, self.H, self.blocks * times[2])

    def __matmul__(self, other: Any) -> Block:
        self._whole("a product")
        if not isinstance(other, Matrix) or not other.transposed:
            raise Untraceable("a product with other than the transpose of a parameter (R, k·H, H)")
        if len(self.blocks) != 1:
            raise Untraceable("a product of several blocks with a matrix of H columns")
        if self.blocks[0].op in ("vector", "const"):
            raise Untraceable("a product of parameters alone")
        nodes = (self.graph.leaf("product", other.name, k, self.blocks[0]) for k in range(other.blocks))
        return Block(self.graph, self.H, tuple(nodes))

    def sum(self, dim: Any = None, keepdim: bool = False) -> Block:
        if dim not in (-1, 2, (-1,), [-1]) or not keepdim or len(self.blocks) != 1:
            raise Untraceable("a sum other than over the units of one block with keepdim=True")
        if self.is_narrow:  # over one number
            return self
        return Block(self.graph, self.H, (self.graph.apply("sum", self.blocks[0]),), narrow=True)

    def mean(self, dim: Any = None, keepdim: bool = False) -> Block:
        total = self.sum(dim, keepdim)
        return total if self.is_narrow else total * (1 / self.H)

    def __getitem__(self, index: Any) -> Slice:
        self._whole("indices")
        if not (isinstance(index, tuple) and len(index) in (2, 3) and isinstance(index[-1], slice)):
            raise Untraceable("indices other than a range of the last axis")
        before = index[:-1]
        units = index[-1]
        if (
            before not in ((Ellipsis,), (slice(None), slice(None)))
            or len(self.blocks) != 1
            or units.step not in (1, None)
        ):
            raise Untraceable("indices other than a range of the units of one block")
        return Slice(self, range(self.H)[units])


class Slice(StandIn):
    """Some units of a block; all that can be done with them is to join them to others of the same."""

    def __init__(self, whole: Block, units: range) -> None:
        self.whole, self.units = whole, units


def joined(parts: Any, dim: int = 0) -> Block:
    """`torch.cat` along the last axis: of blocks, or of slices that put the units of one block in another order."""
    if dim not in (-1, 2) or not all(isinstance(part, (Block, Slice)) for part in parts):
        raise Untraceable("torch.cat of other than blocks along the last axis")
    for part in parts:
        if isinstance(part, Block):
            part._whole("torch.cat")
    if all(isinstance(part, Block) for part in parts):
        return Block(parts[0].graph, parts[0].H, tuple(block for part in parts for block in part.blocks))
    slices = [part if isinstance(part, Slice) else Slice(part, range(part.H)) for part in parts]
    whole = slices[0].whole
    units = tuple(unit for part in slices for unit in part.units)
    if whole.blocks[0].op in ("vector", "const"):
        raise Untraceable("a new order of a parameter's numbers")
    if any(part.whole.blocks != whole.blocks for part in slices) or sorted(units) != list(range(whole.H)):
        raise Untraceable("torch.cat of slices that is not a new order of one block's units")
    return Block(whole.graph, whole.H, (whole.graph.leaf("permute", whole.blocks[0], units),))


class Matrix(StandIn):
    """Stands for a parameter (R, k·H, H)."""

    def __init__(self, graph: Graph, name: str, H: int, blocks: int, *, transposed: bool = False) -> None:
        self.graph, self.name, self.H, self.blocks, self.transposed = graph, name, H, blocks, transposed

    @property
    def mT(self) -> Matrix:  # noqa: N802 - torch's name
        return Matrix(self.graph, self.name, self.H, self.blocks, transposed=not self.transposed)

    def transpose(self, first: int, second: int) -> Matrix:
        if {first, second} not in ({-1, -2}, {1, 2}):
            raise Untraceable(f"transpose({first}, {second})")
        return self.mT


class Vector(StandIn):
    """Stands for a parameter (R, k·H); with `unsqueeze(1)` the same for all sequences."""

    def __init__(self, graph: Graph, name: str, H: int, blocks: int) -> None:
        self.graph, self.name, self.H, self.blocks = graph, name, H, blocks

    def unsqueeze(self, dim: int) -> Block:
        if dim not in (1, -2):
            raise Untraceable(f"unsqueeze({dim})")
        return Block(self.graph, self.H, tuple(self.graph.leaf("vector", self.name, k) for k in range(self.blocks)))
