"""What a step needs: products with matrices, a pointwise way forward, one back, and what to keep between the two.

All that is linear in what is known before the step (the input's share z, products, biases) is summed in accumulators,
which become the register tiles of a matrix product. The rest is pointwise and is computed on those tiles while they are
in registers. A sum over units, or a product with what the same step computes, needs all units first: it begins another
pass over them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from harness.recurrence.compiler.graph import CHEAP, Graph, Node, adjoints, ordered
from harness.recurrence.compiler.trace import TracedStep, Untraceable

LINEAR = ("z", "product", "vector")


@dataclass(frozen=True)
class Term:
    """A matrix block times an operand, one summand of an accumulator; `operand` None: the inputs x_t, with U."""

    accumulator: int
    matrix: str
    block: int
    operand: Node | None


@dataclass(frozen=True)
class Pass:
    """One walk over the units: accumulators first, then what is replaced of them.

    Attributes:
        accumulators: leaves that are summed by this pass (`accumulator`, `back`, `adjoint`).
        stores: nodes written to memory, for later passes, steps or the way back.
        sums: nodes whose sum over units this pass takes.
    """

    accumulators: list[Node] = field(default_factory=list)
    stores: list[Node] = field(default_factory=list)
    sums: list[Node] = field(default_factory=list)


@dataclass
class Program:
    """A step, both ways. State part p is `bases[base[p]]` of `lag[p]` steps before the newest; only bases are computed.

    Attributes:
        terms, biases: of each accumulator; a bias is (vector, block).
        new: node of each base at t.
        totals: of each base, its total adjoint ∂L/∂·_t.
        deltas: of each accumulator, its adjoint.
        carries: by state part, the pointwise share of the adjoint of that part at t−1.
        vectors: nodes of parameters that are used other than as a bias, with their adjoints.
        saved: forward nodes that the way back reads from memory.
    """

    graph: Graph
    bases: list[int]
    base: list[int]
    lag: list[int]
    terms: list[Term]
    biases: list[list[tuple[str, int]]]
    new: list[Node]
    totals: list[Node]
    deltas: list[Node]
    carries: dict[int, Node]
    vectors: dict[Node, Node]
    saved: list[Node]
    forward: list[Pass]
    backward: list[Pass]

    def reach(self, part: int) -> int:
        """How many steps before t a state part's value at t − 1 was computed."""
        return self.lag[part] + 1

    @property
    def operands(self) -> list[Node]:
        """What matrices multiply besides inputs and states."""
        nodes = dict.fromkeys(term.operand for term in self.terms if term.operand is not None)
        return [node for node in nodes if node is not None and node.op != "state"]


def derive(step: TracedStep) -> Program:
    """The program of a traced step.

    Raises:
        Untraceable: state parts that only change places, the same summand twice in a sum, or a step of nothing.
    """
    graph = step.graph
    bases, base, lag = _delay_lines(step.new)
    terms, biases, new = _accumulate(graph, [step.new[part] for part in bases])
    totals_of = adjoints(graph, new, [graph.leaf("adjoint", b) for b in range(len(bases))])
    nodes = ordered(new)
    if not any(node.op in ("accumulator", "vector") for node in nodes):
        raise Untraceable("a step that uses neither inputs nor parameters")
    # a sum over units is one number a sequence; what is written for each unit is a copy of it
    totals_of = {n: graph.leaf("copy", total) if total.op == "sum" else total for n, total in totals_of.items()}
    zero = graph.const(0)
    accumulators = sorted((n for n in nodes if n.op == "accumulator"), key=lambda node: node.args[0])
    carries = {n.args[0]: totals_of[n] for n in nodes if n.op == "state" and n in totals_of}
    vectors = {n: totals_of.get(n, zero) for n in nodes if n.op == "vector"}
    totals, deltas = [totals_of.get(node, zero) for node in new], [totals_of.get(node, zero) for node in accumulators]
    operands = [t.operand for t in terms if t.operand is not None and t.operand.op != "state"]
    results = [*totals, *deltas, *carries.values(), *vectors.values()]
    saved = _to_save(results, new, operands)
    forward = schedule([*new, *saved], known=())
    backward = schedule(results, known=(*new, *saved))
    return Program(
        graph, bases, base, lag, terms, biases, new, totals, deltas, carries, vectors, saved, forward, backward
    )


def _delay_lines(new: Sequence[Node]) -> tuple[list[int], list[int], list[int]]:
    """Parts that are computed, and for each part which of them it repeats, how many steps later."""
    bases = [part for part, node in enumerate(new) if node.op != "state" or node.args[0] == part]
    base, lag = [], []
    for part in range(len(new)):
        source, steps = part, 0
        while source not in bases:
            source, steps = new[source].args[0], steps + 1
            if steps > len(new):
                raise Untraceable("parts of the state that only change places")
        base.append(bases.index(source))
        lag.append(steps)
        if steps and base[-1] != base[0]:
            raise Untraceable("a delay line of another part of the state than the first")
        if (base[-1], lag[-1]) in list(zip(base[:-1], lag[:-1], strict=True)):
            raise Untraceable("two parts of the state that are always the same")
    return bases, base, lag


def _accumulate(graph: Graph, new: list[Node]) -> tuple[list[Term], list[list[tuple[str, int]]], list[Node]]:
    """Sums of z, products and biases become accumulators; what two sums share becomes one of its own."""
    nodes = ordered(new)
    linear: dict[Node, bool] = {}
    for node in nodes:
        linear[node] = node.op in LINEAR or (node.op == "add" and all(linear[argument] for argument in node.inputs))
    outer = set(new)
    for node in nodes:
        if not linear[node] or node.op == "product":
            outer.update(node.inputs)
    tops = [node for node in nodes if node in outer and linear[node] and node.op != "vector"]
    users: dict[Node, list[int]] = {}
    for i, top in enumerate(tops):
        for leaf in _summands(top):
            if i in users.setdefault(leaf, []):
                raise Untraceable("the same product twice in one sum")
            users[leaf].append(i)
    groups: dict[tuple[int, ...], list[Node]] = {}
    for leaf, sums in users.items():
        groups.setdefault(tuple(sums), []).append(leaf)
    summed = [(sums, leaves) for sums, leaves in groups.items() if any(leaf.op != "vector" for leaf in leaves)]
    alone = [(sums, leaves) for sums, leaves in groups.items() if all(leaf.op == "vector" for leaf in leaves)]
    replaced: dict[Node, Node] = {}
    accumulators: dict[int, Node] = {}

    def accumulator(index: int) -> Node:
        if index not in accumulators:
            operands = [rebuilt(leaf.args[2]) for leaf in summed[index][1] if leaf.op == "product"]
            inner = dict.fromkeys(node for node in operands if node.op != "state")
            accumulators[index] = graph.leaf("accumulator", index, *inner)
        return accumulators[index]

    def rebuilt(node: Node) -> Node:
        if node not in replaced:
            if node in tops:
                i = tops.index(node)
                parts = [accumulator(index) for index, (sums, _) in enumerate(summed) if i in sums]
                parts += [leaf for sums, leaves in alone if i in sums for leaf in leaves]
                total = parts[0]
                for part in parts[1:]:
                    total = graph.apply("add", total, part)
                replaced[node] = total
            elif not node.inputs:
                replaced[node] = node
            elif node.op == "permute":
                replaced[node] = graph.leaf("permute", rebuilt(node.inputs[0]), node.args[1])
            else:
                replaced[node] = graph.apply(node.op, *(rebuilt(argument) for argument in node.inputs))
        return replaced[node]

    out = [rebuilt(node) for node in new]
    terms, biases = [], []
    for index, (_, leaves) in enumerate(summed):
        accumulator(index)
        terms += [Term(index, "U", leaf.args[0], None) for leaf in leaves if leaf.op == "z"]
        terms += [
            Term(index, leaf.args[0], leaf.args[1], rebuilt(leaf.args[2])) for leaf in leaves if leaf.op == "product"
        ]
        biases.append(
            [("b_x" if leaf.op == "z" else leaf.args[0], leaf.args[-1]) for leaf in leaves if leaf.op != "product"]
        )
    return terms, biases, out


def _summands(node: Node) -> list[Node]:
    return [leaf for argument in node.inputs for leaf in _summands(argument)] if node.op == "add" else [node]


def _to_save(results: list[Node], new: Collection[Node], operands: Iterable[Node]) -> list[Node]:
    """Forward nodes to keep for the way back: values of functions and sums; cheap ones are computed again from them.

    A function of what is in memory anyway (tanh c_t, of a state) is computed again too: that costs less than a load.
    Operands of products are always saved, as their matrices' gradients need them.
    """
    late: dict[Node, bool] = {}
    for node in ordered(results):
        late[node] = node.op in ("adjoint", "back") or any(late[argument] for argument in node.inputs)
    memory: dict[Node, dict[Node, None]] = {}

    def atoms(node: Node) -> dict[Node, None]:
        if node not in memory:
            inner = {atom: None for argument in node.inputs for atom in atoms(argument)}
            if node in new or node.op in FREE:
                memory[node] = {}
            elif node.op in ("accumulator", "sum") or (node.op == "permute" and node.inputs[0].op != "state"):
                memory[node] = {node: None}
            elif node.op in CHEAP or node.op in ("tanh_slope", "sigmoid_slope") or not inner:
                memory[node] = inner
            else:
                memory[node] = {node: None}
        return memory[node]

    required = [a for node in late if late[node] and node.op != "back" for a in node.inputs if not late[a]]
    required += [node for node in results if not late[node]]
    saved = dict.fromkeys(node for node in operands if node not in new)
    return list(saved | {atom: None for node in required for atom in atoms(node)})


def schedule(stores: Sequence[Node], *, known: Collection[Node]) -> list[Pass]:
    """The passes over the units in which one direction of a step is computed.

    Args:
        stores: what goes to memory: the results, and operands of products.
        known: nodes that are in memory before the step.
    """
    known = set(known)
    level: dict[Node, int] = {}
    nodes = _needed(stores, known)
    for node in nodes:
        if node in known or node.op in FREE or node.op == "adjoint":
            level[node] = 0
            continue
        whole = node.op == "sum" or (node.op == "permute" and node.inputs[0].op != "state")
        after = whole or node.op == "back" or (node.op == "accumulator" and bool(node.inputs))
        level[node] = max((level[argument] for argument in node.inputs), default=0) + after
    passes = [Pass() for _ in range(max(level.values(), default=0) + 1)]

    def store(node: Node) -> None:
        if node in known or node.op in FREE or node.op == "sum" or node in passes[level[node]].stores:
            return
        passes[level[node]].stores.append(node)

    for node in stores:
        store(node)
    for node in nodes:
        if node in known:
            continue
        if node.op in SUMMED:
            passes[level[node]].accumulators.append(node)
        if node.op == "sum":
            passes[level[node] - 1].sums.append(node)
        if node.op == "permute":
            store(node.inputs[0])

    def reach(node: Node, now: int) -> None:
        """Store what pass `now` needs of earlier ones, unless it is cheap to compute again."""
        if node in known or node.op in FREE or node.op in ("sum", "permute"):
            return
        if node.op in CHEAP or level[node] == now:
            for argument in () if node.op in SUMMED else node.inputs:
                reach(argument, now)
        else:
            store(node)

    for now in reversed(range(len(passes))):  # what is stored earlier is computed earlier, and may need more itself
        for node in [*passes[now].stores, *(total.inputs[0] for total in passes[now].sums)]:
            reach(node, now)
    return passes


FREE = ("const", "state", "given", "vector")
SUMMED = ("accumulator", "back", "adjoint")


def _needed(roots: Iterable[Node], known: Collection[Node]) -> list[Node]:
    """Nodes that the roots need, arguments first, without what only known ones need."""
    seen: dict[Node, None] = {}

    def visit(node: Node) -> None:
        if node not in seen:
            for argument in () if node in known else node.inputs:
                visit(argument)
            seen[node] = None

    for root in roots:
        visit(root)
    return list(seen)
