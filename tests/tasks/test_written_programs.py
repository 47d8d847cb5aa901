"""Written programs: the number that is printed, digit by digit in either order; curricula go from easy to hard."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_networks import stacked
from pydantic import ValidationError

from harness.cells import CELLS
from harness.models.encoder_decoder import EncoderDecoder
from harness.models.sampling import answer_to
from harness.probes import program_answers
from harness.probes.artifacts import tensors
from harness.probes.program_answers import EACH, at_difficulties, code_measures, encoder_slope
from harness.recurrence.scan import scan_layers
from harness.rng import generator
from harness.tasks.programs import PACE, Programs, evaluated
from harness.tasks.task import UNSCORED
from harness.tasks.translation import finished
from harness.tasks.written_programs import JUDGED, LECTURES, WRITTEN, WrittenPrograms, at_difficulty

GRU = CELLS["gru"](cell="gru", hidden_size=8)


def task(**settings) -> WrittenPrograms:
    return WrittenPrograms(name="written_programs", **{"digits": 2, "operations": 2, **settings})


@pytest.mark.parametrize("backwards", [False, True])
def test_the_answer_is_what_the_program_prints(backwards: bool) -> None:
    own = task(reversed=backwards)
    batch = own.batch(3, "train", 0, 300)
    texts = ["".join(own.spelled(column)) for column in batch.inputs.T]
    assert [own.answered(column) for column in batch.targets.T] == [str(evaluated(text)) for text in texts]
    assert any(evaluated(text) < 0 for text in texts)


def test_a_reversed_answer_has_its_sign_first_and_its_digits_in_the_other_order() -> None:
    forward, backward = (task(reversed=each).batch(3, "train", 0, 300) for each in (False, True))
    assert (forward.inputs == backward.inputs).all()
    for one, other in zip(forward.targets.T, backward.targets.T, strict=True):
        n = int((one != UNSCORED).sum()) - 1
        first = int(one[0] == WRITTEN.index("-"))
        assert other[first:n].tolist() == one[first:n].tolist()[::-1]
        assert other[:first].tolist() == one[:first].tolist()
        assert one[n] == other[n] == len(WRITTEN)


def test_the_lectures_programs_print_what_the_lecture_says_and_are_programs_of_the_task() -> None:
    assert [evaluated(text) for text in LECTURES] == [25011, 12184]
    own = task(digits=4, operations=3)
    assert ["".join(own.spelled(own.read(text))) for text in LECTURES] == list(LECTURES)


@pytest.mark.parametrize(("text", "reason"), [("print(1)" * 20, "more than"), ("print(y)", "the characters 'y'")])
def test_what_is_no_program_of_the_task_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"no program of this task has {reason}"):
        task().read(text)


def difficulty(text: str) -> int:
    """The most digits of a literal."""
    digits = "".join(c if c.isdigit() else " " for c in text.replace("range(", "").replace("x in", ""))
    return max(map(len, digits.split()))


@pytest.mark.parametrize("kind", [Programs, WrittenPrograms])
def test_the_naive_curriculum_goes_from_one_digit_and_one_operation_to_the_settings(kind) -> None:
    own = kind(
        name=kind.model_fields["name"].annotation.__args__[0], digits=3, operations=2, curriculum="naive", pace=10
    )
    assert own.difficulties == [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (3, 2)]
    for stage, (digits, _) in enumerate([*own.difficulties, (3, 2)]):
        texts = ["".join(own.spelled(column)) for column in own.batch(1, "train", 10 * stage, 200).inputs.T]
        assert max(map(difficulty, texts)) == digits
    judged = ["".join(own.spelled(column)) for column in own.batch(1, "final", 0, 200).inputs.T]
    assert max(map(difficulty, judged)) == 3


def test_the_combined_curriculum_has_all_difficulties_at_once_and_half_of_the_present_one() -> None:
    own = task(digits=5, operations=1, curriculum="combined")
    n = 4000
    now = 2  # three digits
    counted = [difficulty("".join(own.spelled(column))) for column in own.batch(1, "train", now * PACE, n).inputs.T]
    mixed = [
        difficulty("".join(own.spelled(c)))
        for c in task(digits=5, operations=1, curriculum="mix").batch(2, "train", 0, n).inputs.T
    ]
    alone = [difficulty("".join(own.spelled(c))) for c in task(digits=3, operations=1).batch(2, "train", 0, n).inputs.T]
    shares, mix, three = (np.bincount(each, minlength=6) / n for each in (counted, mixed, alone))
    assert abs(shares - (mix + three) / 2).max() < 6 * np.sqrt(0.25 / n)


@pytest.mark.parametrize("curriculum", ["none", "mix"])
def test_a_pace_without_steps_is_refused(curriculum: str) -> None:
    with pytest.raises(ValidationError, match="naive or combined"):
        task(curriculum=curriculum, pace=100)


def test_an_untrained_network_has_hardly_a_digit_right_and_its_answer_is_that_of_its_own_text(monkeypatch) -> None:
    for name, programs in {"TESTED": 256, "EACH": 16, "ADJOINTS": 4}.items():
        monkeypatch.setattr(program_answers, name, programs)
    own = task(digits=4, operations=3)
    model = EncoderDecoder(own, GRU, None, "torch")
    parameters = {name: value.detach() for name, value in stacked([model.initialise(GRU, 3)]).items()}
    measures = code_measures(model, parameters, 3)
    assert set(measures) == {column.name for column in own.measures}
    assert 0 <= measures["digit_accuracy"] < 0.3
    assert measures["lecture_program_1"] == answer_to(model, parameters, LECTURES[0])
    small = task(digits=1, operations=1)
    assert answer_to(EncoderDecoder(small, GRU, None, "torch"), parameters, LECTURES[0]) is None


def test_answers_without_the_last_digit_of_the_alphabet_are_tokens_all_the_same() -> None:
    assert finished(["0", "-1"], WRITTEN, 3).T.tolist() == [[1, 11, UNSCORED, UNSCORED], [0, 2, 11, UNSCORED]]


class Zero(EncoderDecoder):
    """Writes 0 for every program, and knows of no digit before."""

    def answers(self, parameters, inputs, targets):
        symbols = torch.full_like(targets, len(WRITTEN))
        symbols[0] = WRITTEN.index("0")
        return symbols, ((symbols == targets) | (targets == UNSCORED)).all(0)

    def outputs(self, parameters, inputs, targets, state=None, recorder=None, masks=()):
        logits = torch.zeros(*targets.shape, len(WRITTEN) + 1)
        logits[..., WRITTEN.index("0")] = 1.0
        return logits, ()


def test_a_network_is_judged_at_programs_of_every_difficulty_up_to_its_own() -> None:
    own = task(digits=2, operations=2)
    model = Zero(own, GRU, None, "torch")
    measures = at_difficulties(model, {"U": torch.zeros(1, 1)}, 5)
    shares = {"exact_match": [], "forced_accuracy": []}
    for digits, operations in JUDGED:
        names = {name: at_difficulty(name, digits, operations) for name in shares}
        if digits > own.digits or operations > own.operations:
            assert [measures[name] for name in names.values()] == [None, None]
            continue
        draw = generator(5, f"programs of {digits} digits and {operations} operations")
        texts = ["".join(own.spelled(column)) for column in own.of_difficulty(draw, EACH, digits, operations).inputs.T]
        assert max(map(difficulty, texts)) <= max(digits, 1)
        prints = [str(evaluated(text)) for text in texts]
        shares["exact_match"].append(prints.count("0") / EACH)
        shares["forced_accuracy"].append("".join(prints).count("0") / len("".join(prints)))
        assert [measures[name] for name in names.values()] == pytest.approx([each[-1] for each in shares.values()])
    assert {name: measures[f"{name}_mean"] for name in shares} == pytest.approx(
        {name: np.mean(each) for name, each in shares.items()}
    )


def test_the_slope_in_the_encoder_is_that_of_autograd() -> None:
    own = task(digits=1, operations=1)
    model = EncoderDecoder(own, GRU, None, "torch")
    parameters = {name: value.detach().double() for name, value in stacked([model.initialise(GRU, 3)]).items()}
    batch = own.batch(3, "final", 0, 4)
    inputs, targets = tensors(batch, parameters)

    def level(t: int) -> float:
        """log₁₀ of the mean norm of ∂L/∂h_t, the state after t steps a leaf."""
        state = scan_layers(model.stack, parameters, inputs[:t], model.start(parameters, *inputs.shape[1:3]))[1]
        leaf = state[0].detach().requires_grad_()
        code = scan_layers(model.stack, parameters, inputs[t:], (leaf,))[1] if t < len(inputs) else (leaf,)
        following = EncoderDecoder(own, GRU, None, "torch")
        object.__setattr__(following, "encode", lambda *_: code)
        model_loss = following.losses(following.outputs(parameters, inputs, targets)[0], targets).sum()
        [gradient] = torch.autograd.grad(model_loss, leaf)
        return float(torch.log10((4 * gradient.norm(dim=-1)).mean()))

    expected = (level(1) - level(len(inputs))) / (len(inputs) - 1)
    assert encoder_slope(model, parameters, batch) == pytest.approx(expected, rel=1e-9)
