"""Evaluating small Python programs, read character by character.

Zaremba & Sutskever 2014, "Learning to execute", section 3: the number of digits of literals and the number of nested
operations set the difficulty, and the network learns from answers alone. Here the whole answer is given at once,
after the last character; the paper's network writes it digit by digit.
"""

from __future__ import annotations

import ast
import operator
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import cycle
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from harness.rng import generator
from harness.study.spec import setting, wrong
from harness.tasks.task import PADDING, Batch, Part, Shape, Task

VARIABLES = "abcdefghij"  # x counts the loops
SYMBOLS = "".join(sorted({*"0123456789+-=<>():\n ", *VARIABLES, *"forxinrangeifelseprint"}))  # a token is an index
TOKENS = {symbol: token for token, symbol in enumerate(SYMBOLS)}
ANSWERS = " -0123456789"  # a class is an index into this
CLASS = {character: k for k, character in enumerate(ANSWERS)}
ADD, SUBTRACT, CONDITIONAL, LOOP = range(4)
TURNS = 9  # of a loop, at most
NUMBERS = 4  # an operation draws this many literals, and uses those it needs
GUESSED_FROM = 4096
STEPPED = ("naive", "combined")
PACE = 500  # updates

Numbers = npt.NDArray[np.int64]


class ProgramTask(Task):
    """What the tasks of evaluating programs have in common: the programs.

    A program starts with a literal and does `operations` things with it, each of four kinds with probability ¼: add a
    literal, subtract one, choose it or another by comparing two literals, add a literal in a loop of 1 … 9 turns.
    Literals are uniform on 0 … 10^digits − 1. What an operation is done with is first given a variable with
    probability ½ (for a loop always), if it is none. The characters are padded with zero rows *before* the program.
    """

    digits: int = setting(1, "digits of a literal, at most", ge=1, le=9)
    operations: int = setting(1, "operations of a program", ge=1)
    curriculum: Literal["none", "naive", "mix", "combined"] = setting(
        "none",
        "naive: training goes from programs of one operation on one digit to those of the settings, digits first; mix: "
        "it draws digits and operations of each program uniformly from 1 to their settings; combined: a program is of "
        "the one or the other with probability ½; judged at the settings themselves",
    )
    pace: int | None = setting(None, "updates that naive and combined stay at one difficulty; null: 500", ge=1)

    @model_validator(mode="after")
    def _pace_is_of_a_curriculum_in_steps(self) -> Self:
        if self.pace is not None and self.curriculum not in STEPPED:
            raise wrong("pace", f"has a meaning with curriculum: naive or combined, not with {self.curriculum}")
        return self

    @property
    def longest_program(self) -> int:
        """Characters: a program of one operation may be as long as this, one of several nearly so."""
        named = len("a=\na")
        loop = named + len("for x in range(9):a+=\n") + self.digits
        conditional = named + len(" if < else ") + 3 * self.digits
        return len("print()") + self.digits + self.operations * max(loop, conditional)

    @property
    def input_size(self) -> int:
        return len(SYMBOLS)

    @property
    def longest_answer(self) -> int:
        """Characters: a sign and the digits of the largest number that a program can come to."""
        return 1 + len(str((10**self.digits - 1) * (1 + TURNS * self.operations)))

    @property
    def chance(self) -> float:
        """The share of the commonest answer, counted in a sample of programs that is always the same."""
        return _commonest(self.digits, self.operations)

    @property
    def memoryless_loss(self) -> float | None:
        return None

    def batch(self, seed: int, part: Part, index: int, size: int) -> Batch:
        draw = generator(seed, part, index)
        if part != "train" or self.curriculum == "none":
            return self.sample(draw, size)
        digits = draw.integers(1, self.digits + 1, size=size)
        operations = draw.integers(1, self.operations + 1, size=size)
        if self.curriculum in STEPPED:
            now = self.difficulties[min(index // (self.pace or PACE), len(self.difficulties) - 1)]
            stepped = np.full(size, True) if self.curriculum == "naive" else draw.integers(2, size=size) == 0
            digits, operations = np.where(stepped, now[0], digits), np.where(stepped, now[1], operations)
        return self._spelled(programs(draw, digits, operations))

    @property
    def difficulties(self) -> list[tuple[int, int]]:
        """(digits, operations) in the order of the naive curriculum: digits grow first, then operations by one."""
        return [(d, o) for o in range(1, self.operations + 1) for d in range(1, self.digits + 1)]

    def sample(self, generator: np.random.Generator, batch: int) -> Batch:
        return self.of_difficulty(generator, batch, self.digits, self.operations)

    def of_difficulty(self, generator: np.random.Generator, batch: int, digits: int, operations: int) -> Batch:
        """Programs of this many digits and operations, neither more than the settings', in the task's own length."""
        return self._spelled(programs(generator, np.full(batch, digits), np.full(batch, operations)))

    def spelled(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        return ["" if token == PADDING else SYMBOLS[token] for token in inputs.tolist()]

    def _spelled(self, texts: Sequence[str]) -> Batch:
        """Programs and what they print as a batch."""
        raise NotImplementedError

    def read(self, text: str) -> npt.NDArray[np.int8]:
        """A program as tokens (T,), padded before it.

        Raises:
            ValueError: it is longer than the task's, or has a character that no program has.
        """
        unknown = "".join(sorted(set(text) - set(TOKENS)))
        if unknown:
            raise ValueError(f"no program of this task has the characters {unknown!r}")
        if len(text) > self.longest_program:
            raise ValueError(f"no program of this task has more than {self.longest_program} characters")
        tokens = np.full(self.longest_program, PADDING, np.int8)
        tokens[self.longest_program - len(text) :] = [TOKENS[symbol] for symbol in text]
        return tokens


class Programs(ProgramTask):
    """Say what a program prints, all at once.

    The answer is what is printed, set flush right in N characters: blanks, a sign if it is negative, digits, the most
    significant first. Right is the whole answer.
    """

    shape: ClassVar[Shape] = "sequence_to_vector"

    name: Literal["programs"] = setting(..., "which task", column="task")

    @property
    def length(self) -> int:
        return self.longest_program

    @property
    def output_size(self) -> int:
        return len(ANSWERS)

    @property
    def answers(self) -> int:
        return self.longest_answer

    def answered(self, answer: npt.NDArray[np.number[Any]]) -> str:
        return "".join(ANSWERS[k] for k in answer.tolist()).strip()

    def _spelled(self, texts: Sequence[str]) -> Batch:
        targets = [[CLASS[character] for character in f"{evaluated(text):{self.answers}d}"] for text in texts]
        return Batch(np.stack([self.read(text) for text in texts], axis=1), np.array(targets, np.int64).T.copy())


def programs(generator: np.random.Generator, digits: Numbers, operations: Numbers) -> list[str]:
    """A program of each number of digits and operations."""
    n, most = len(digits), int(operations.max())
    first = generator.integers(10**digits)
    kinds = generator.integers(4, size=(most, n))
    literals = generator.integers(10**digits, size=(most, NUMBERS, n))
    turns = generator.integers(1, TURNS + 1, size=(most, n))
    named = generator.integers(2, size=(most, n))
    variables = generator.permuted(np.tile(list(VARIABLES), (n, 1)), axis=1)
    return [
        written(
            int(first[b]), kinds[: operations[b], b].tolist(), literals[:, :, b].tolist(), turns[:, b].tolist(),
            named[:, b].tolist(), variables[b].tolist(),
        )
        for b in range(n)
    ]  # fmt: skip


def written(
    first: int,
    kinds: Sequence[int],
    literals: Sequence[Sequence[int]],
    turns: Sequence[int],
    named: Sequence[int],
    variables: Sequence[str],
) -> str:
    """The text of a program.

    Args:
        first: the number that it starts with.
        kinds: of each operation.
        literals: numbers of each operation, as many as it needs.
        turns: of each operation, if it is a loop.
        named: whether what each operation is done with is given a variable first; a loop needs one.
        variables: names in the order of their use.
    """
    names = cycle(variables)
    lines, now = [], str(first)
    for kind, (k, low, high, other), count, name in zip(kinds, literals, turns, named, strict=False):
        if (name or kind == LOOP) and not now.isalpha():
            variable = next(names)
            lines.append(f"{variable}={now}")
            now = variable
        whole = f"({now})" if "if" in now else now
        if kind == ADD:
            now = f"({whole}+{k})" if low % 2 else f"({k}+{whole})"
        elif kind == SUBTRACT:
            now = f"({whole}-{k})"
        elif kind == CONDITIONAL:
            now = f"{whole} if {low}<{high} else {other}"
        else:
            lines.append(f"for x in range({count}):{now}+={k}")
    return "\n".join([*lines, f"print({now})"])


OPERATORS: dict[type[ast.AST], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Lt: operator.lt,
    ast.Gt: operator.gt,
}


def evaluated(text: str) -> int:
    """What a program prints, by an interpreter of nothing but what programs are made of.

    It knows assignments, `+=`, loops over a `range`, sums, differences, comparisons by < or >, conditional
    expressions, and one `print` at the end of at most one number.

    Raises:
        ValueError: anything else stands in the program, or nothing is printed.
        SyntaxError: it is no Python.
    """
    variables: dict[str, int] = {}
    statements = ast.parse(text).body
    if not statements:
        raise ValueError("a program without a statement prints nothing")
    *body, last = statements
    for statement in body:
        _execute(statement, variables)
    match last:
        case ast.Expr(ast.Call(ast.Name("print"), [number], [])):
            return _value(number, variables)
    raise ValueError(f"a program ends with print(…), not with {ast.unparse(last)}")


def _execute(statement: ast.stmt, variables: dict[str, int]) -> None:
    match statement:
        case ast.Assign([ast.Name(name)], value):
            variables[name] = _value(value, variables)
        case ast.AugAssign(ast.Name(name) as target, ast.Add() | ast.Sub() as sign, value):
            variables[name] = OPERATORS[type(sign)](_value(target, variables), _value(value, variables))
        case ast.For(ast.Name(name), ast.Call(ast.Name("range"), [end], []), body, []):
            for turn in range(_value(end, variables)):
                variables[name] = turn
                for each in body:
                    _execute(each, variables)
        case _:
            raise ValueError(f"no such statement in a program: {ast.unparse(statement)}")


def _value(expression: ast.expr, variables: dict[str, int]) -> int:
    match expression:
        case ast.Constant(int(number)):
            return number
        case ast.Name(name) if name in variables:
            return variables[name]
        case ast.BinOp(left, ast.Add() | ast.Sub() as sign, right):
            return OPERATORS[type(sign)](_value(left, variables), _value(right, variables))
        case ast.Compare(left, [ast.Lt() | ast.Gt() as sign], [right]):
            return OPERATORS[type(sign)](_value(left, variables), _value(right, variables))
        case ast.IfExp(test, chosen, other):
            return _value(chosen if _value(test, variables) else other, variables)
    raise ValueError(f"no such expression in a program: {ast.unparse(expression)}")


@cache
def _commonest(digits: int, operations: int) -> float:
    draw = generator(0, "commonest answer of programs")
    texts = programs(draw, np.full(GUESSED_FROM, digits), np.full(GUESSED_FROM, operations))
    return Counter(map(evaluated, texts)).most_common(1)[0][1] / GUESSED_FROM
