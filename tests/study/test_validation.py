"""A study is read whole or not at all; errors report file, line and column, all at once, and the nearest right name."""

from __future__ import annotations

import pytest
from study_texts import study_text

from harness.errors import HarnessError, StudyError
from harness.execution.options import conditions
from harness.registry import read

GOOD = """\
name: good
claim: It reads.
task: {name: temporal_order, sequence_length: 20}
model: {cell: rnn, hidden_size: 8, forget_bias: 1.0}
training: {max_updates: 10}
sweep:
  - {model.cell: [rnn, lstm], task.sequence_length: [20, 50]}
  - {model.cell: [gru]}
seeds: 3
"""


def problems_of(study_file, text: str, *overrides: str) -> list[str]:
    """The messages with which a study is refused; F stands for the file."""
    with pytest.raises(StudyError) as caught:
        read(study_file(text), overrides)
    return [str(problem).replace(str(study_file(text)), "F") for problem in caught.value.problems]


def with_line(line: str, text: str = GOOD) -> str:
    """A study with a line, which becomes its first, in place of the one with the same key."""
    key = line.partition(":")[0]
    lines = [x for x in text.splitlines() if not x.startswith(f"{key}:")]
    if key == "sweep":
        lines = [x for x in lines if not x.startswith("  - ")]
    return "\n".join([line, *lines]) + "\n"


def test_a_good_study_is_the_union_of_its_products(study_file) -> None:
    study = read(study_file(GOOD))
    columns = [point.columns() for point in study.points]
    assert [(c["cell"], c["sequence_length"]) for c in columns] == [
        ("rnn", 20),
        ("rnn", 50),
        ("lstm", 20),
        ("lstm", 50),
        ("gru", 20),
    ]
    assert study.seeds == (0, 1, 2)
    assert set(study.axes()) == {"cell", "sequence_length"}


def test_points_that_two_products_share_are_there_once(study_file) -> None:
    text = with_line("sweep: [{model.cell: [rnn, lstm]}, {model.cell: [lstm, gru]}]")
    assert [point.columns()["cell"] for point in read(study_file(text)).points] == ["rnn", "lstm", "gru"]


def test_a_key_without_meaning_for_a_cell_is_null_if_inherited(study_file) -> None:
    biases = {p.columns()["cell"]: p.columns().get("forget_bias") for p in read(study_file(GOOD)).points}
    assert biases == {"rnn": None, "lstm": 1.0, "gru": None}


@pytest.mark.parametrize(
    ("line", "messages"),
    [
        ("model: {cell: lstmm}", ["F:1:15: model.cell: no cell 'lstmm'; did you mean 'lstm'?"]),
        ("modle: {cell: rnn}", ["F:1:1: modle: no such key; did you mean 'model'?"]),
        (
            "model: {cell: rnn, hiden_size: 3}",
            ["F:1:20: model.hiden_size: no such setting; did you mean 'hidden_size'?"],
        ),
        (
            "model: {cell: rnn, hidden_size: 8.5}",
            ["F:1:33: model.hidden_size: input should be a valid integer, not 8.5"],
        ),
        (
            "model: {cell: rnn, hidden_size: true}",
            ["F:1:33: model.hidden_size: input should be a valid integer, not True"],
        ),
        ("model: [rnn]", ["F:1:8: model: must be a mapping of settings, not ['rnn']"]),
        (
            "training: {bptt_window: 0}",
            ["F:1:25: training.bptt_window: input should be greater than or equal to 1, not 0"],
        ),
        (
            "training: {optimizer: adm}",
            ["F:1:23: training.optimizer: no choice 'adm'; did you mean 'adam'? (adadelta, adagrad, adam, adamax, ad"],
        ),
        ("training: {optimizer: AdamW}", ["F:1:23: training.optimizer: no choice 'AdamW'; did you mean 'adamw'?"]),
        ("training: {optimizer: 3}", ["F:1:23: training.optimizer: no choice 3; there are (adadelta, adagrad, adam,"]),
        ("training: {optimizer: {eps: 0.1}}", ["F:1:23: training.optimizer: a mapping has a name; there are (adadelt"]),
        (
            "training: {optimizer: {name: adamww}}",
            ["F:1:30: training.optimizer.name: no choice 'adamww'; did you mean 'adamw'?"],
        ),
        (
            "training: {optimizer: {name: adamw, weight_decai: 0.1, betas: [0.9, 1]}}",
            [
                "F:1:37: training.optimizer.weight_decai: no such keyword of 'adamw'; did you mean 'weight_decay'? (am",
                "F:1:63: training.optimizer.betas: number 2 of [0.9, 1]: input should be less than 1, not 1",
            ],
        ),
        (
            "training: {optimizer: {name: sgd, momentum: -1, nesterov: 1}}",
            [
                "F:1:45: training.optimizer.momentum: input should be greater than or equal to 0, not -1",
                "F:1:59: training.optimizer.nesterov: input should be a valid boolean, not 1",
            ],
        ),
        (
            "training: {optimizer: {name: sgd, nesterov: true}}",
            ["F:1:45: training.optimizer.nesterov: needs a momentum above 0"],
        ),
        (
            "training: {optimizer: {name: sgd, lr: 0.1}}",
            ["F:1:39: training.optimizer.lr: is training.learning_rate, a setting of its own"],
        ),
        (
            "training: {optimizer: {name: adam, fused: true}}",
            ["F:1:43: training.optimizer.fused: is not for a study: it would compute in another order for a stack"],
        ),
        (
            "training: {optimizer: {name: adam, capturable: true, differentiable: true, foreach: null}}",
            [
                "optimizer.capturable: is not for",
                "optimizer.differentiable: is not for",
                "optimizer.foreach: is not for",
            ],
        ),
        (
            "training: {optimizer: Muon}",
            ["F:1:23: training.optimizer: no choice 'Muon': it is not elementwise (it orth"],
        ),
        ("training: {optimizer: adafactor}", ["no choice 'adafactor': it is not elementwise (it divides by means"]),
        ("training: {optimizer: {name: lbfgs}}", ["F:1:30: training.optimizer.name: no choice 'lbfgs': it is not el"]),
        ("training: {optimizer: sparseadam}", ["no choice 'sparseadam': it is for sparse gradients"]),
        (
            "sweep: {training.optimizer: [adam, {name: sgd, momentm: 0.9}]}",
            ["F:1:48: training.optimizer.momentm: no such keyword of 'sgd'; did you mean 'momentum'?"],
        ),
        ("training: {schedule: cosin}", ["F:1:22: training.schedule: no choice 'cosin'; did you mean 'cosine'?"]),
        (
            "training: {schedule: step}",
            ["F:1:22: training.schedule: 'step' needs step_size: {name: step, step_size: …}"],
        ),
        (
            "training: {schedule: {name: exponential, warm_up: 2.5}}",
            [
                "F:1:22: training.schedule.gamma: must be given with 'exponential'",
                "F:1:51: training.schedule.warm_up: input should be a valid integer, not 2.5",
            ],
        ),
        (
            "training: {dtype: float16}",
            ["F:1:19: training.dtype: no choice 'float16'; did you mean 'bfloat16'? (bfloat"],
        ),
        ("training: {learning_rate: .nan}", ["F:1:27: training.learning_rate:"]),
        ("task: {name: temporal_order, sequence_length: 3}", ["too short"]),
        ("sweep: {model.cell: []}", ["F:1:21: model.cell: the axis is empty"]),
        ("sweep: {model.cell: rnn}", ["F:1:21: model.cell: an axis is a list of values, such as [rnn]"]),
        ("sweep: {model.cell: [rnn, rnn]}", ["F:1:21: model.cell: the axis has a value twice"]),
        ("sweep: {cell: [rnn]}", ["F:1:9: cell: an axis is named section.setting; did you mean 'model.cell'?"]),
        ("sweep: {model.sell: [rnn]}", ["F:1:9: model.sell: no such setting; did you mean 'cell'?"]),
        (
            "sweep: {model.cell: [rnn], model.forget_bias: [1.0]}",
            ["F:1:48: model.forget_bias: has no meaning for 'rnn', so it cannot be swept there"],
        ),
        ("sweep: {model.spectral_radius: [0.9]}", ["model.spectral_radius: has no meaning with init: torch"]),
        ("sweep: 3", ["F:1:8: sweep: must be a mapping of axes"]),
        ("seeds: 0", ["F:1:8: seeds: must be a count from 1 to 100,000"]),
        ("seeds: [1, 1]", ["F:1:8: seeds: a seed is there twice"]),
        ("seeds: [-1]", ["F:1:8: seeds: a seed is a whole number"]),
        ("name: ../up", ["F:1:7: name: '../up' will not do"]),
        ("claim: 7", ["F:1:8: claim: 7 will not do"]),
        ("experiment: trainin", ["F:1:13: experiment: no experiment 'trainin'; did you mean 'training'?"]),
        ("figures: [{kind: sucess}]", ["F:1:18: figures: no kind 'sucess'; did you mean 'success'?"]),
        ("figures: [{kind: success, hues: cell}]", ["F:1:27: figures: hues: no such setting; did you mean 'hue'?"]),
        (
            "figures: [{kind: success, where: {sell: rnn}}]",
            ["F:1:35: figures: where: no column 'sell'; did you mean 'cell'?"],
        ),
        ("figures: [{kind: success}, {kind: success}]", ["two figures are called 'success'"]),
        (
            "expect: [{metric: succes_rate, at_least: 1}]",
            ["F:1:19: expect: no metric 'succes_rate'; did you mean 'success_rate'?"],
        ),
        ("expect: [{metric: success_rate}]", ["F:1:10: expect: give either at_least/at_most or a contrast"]),
        (
            "expect: [{metric: residual, at_most: 1, judge: interval}]",
            ["F:1:48: expect: judge: residual is no sample of anything and has no interval: it is judged on its value"],
        ),
        ("expect: [{metric: success_rate, at_least: 1, where: {cel: rnn}}]", ["no column 'cel'; did you mean 'cell'?"]),
        ("expect: 4", ["F:1:9: expect: must be a list"]),
        ("record: {adjoints: {every: 0}}", ["record.adjoints:"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_error_reports_line_and_column_and_the_nearest_name(study_file, line: str, messages: list[str]) -> None:
    problems = problems_of(study_file, with_line(line))
    assert len(problems) == len(messages)
    for problem, message in zip(problems, messages, strict=True):
        assert message in problem


def test_all_errors_are_reported_at_once_in_the_order_of_the_file(study_file) -> None:
    text = (
        GOOD.replace("rnn, hidden_size: 8", "rnnn, hidden_size: 0")
        .replace("max_updates", "max_update")
        .replace("seeds: 3", "seeds: no")
    )
    problems = problems_of(study_file, text)
    assert [problem.split(":")[1] for problem in problems] == ["4", "4", "5", "9"]


def test_a_syntax_error_is_reported_alone_with_its_place(study_file) -> None:
    [problem] = problems_of(study_file, GOOD + "figures: [unclosed\n")
    assert problem.startswith("F:11:1: ")
    assert "syntax" in problem


@pytest.mark.parametrize("text", ["", "7", "- a\n- b", "just text"])
def test_a_text_that_is_no_mapping_is_refused(study_file, text: str) -> None:
    [problem] = problems_of(study_file, text)
    assert "a study is a mapping" in problem


def test_duplicate_keys_are_an_error_not_the_last_one(study_file) -> None:
    [problem] = problems_of(study_file, GOOD + "seeds: 4\n")
    assert "duplicate key" in problem


def test_a_number_in_scientific_notation_is_a_number(study_file) -> None:
    study = read(study_file(with_line("training: {learning_rate: 1e-3}")))
    assert study.points[0].columns()["learning_rate"] == 1e-3


@pytest.mark.parametrize(
    ("name", "message"),
    [("", "is a directory; a study is one file (tiny.yaml)"), ("other.yaml", "no such study; beside it: tiny.yaml")],
)
def test_a_path_that_is_no_study_is_reported_with_the_studies_beside_it(study_file, name: str, message: str) -> None:
    folder = study_file().parent
    with pytest.raises(HarnessError) as caught:
        read(folder / name if name else folder)
    assert message in str(caught.value)


def test_a_file_that_is_not_text_is_refused(study_file) -> None:
    path = study_file()
    path.write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(HarnessError, match="not a text file in UTF-8"):
        read(path)


# --- overrides ------------------------------------------------------------------------------------------------------


def lengths(study) -> list[tuple]:
    return [(p.columns()["cell"], p.columns()["sequence_length"]) for p in study.points]


def test_an_override_replaces_a_swept_axis_in_every_product_that_has_it(study_file) -> None:
    study = read(study_file(GOOD), ["model.cell=[lstm]"])
    assert lengths(study) == [("lstm", 20), ("lstm", 50)]


def test_a_scalar_override_of_a_swept_key_leaves_one_value(study_file) -> None:
    assert lengths(read(study_file(GOOD), ["task.sequence_length=30"])) == [("rnn", 30), ("lstm", 30), ("gru", 30)]


def test_a_list_override_of_a_key_that_is_not_swept_makes_an_axis(study_file) -> None:
    study = read(study_file(GOOD), ["training.bptt_window=[5, null]"])
    assert len(study.points) == 10
    assert {p.columns()["bptt_window"] for p in study.points} == {5, None}


def test_a_list_is_one_value_of_a_key_that_takes_lists(study_file) -> None:
    study = read(study_file(GOOD), ["record.adjoints=[3, 5]"])
    assert len(study.points) == 5
    assert study.points[0].sections.record.adjoints == (3, 5)


def test_an_override_may_be_a_mapping_and_a_list_of_words_and_mappings_is_an_axis(study_file) -> None:
    [point] = read(study_file(study_text()), ["training.optimizer={name: adamw, weight_decay: 0.1}"]).points
    assert point.columns()["optimizer"] == '{"name":"adamw","weight_decay":0.1}'
    axis = "training.optimizer=[sgd, {name: sgd, momentum: 0.9}, {name: adam}]"
    study = read(study_file(study_text()), [axis])
    assert [point.columns()["optimizer"] for point in study.points] == [
        "sgd", '{"momentum":0.9,"name":"sgd"}', "adam"
    ]  # fmt: skip
    assert study.axes() == ("optimizer",)
    assert read(study_file(study_text(sweep={"training.optimizer": ["rmsprop"]})), [axis]).axes() == ("optimizer",)


def test_a_filter_reads_a_mapping_as_a_study_writes_it(study_file) -> None:
    study = read(study_file(study_text()), ())
    for text in ("optimizer={name: sgd, momentum: 0.9}", 'optimizer={"name":"sgd","momentum":0.9}'):
        assert conditions([text], study) == {"optimizer": ['{"momentum":0.9,"name":"sgd"}']}, text
    assert conditions(["optimizer=sgd,adam"], study) == {"optimizer": ["sgd", "adam"]}


def test_an_override_of_a_keyword_says_that_the_mapping_is_written_whole(study_file) -> None:
    [problem] = problems_of(study_file, study_text(), "training.optimizer.weight_decay=0.1")
    assert problem == (
        "-S 1: 'training.optimizer.weight_decay=0.1' is not key=value, such as "
        "training.optimizer={name: …, weight_decay: 0.1}"
    )
    [problem] = problems_of(study_file, study_text(), "training.optimizer.name=adamw")
    assert problem.endswith("is not key=value, such as training.optimizer=adamw")


def test_an_override_can_replace_the_whole_sweep_the_seeds_and_a_setting(study_file) -> None:
    study = read(study_file(GOOD), ["sweep=[{model.cell: [gru]}]", "seeds=[7, 9]", "training.max_updates=3"])
    assert lengths(study) == [("gru", 20)]
    assert study.seeds == (7, 9)
    assert study.points[0].columns()["max_updates"] == 3


def test_an_override_makes_a_sweep_where_there_was_none(study_file) -> None:
    assert lengths(read(study_file(study_text()), ["model.cell=[rnn, gru]"])) == [("rnn", 12), ("gru", 12)]


def test_errors_in_overrides_name_the_override(study_file) -> None:
    overrides = ("model.hidden_size=9", "training.bptt_window=0", "nonsense", "model.cell=[lstmm]", "seeds=[")
    problems = problems_of(study_file, GOOD, *overrides)
    assert [problem.partition(": ")[0] for problem in problems] == ["-S 2", "-S 3", "-S 4", "-S 5"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("training: {bptt_stride: 5}", "F:1:25: training.bptt_stride: has a meaning only where the state is carried"),
        ("record: {codes: 3}", "F:1:17: record.codes: 'temporal_order' has no code"),
        ("model: {cell: gru, init: lecture}", "F:1:26: model.init: no choice 'lecture'; there are (gaussian, identity"),
        (
            "model: {cell: lstm, init: lecture, biases: 1}",
            "F:1:27: model.init: the lecture's own draw is that of an rnn",
        ),
        ("record: {probes: [saturation, saturation]}", "F:1:18: record.probes: names a probe twice"),
        ("record: {probes: [saturatio]}", "F:1:18: record.probes: no probe 'saturatio'; did you mean 'saturation'? (j"),
        (
            "training: {max_updates: 50, schedule: {name: constant, warm_up: 51}}",
            "F:1:65: training.schedule.warm_up: 51 updates are more than the budget of 50 updates",
        ),
        (
            "training: {max_updates: 50, schedule: {name: cosine, T_max: 60}}",
            "F:1:61: training.schedule.T_max: 60 updates are more than the budget of 50 updates",
        ),
        (
            "training: {max_updates: 50, schedule: {name: linear, warm_up: 20, total_iters: 31}}",
            "F:1:80: training.schedule.total_iters: 31 updates are more than the 30 that the warm-up leaves of the",
        ),
        (
            "training: {max_updates: 50, schedule: {name: step, step_size: 50}}",
            "F:1:63: training.schedule.step_size: the first step would come after 50 updates, not within the budget of",
        ),
        (
            "training: {max_updates: 5000, schedule: {name: exponential, gamma: 2}}",
            "F:1:68: training.schedule.gamma: the learning rate would grow beyond every number within the budget",
        ),
        (
            "sweep: {training.schedule: [constant, {name: cosine, T_max: 9}]}",
            "F:1:61: training.schedule.T_max: 9 updates are more than the budget of 2 updates",
        ),
        (
            "training: {max_updates: 50, optimizer: rprop, schedule: cosine}",
            "F:1:57: training.schedule: has no meaning with rprop, which takes the learning rate for its first step",
        ),
        ("model: {cell: window, match: recurrent_parameters}", "F:1:30: model.match: 'window' has no recurrent"),
    ],
)
def test_settings_that_cannot_go_together_are_reported_with_line_and_column(
    study_file, line: str, message: str
) -> None:
    [problem] = problems_of(study_file, with_line(line, study_text()))
    assert message in problem


def test_an_override_reaches_products_that_sweep_the_key_and_those_that_do_not(study_file) -> None:
    text = study_text(sweep=[{"model.cell": ["rnn"]}, {"model.cell": ["lstm"], "training.max_updates": [100, 200]}])
    study = read(study_file(text), ["training.max_updates=7"])
    assert {point.columns()["max_updates"] for point in study.points} == {7}
