"""Networks, schedules and optimizers that make no sense: one located message each, when the study is read."""

from __future__ import annotations

import pytest

from harness.errors import StudyError
from harness.registry import read

HEAD = "name: a\nclaim: b.\nseeds: 1\n"
ORDER = "task: {name: temporal_order, sequence_length: 20}\n"
MODEL = "model: {cell: rnn}\n"


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (f"{ORDER}model: {{cell: rnn, layers: 0}}", "F:5:28: model.layers: input should be greater than or equal to 1"),
        (
            f"{ORDER}model: {{cell: rnn, layers: 3, layer_sizes: [8, 4]}}",
            "F:5:44: model.layer_sizes: has 2 widths, and layers is 3; leave layers out",
        ),
        (
            f"{ORDER}model: {{cell: rnn, layer_sizes: []}}",
            "F:5:33: model.layer_sizes: is empty; give each layer's width, such as [64, 32]",
        ),
        (f"{ORDER}model: {{cell: rnn, layer_sizes: [0, 0]}}", "F:5:33: model.layer_sizes: "),
        (f"{ORDER}model: {{cell: rnn, layer_sizes: [a]}}", "F:5:33: model.layer_sizes: "),
        (
            f"{ORDER}model: {{cell: rnn, layer_sizes: [8, 6]}}\nsweep: {{model.hidden_size: [4]}}",
            "F:6:29: model.hidden_size: layer_sizes stands in its place, so it cannot be swept there",
        ),
        (f"{ORDER}model: {{cell: rnn, dropout: 1.0}}", "F:5:29: model.dropout: input should be less than 1, not 1.0"),
        (f"{ORDER}model: {{cell: rnn, residual: ad}}", "F:5:30: model.residual: no choice 'ad'"),
        (f"{ORDER}model: {{cell: rnn, residual: true}}", "F:5:30: model.residual: "),
        (f"{ORDER}model: {{cell: rnn, normalised: foo}}", "F:5:32: model.normalised: no choice 'foo'"),
        (
            f"{ORDER}model: {{cell: rnn, normalisation: foo, normalised: between}}",
            "F:5:35: model.normalisation: no choice 'foo'",
        ),
        (
            "task: {name: adding, sequence_length: {low: 0, high: 20}}\nmodel: {cell: rnn}",
            "F:4:39: task.sequence_length: low: 0 is less than one step",
        ),
        (f"{ORDER}model: {{cell: rnn, layer_sizes: 8}}", "F:5:33: model.layer_sizes: must be a list, such as [8]"),
        (
            f"{ORDER}model: {{cell: rnn, layers: 2, dropout: 1.0}}",
            "F:5:40: model.dropout: input should be less than 1, not 1.0",
        ),
        (
            f"{ORDER}model: {{cell: rnn, layer_sizes: [8, 4], residual: add}}",
            "F:5:51: model.residual: adds what layers pass on, and their widths are 8, 4",
        ),
        (
            "task: {name: echo}\nmodel: {cell: rnn, bidirectional: true}\ntraining: {bptt_window: 5}",
            "F:5:35: model.bidirectional: has no meaning for 'echo': its state is carried on",
        ),
        (
            "task: {name: dates}\nmodel: {cell: rnn, bidirectional: true}",
            "F:5:35: model.bidirectional: has no meaning for 'dates': its decoder has no later symbols to read",
        ),
        (
            f"{ORDER}model: {{cell: rnn, bidirectional: true}}\ntraining: {{bptt_window: 5}}",
            "F:6:25: training.bptt_window: cuts before the last steps, which a backward direction reads first",
        ),
        (
            f"{ORDER}{MODEL}training: {{max_updates: 50, schedule: {{name: cosine, T_max: 60}}}}",
            "F:6:61: training.schedule.T_max: 60 updates are more than the budget of 50 updates",
        ),
        (
            f"{ORDER}{MODEL}training: {{optimizer: {{name: adamw, weight_decai: 0.1}}}}",
            "F:6:37: training.optimizer.weight_decai: no such keyword of 'adamw'; did you mean 'weight_decay'?",
        ),
        (
            f"{ORDER}model: {{cell: rnn, layers: 2, dropout: 0.1}}\nrecord: {{probes: [unit_gradients]}}",
            "F:6:18: record.probes: unit_gradients goes through the network without dropout",
        ),
        (
            f"{ORDER}model: {{cell: rnn, layers: 2}}\nrecord: {{probes: [saturation]}}",
            "F:6:18: record.probes: 'saturation' follows one recurrence; of several layers: parameter_gradients, unit",
        ),
        (
            f"{ORDER}model: {{cell: indrnn, normalisation: layer}}",
            "F:5:38: model.normalisation: 'indrnn' has no W h to normalise; set model.normalised: between",
        ),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_its_place(study_file, sections: str, message: str) -> None:
    path = study_file(f"{HEAD}{sections}\n")
    with pytest.raises(StudyError) as caught:
        read(path, ())
    [problem] = caught.value.problems
    assert str(problem).replace(str(path), "F").startswith(message)


@pytest.mark.parametrize(
    ("sections", "note"),
    [
        (f"{ORDER}model: {{cell: rnn, dropout: 0.3}}", "model.dropout"),
        (f"{ORDER}model: {{cell: rnn, residual: add}}", "model.residual"),
        (f"{ORDER}{MODEL}sweep: {{model.dropout: [0.0, 0.1]}}", "model.dropout"),
        (f"{ORDER}model: {{cell: rnn, layers: 2, dropout: 0.3}}", ""),
        (f"{ORDER}{MODEL}sweep: {{model.dropout: [0.0, 0.1], model.layers: [1, 2]}}", ""),
        (f"{ORDER}model: {{cell: rnn, layer_sizes: [8, 8]}}", ""),
        (f"{ORDER}model: {{cell: rnn, dropout: 0.0}}", ""),
    ],
)
def test_what_lies_between_layers_and_has_no_use_is_noted(study_file, sections: str, note: str) -> None:
    expected = f"{note} is set, but no point of this study has a use for it; it acts between layers: set model.layers"
    assert read(study_file(f"{HEAD}{sections}\n"), ()).notes() == ((expected,) if note else ())


def test_the_width_of_unequal_layers_is_the_last_ones_whatever_else_is_written(study_file) -> None:
    texts = [f"{HEAD}{ORDER}model: {{cell: rnn, layer_sizes: [8, 6]{more}}}\n" for more in ("", ", hidden_size: 50")]
    (one,), (other,) = (read(study_file(text), ()).points for text in texts)
    assert one.key == other.key
    assert one.columns()["hidden_size"] == 6
