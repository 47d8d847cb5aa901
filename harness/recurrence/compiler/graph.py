"""One time step of a cell as a graph of elementwise operations, and its derivative as another.

A node stands for the H numbers of one sequence. Equal nodes are one object (hash-consing), so that what two equations
share is computed once. Only rewritings that change no digit of a result are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import frexp
from typing import Any

LEAVES = frozenset({"const", "state", "z", "given", "vector", "product", "accumulator", "adjoint", "back"})
CHEAP = frozenset(
    {"add", "sub", "mul", "neg", "relu", "abs", "sign", "detach", "where_positive"}
)  # no division, no series


@dataclass(frozen=True, eq=False)
class Node:
    """An operation and its arguments: nodes, and for leaves numbers and names.

    The leaves are `const` (value), `state` (part, at t−1), `z` (gate block of U x_t + b_x), `given` (block of what a
    step is given besides), `vector` (parameter, block), `product` (matrix, block, operand), `accumulator` (index,
    operands that are not states), `adjoint` (of the state part with that index, what comes from the steps after) and
    `back` (node: what comes through the matrices that multiply it). `index` is the order in which nodes were made,
    arguments first.
    """

    op: str
    args: tuple[Any, ...]
    index: int

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The arguments that are nodes."""
        return tuple(argument for argument in self.args if isinstance(argument, Node))


class Graph:
    """All nodes of one step.

    Args:
        exact: slopes of tanh from the argument, 4e/(1 + e)² with e = exp(−2|x|), and the logistic function by the
            exponential: both keep their relative accuracy in saturation. Else slopes from the value, 1 − y², as
            torch's, and what is written as ½ + ½ tanh is computed so. float64 asks for the first.
    """

    def __init__(self, *, exact: bool) -> None:
        self.exact = exact
        self._nodes: dict[tuple[Any, ...], Node] = {}

    def leaf(self, op: str, *args: Any) -> Node:
        """The node of that operation and those arguments, made if it is new."""
        key = (op, *args)
        if key not in self._nodes:
            self._nodes[key] = Node(op, args, len(self._nodes))
        return self._nodes[key]

    def const(self, value: float) -> Node:
        return self.leaf("const", float(value))

    def apply(self, op: str, *args: Node) -> Node:
        """An operation on nodes, in the simplest form that has the same digits."""
        values = [argument.args[0] if argument.op == "const" else None for argument in args]
        if op in ("add", "sub", "mul"):
            simpler = self._arithmetic(op, args[0], args[1], values[0], values[1])
            if simpler is not None:
                return simpler
        if op in ("add", "mul"):  # commutative: one order for both
            args = tuple(sorted(args, key=lambda node: (node.op != "const", node.index)))
        if op == "div" and values[1] is not None and abs(frexp(values[1])[0]) == 0.5:
            return self.apply("mul", self.const(1 / values[1]), args[0])
        if self.exact and op in ("add", "sub"):
            logistic = self._logistic(op, args[0], args[1], values[0])
            if logistic is not None:
                return logistic
        if op == "neg" and values[0] is not None:
            return self.const(-values[0])
        if op == "neg" and args[0].op == "neg":
            return args[0].inputs[0]
        return self.leaf(op, *args)

    def _arithmetic(self, op: str, a: Node, b: Node, x: float | None, y: float | None) -> Node | None:
        if x is not None and y is not None:
            return self.const(x + y if op == "add" else x - y if op == "sub" else x * y)
        if op == "mul":
            for factor, value in ((b, x), (a, y)):
                if value is not None and abs(value) == 1:
                    return factor if value == 1 else self.apply("neg", factor)
            return self._signs_out("mul", a, b) or self._powers_of_two(a, b, x, y)
        if y == 0:
            return a
        if x == 0:
            return b if op == "add" else self.apply("neg", b)
        if b.op == "neg":
            return self.apply("sub" if op == "add" else "add", a, b.inputs[0])
        if op == "add" and a.op == "neg":
            return self.apply("sub", b, a.inputs[0])
        return None

    def _logistic(self, op: str, a: Node, b: Node, x: float | None) -> Node | None:
        """½ + ½ tanh a = σ(2a), and 1 − σ(a) = σ(−a): whose small values would be lost in the sums."""
        if op == "add" and x == 0.5 and b.op == "mul":
            half, inner = b.inputs
            if half.op == "const" and half.args[0] == 0.5 and inner.op == "tanh":
                return self.leaf("sigmoid", self.apply("mul", self.const(2), inner.inputs[0]))
        if op == "sub" and x == 1 and b.op == "sigmoid":
            return self.leaf("sigmoid", self.apply("neg", b.inputs[0]))
        return None

    def _signs_out(self, op: str, a: Node, b: Node) -> Node | None:
        if a.op == "neg":
            return self.apply("neg", self.apply(op, a.inputs[0], b))
        return self.apply("neg", self.apply(op, a, b.inputs[0])) if b.op == "neg" else None

    def _powers_of_two(self, a: Node, b: Node, x: float | None, y: float | None) -> Node | None:
        """c·(d·n) = (c·d)·n where c or d is a power of two."""
        scale, node = (x, b) if x is not None else (y, a)
        if scale is None or node.op != "mul" or node.inputs[0].op != "const":
            return None
        inner = node.inputs[0].args[0]
        if 0.5 not in (abs(frexp(scale)[0]), abs(frexp(inner)[0])):
            return None
        return self.apply("mul", self.const(scale * inner), node.inputs[1])


def ordered(roots: Iterable[Node]) -> list[Node]:
    """All nodes that the roots need, arguments first."""
    seen: dict[Node, None] = {}
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, visited = stack.pop()
        if node in seen:
            continue
        if visited:
            seen[node] = None
        else:
            stack.append((node, True))
            stack.extend((argument, False) for argument in reversed(node.inputs))
    return list(seen)


def adjoints(graph: Graph, outputs: Sequence[Node], seeds: Sequence[Node]) -> dict[Node, Node]:
    """∂L/∂node, total, of all nodes that the outputs need, from those of the outputs (reverse mode).

    A node without an entry does not act on the loss. What comes through a matrix of the same step is one `back` node.
    """
    totals: dict[Node, Node] = {}
    nodes = ordered(outputs)

    def add(node: Node, adjoint: Node) -> None:
        totals[node] = graph.apply("add", totals[node], adjoint) if node in totals else adjoint

    for output, seed in zip(outputs, seeds, strict=True):
        add(output, seed)
    multiplied = {operand for node in nodes if node.op == "accumulator" for operand in node.inputs}
    for node in reversed(nodes):
        if node in multiplied and any(
            node in user.inputs and user in totals for user in nodes if user.op == "accumulator"
        ):
            deltas = [user for user in nodes if user.op == "accumulator" and node in user.inputs and user in totals]
            add(node, graph.leaf("back", node, *(totals[user] for user in deltas)))
        if node.op in LEAVES or node not in totals:
            continue
        for argument, adjoint in zip(node.inputs, pullback(graph, node, totals[node]), strict=True):
            if adjoint is not None and argument.op != "const":
                add(argument, adjoint)
    return totals


def pullback(graph: Graph, node: Node, adjoint: Node) -> list[Node | None]:
    """The adjoints of a node's arguments from the node's own."""
    apply, x = graph.apply, node.inputs
    match node.op:
        case "add":
            return [adjoint, adjoint]
        case "sub":
            return [adjoint, apply("neg", adjoint)]
        case "neg":
            return [apply("neg", adjoint)]
        case "mul":
            return [apply("mul", adjoint, x[1]), apply("mul", adjoint, x[0])]
        case "div":
            first = apply("div", adjoint, x[1])
            return [first, apply("neg", apply("mul", first, node))]
        case "tanh":
            if graph.exact:
                return [apply("mul", adjoint, apply("tanh_slope", x[0]))]
            return [apply("mul", adjoint, apply("sub", graph.const(1), apply("mul", node, node)))]
        case "sigmoid":
            return [apply("mul", adjoint, apply("sigmoid_slope", x[0]))]
        case "copy":
            return [adjoint]
        case "exp":
            return [apply("mul", adjoint, node)]
        case "log1p":
            return [apply("div", adjoint, apply("add", graph.const(1), x[0]))]
        case "sqrt":
            return [apply("div", apply("mul", graph.const(0.5), adjoint), node)]
        case "relu":
            return [apply("where_positive", node, adjoint)]
        case "abs":
            return [apply("mul", adjoint, apply("sign", x[0]))]
        case "sign" | "detach":
            return [None]
        case "sum":  # Σ over units, seen by every unit: what all of them see has been caused by each
            return [apply("sum", adjoint)]
        case "permute":
            inverse = tuple(sorted(range(len(node.args[1])), key=node.args[1].__getitem__))
            return [graph.leaf("permute", adjoint, inverse)]
    raise NotImplementedError(f"no derivative of {node.op}")


def same_for_all_units(node: Node) -> bool:
    """Whether all units have the same number: sums over units, and what is made of them alone."""
    if node.op in ("const", "sum"):
        return True
    return node.op not in LEAVES and bool(node.inputs) and all(same_for_all_units(argument) for argument in node.inputs)
