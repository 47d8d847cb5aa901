"""Tiny runs whose numbers are pinned: one for every cell, task, option, probe and experiment that is built in.

`python tests/pinned_runs.py` writes tests/pinned_runs.json again. Numbers that changed mean that every stored result of
the same id says something else now: raise `numerics` where the change is (docs/extending.md), in the same commit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from harness.cells import CELLS
from harness.experiments.setup import Setup
from harness.experiments.training.optimizer_keywords import KEYWORDS as OPTIMIZERS
from harness.registry import load_registry
from harness.schema import Record
from harness.study.plan import plan
from harness.study.plugins import load_object
from harness.study.spec import StudySpec
from harness.study.validation import understand
from harness.study.yaml_document import parse
from harness.tasks.characters import corpus

PINNED = Path(__file__).with_suffix(".json")
ORDER = "{name: temporal_order, sequence_length: 11}"
TRAINING = "max_updates: 1, batch_size: 3, learning_rate: 0.01, dtype: float64"

# What is not numbers of the network, or depends on the machine.
LEFT_OUT = {
    "seconds",
    "sequence",
    "unit",
    "update",
    "updates",
    "solved_at",
    "parameters",
    "recurrent_parameters",
    "layer",
}

FORCING = "time_step: 0.02, learning_rate: 0.003, clip_norm: 0.5"
GATED = "spectral_radius: 0.7, init: gaussian, biases: 1, match: recurrent_parameters"
MODELS = {
    "rnn": [
        "spectral_radius: 0.7, init: gaussian, biases: 1, match: parameters", "init: orthogonal", "init: identity",
        "init: lecture", "init: normal, deviation: 0.1", "init: sparse, deviation: 0.1, spectral_radius: 0.9, "
        "hidden_size: 16", "nonlinearity: relu", "nonlinearity: sigmoid",
    ],
    "lstm": [GATED, "init: orthogonal", "init: identity", "init: lecture", "forget_bias: 1.0", "forget_bias: chrono",
        "h_detach: 0.5"],
    "gru": [GATED, "init: orthogonal", "init: identity"],
    "lstm1997": ["init: torch", GATED, "init: orthogonal", "init: identity", "input_bias: -1.0"],
    "janet": ["init: torch", GATED, "init: orthogonal", "init: identity", "forget_bias: 1.0", "beta: 0.5"],
    "indrnn": ["nonlinearity: tanh", "match: parameters"],
    "antisymmetric": ["step_size: 0.3", "diffusion: 0.1", "weight_scale: 0.5", "gated: true", "match: parameters"],
    "orthogonal": ["nonlinearity: tanh", "nonlinearity: relu", "nonlinearity: linear", "match: parameters"],
    "mingru": ["match: parameters", "eigenvalues: signed"],
    "minlstm": ["forget_bias: 1.0", "forget_bias: chrono", "match: parameters"],
    "lru": [
        "r_min: 0.5", "r_max: 0.8", "max_phase: 1.0", "match: parameters", "eigenvalues: positive",
        "eigenvalues: signed", "gamma: false",
    ],
    "s6": ["state_size: 2", "eigenvalues: signed", "match: parameters"],
    "deltanet": ["key_size: 2", "eigenvalues: signed", "match: parameters"],
    "slstm": ["init: torch", GATED, "init: orthogonal", "init: identity"],
    "cornn": [
        "init: torch", GATED, "init: orthogonal", "init: identity", "time_step: 0.1", "stiffness: 1.0", "damping: 1.0",
    ],
    "lem": [GATED, "init: orthogonal", "init: identity", "time_step: 0.3"],
    "lipschitz": ["step_size: 0.3", "skewness: 0.5", "diffusion: 0.1", "weight_scale: 1.0", "match: parameters"],
    "skip": [GATED + ", skip: 3", "init: orthogonal, skip: 3", "init: identity, skip: 3"],
    "gated_skip": [GATED + ", skip: 3", "init: orthogonal, skip: 3", "init: identity, skip: 3"],
    "window": ["inputs: 3", "match: parameters"],
}  # fmt: skip
ATTENTION = ["", "heads: 2", "positions: none", "match: parameters, heads: 2"]
MODULES = [
    "factory: 'pinned_factory:states'", "factory: 'pinned_factory:states', settings: {units: 5}",
    "factory: 'pinned_factory:logits', output: logits",
]  # fmt: skip
# Of networks of layers, for every cell; what acts on W h, for those that have one; and for two cells all that there is.
EVERY_CELL = ["layers: 2, bidirectional: true"]
NORMALISED = ["normalisation: layer", "normalisation: rms"]
LAYERED = [
    "layer_sizes: [5, 3]", "layers: 3, residual: add", "layers: 2, dropout: 0.4",
    "layers: 2, normalisation: layer, normalised: between", "layers: 2, normalisation: rms, normalised: between",
    "zoneout: 0.3", "layers: 2, bidirectional: true, zoneout: 0.3",
]  # fmt: skip
WALKS = "path: ../studies/walks.csv, id: walk, time: t"
TASKS = {
    "adding": [
        "sequence_length: 24, variant: halved", "sequence_length: 24, variant: original", "sequence_length: 10",
        "sequence_length: 14, shortest_length: 8",
    ],
    "associative_recall": ["pairs: 3, keys: 6, values: 4"],
    "captions": [""],
    "characters": ["", "text: data/text.txt"],
    "copying": ["delay: 3"],
    "dates": [""],
    "digit_names": [""],
    "dyck": ["sequence_length: 9, depth: 3", "sequence_length: 9, shortest_length: 4, brackets: 1, scored: end"],
    "echo": ["lag: 2, series_length: 12", "draw: lecture"],
    "file": [
        f"{WALKS}, inputs: [x, y], target: label, fractions: [0.5, 0.2, 0.3], split_seed: 1, standardise: false, "
        "longest: 24, solved_from: 0.9",
        f"{WALKS}, inputs: [x], target: y, predict: number, scored: every_step, within: 0.2",
        f"{WALKS}, inputs: [x, y], target: label, validation_path: ../studies/walks.csv, "
        "test_path: ../studies/walks.csv",
        "path: data/symbols.csv, id: word, inputs: [symbol], target: value, symbols: true, predict: number, "
        "scored: every_step, split_by: part",
        "path: data/inputs.npy, targets_path: data/targets.npy",
    ],
    "group_word_problem": ["sequence_length: 7", "sequence_length: 7, shortest_length: 4, scored: end, group: a5"],
    "majority": ["sequence_length: 9", "sequence_length: 9, shortest_length: 4, scored: end"],
    "memorisation": ["delay: 3", "delay: 3, bits: 20"],
    "modular_counting": ["sequence_length: 9", "sequence_length: 9, shortest_length: 4, scored: end, modulus: 4"],
    "multiplication": [
        "sequence_length: 12", "sequence_length: 24, variant: original", "sequence_length: 14, shortest_length: 11",
    ],
    "parity": ["sequence_length: 9", "sequence_length: 9, shortest_length: 4, scored: end"],
    "permutation": ["sequence_length: 9"],
    "phrases": ["longest: 12"],
    "pixels": ["", "permuted: true", "read: rows", "read: rows_and_columns"],
    "programs": ["digits: 2, operations: 2", "curriculum: mix", "curriculum: naive, pace: 1", "curriculum: combined"],
    "temporal_order": [
        "sequence_length: 30, symbols: 3", *(f"level: {level}" for level in ("easy", "normal", "moderate", "hard")),
        "level: nightmare", "level: easy, draw: lecture", "sequence_length: 14, shortest_length: 11",
    ],
    "words": ["embedding: 5", "embedding: 4, tied: true", "embedding: 5, text: data/text.txt"],
    "written_programs": [
        "digits: 2, operations: 2", "reversed: true", "curriculum: naive, pace: 1", "curriculum: mix",
        "curriculum: combined",
    ],
    "xor": ["sequence_length: 10", "sequence_length: 14, shortest_length: 11"],
}  # fmt: skip
SIZES = {  # of training and evaluation, where a task has sizes of its own
    "name: echo, draw: lecture": ("batch_size: 5, bptt_window: 10", 5),
    "name: temporal_order, level: easy, draw: lecture": ("batch_size: 32, max_updates: 0", 992),
    "name: characters": ("batch_size: 8, bptt_window: 10", 32),
    "name: characters, text: data/text.txt": ("batch_size: 8, bptt_window: 10", 32),
    "name: words, embedding: 5, text: data/text.txt": ("batch_size: 8, bptt_window: 10", 16),
    "name: words, embedding: 5": ("batch_size: 8, bptt_window: 10", 32),
    "name: words, embedding: 4, tied: true": ("batch_size: 8, bptt_window: 10", 32),
}
TEXT = "sum of the text's tokens"
LONG = (
    "characters",
    "echo draw: lecture",
    "words embedding: 5",
    "words embedding: 4, tied: true",
)  # thousands of steps: compiled
OPTIONS = [
    ("rnn", "optimizer: sgd", ""), ("rnn", "optimizer: adam", ""), ("rnn", "clip_norm: 0.1", ""),
    ("rnn", "clip_value: 0.01", ""), ("rnn", "omega: 1.0", ""), ("rnn", "bptt_window: 4", ""),
    ("rnn", "stop_when_solved: false", ""), ("rnn", "orthogonal: 0.1", ""), ("lstm", "flossing: 1.0", ""),
    ("lstm", "flossing: 1.0, flossing_exponents: 3", ""), ("rnn", "dtype: float32", ""),
    ("rnn", "dtype: float32", "precision: float64"), ("lstm", "", "states: 2"), ("lstm", "", "examples: 2"),
    ("lstm", "", "weights: true"), ("lstm", "max_updates: 3", "adjoints: {every: 2}"),
    ("lstm", "max_updates: 3", "adjoints: [0, 2]"),
    *(("rnn", f"max_updates: 3, optimizer: {name}", "") for name in OPTIMIZERS if name not in ("sgd", "adam")),
    ("rnn", "max_updates: 3, optimizer: {name: adamw,amsgrad: true,weight_decay: 0.5}", ""),
    ("rnn", "max_updates: 3, optimizer: {name: rmsprop,centered: true,momentum: 0.9}", ""),
    ("rnn", "max_updates: 3, schedule: cosine", ""), ("rnn", "max_updates: 3, schedule: linear", ""),
    ("rnn", "max_updates: 3, schedule: {name: constant,warm_up: 3}", ""),
    ("rnn", "max_updates: 3, schedule: {name: step,step_size: 1}", ""),
    ("rnn", "max_updates: 3, schedule: {name: exponential,gamma: 0.5}", ""),
    ("lstm", "dtype: bfloat16", ""),
    *(("gru", f"method: {way}", "") for way in ("rtrl", "snap1", "uoro", "{name: pes,unroll: 4}")),
]  # fmt: skip
OTHERS = {
    "gate_surgery": [
        "model: {cell: lstm, hidden_size: 3}\nsurgery: {switch: none}",
        *(
            f"model: {{cell: lstm, hidden_size: 3}}\nsurgery: {{switch: {switch}, strength: 12.0, sequence_length: 12, "
            "first: 4, last: 7, alphabet: 3, batch_size: 2}"
            for switch in ("silence", "show", "keep", "reset", "write")
        ),
    ],
    "gradient_methods": [
        f"estimating: {{size: 4, sequence_length: 6, draws: 3, method: {way}}}"
        for way in (
            "rtrl",
            "snap1",
            "uoro",
            "pes",
            "bptt",
            "tbptt, window: 3",
            "rtrl, system: balancing, positive: 1",
            "rtrl, spectral_radius: 0.9",
        )
    ],
    "influence_balancing": ["balancing: {size: 9, positive: 4, longest: 20}"],
    "decay_by_length": [
        f"model: {{cell: {cell}, hidden_size: 6}}\ndecay: {{longest: 40, batch_size: 3, law: {law}}}"
        for cell, law in (("attention", "power"), ("gru", "exponential"))
    ]
    + ["model: {cell: rnn, hidden_size: 6}\ndecay: {shortest: 12, longest: 48, batch_size: 3, law: exponential}"],
    "depth_time": [
        "depth: {layers: 3, horizontal: 0.9, vertical: 1.1, hidden_size: 4, sequence_length: 9}",
        "depth: {init: identity, residual: add, hidden_size: 4, sequence_length: 9}",
    ],
    "linear_decay": [
        "linear: {spectral_radius: 0.9, hidden_size: 5, longest: 20}",
        "linear: {init: orthogonal, hidden_size: 5, longest: 20}",
    ],
    "jacobian_bound": [
        "jacobian: {std: 0.3, hidden_size: 5, sequence_length: 12, batch_size: 2}",
        "jacobian: {nonlinearity: sigmoid, std: 0.3, hidden_size: 5, sequence_length: 12, batch_size: 2}",
        "jacobian: {nonlinearity: relu, spectral_radius: 0.9, incoming: 3, hidden_size: 5, sequence_length: 12}",
    ],
    "cliff": [
        "cliff: {question: folds, w: 6.0, lowest: -3.5, highest: -1.5}",
        "cliff: {start: 0.4, target: 0.6, sequence_length: 9}",
        "cliff: {question: descent, sequence_length: 9, learning_rate: 0.1, clip_norm: 1.0, max_updates: 5}",
    ],
    "parallel_newton": ["newton: {gain: 1.5, drive: 0.2, hidden_size: 5, sequence_length: 20}"],
    "gated_network": [
        "gated: {start: zero, hidden_size: 5, transient: 10, sequence_length: 20}",
        "gated: {bias: 1.0, start: small, hidden_size: 5, transient: 10, sequence_length: 20}",
        "gated: {cell: lstm, gate_gain: 5.0, start: large, hidden_size: 5, transient: 10, sequence_length: 20}",
    ],
    "gradient_flossing": [
        "flossing: {gain: 0.8, exponents: 2, updates: 3, learning_rate: 0.01, hidden_size: 5, sequence_length: 16}"
    ],
    "gated_memory": [
        "wide: {bias: 1.0, hidden_size: 5, transient: 10, sequence_length: 40}",
        "wide: {cell: lstm, weights: untied, gain: 0.7, input_std: 0.5, hidden_size: 5, transient: 10, "
        "sequence_length: 40}",
    ],
    "sparse_forcing": [
        f"forcing: {{{start}, hidden_size: 4, sequence_length: 20, batch_size: 2, max_updates: 3}}"
        for start in ("start: random, interval: 5", f"start: regression, interval: null, {FORCING}")
    ],
    "learnable_lag": [
        "model: {cell: gru, hidden_size: 3}\nlag: {envelope: gates, longest: 5, samples: 1000, noise: 0.1}",
        "model: {cell: rnn, hidden_size: 3}\nlag: {tail: 1.6, longest: 5, samples: 1000, noise: 0.1}",
    ],
    "lyapunov": ["lyapunov: {gain: 1.5, hidden_size: 6, transient: 10, sequence_length: 20}"],
    "curse_of_memory": [
        "memory: {eigenvalue: 0.8, sequence_length: 60, sequences: 100}",
        "memory: {eigenvalue: 0.8, sequence_length: 60, sequences: 100, normalised: true, by: exponent}",
    ],
}


def studies() -> dict[str, str]:
    """The text of every study, by a name that says what is pinned."""
    texts = {}
    for cell, settings in MODELS.items():
        layered = EVERY_CELL + NORMALISED * CELLS[cell].normalises + LAYERED * (cell in ("rnn", "lstm"))
        for setting in ["", *settings, *layered]:
            small = "" if "hidden_size" in setting else ", hidden_size: 6"
            texts[f"{cell} {setting}".strip()] = training(f"cell: {cell}{small}" + (setting and f", {setting}"))
    for setting in ATTENTION:
        texts[f"attention {setting}".strip()] = training(
            "cell: attention, hidden_size: 6" + (setting and f", {setting}")
        )
    for setting in MODULES:
        texts[f"module {setting}"] = training(f"cell: module, {setting}")
    for task, settings in TASKS.items():
        for setting in settings:
            texts[f"{task} {setting}".strip()] = on_task(f"name: {task}" + (setting and f", {setting}"))
    for cell, options, record in OPTIONS:
        texts[f"{cell} {options} {record}".strip()] = training(
            f"cell: {cell}, hidden_size: 4", options=options, record=record
        )
    for probe in sorted(load_registry().words["probe"]):
        texts[probe] = training("cell: lstm, hidden_size: 3", record=f"probes: [{probe}]")
    texts["evaluation lengths"] = training("cell: lstm, hidden_size: 4").replace(
        "sequences: 6", "sequences: 6, lengths: [11, 22]"
    )
    texts["codes"] = on_task("name: dates", record="codes: 40")
    texts["bptt_stride"] = on_task("name: echo, series_length: 12", options="bptt_window: 6, bptt_stride: 3")
    for experiment, settings in OTHERS.items():
        for setting in settings:
            texts[f"{experiment} {setting}"] = f"experiment: {experiment}\n{setting}\n"
    return texts


def on_task(task: str, options: str = "", record: str = "") -> str:
    """A study of a small simple network on a task."""
    sizes, sequences = SIZES.get(task, ("", 6))
    return training("cell: rnn, hidden_size: 4", task, ", ".join(filter(None, (options, sizes))), record, sequences)


def training(model: str, task: str = ORDER[1:-1], options: str = "", record: str = "", sequences: int = 6) -> str:
    """The text of a study with one tiny training run; options replace those of the base."""
    options = ", ".join(f"{k}: {v}" for k, v in {**pairs(TRAINING), **pairs(options)}.items())
    every = 31 if "batch_size: 32" in options else 1
    return (
        f"task: {{{task}}}\nmodel: {{{model}}}\ntraining: {{{options}}}\n"
        f"evaluation: {{every: {every}, sequences: {sequences}}}\nrecord: {{{record}}}\n"
    )


def pairs(text: str) -> dict[str, str]:
    return dict(item.split(": ", 1) for item in text.split(", ") if item)


def record_of(text: str, engine: str = "torch") -> Record:
    """What the one run of a study leaves."""
    study = spec_of(text)
    [record] = load_object(study.experiment.entry)(plan(study).runs, Setup(engine))
    return record


def spec_of(text: str) -> StudySpec:
    """A study of a text; its paths are relative to this folder."""
    source = str(PINNED.with_name("pinned.yaml"))
    document = parse(f"name: pinned\nclaim: Numbers stay.\nseeds: [3]\n{text}", source)
    return understand(document, load_names=load_registry)


def computed(name: str) -> dict[str, float]:
    """The numbers of a study, by its name."""
    summaries = numbers(record_of(studies()[name], "compiled" if name in LONG else "torch"))
    return {**summaries, TEXT: text_sum()} if name == "characters" else summaries


def text_sum() -> float:
    """A sum over the text that Python ships: another Python has another text."""
    return float(corpus().parts["final"].sum())


def numbers(record: Record) -> dict[str, float]:
    """A number a column: the mean of its finite values, each with a weight of its own, so that order counts."""
    summaries: dict[str, float] = {}
    for table, rows in {"runs": [record.run], **record.rows}.items():
        for column in sorted({column for row in rows for column in row} - LEFT_OUT):
            by_quantity: dict[str, list[object]] = {}
            for row in rows:
                by_quantity.setdefault(str(row.get("quantity", "")), []).append(row.get(column))
            for quantity, values in by_quantity.items():
                summary = weighted(values)
                if summary is not None:
                    summaries[" ".join(filter(None, (table, column, quantity)))] = summary
    return summaries


def weighted(values: Iterable[object]) -> float | None:
    flat = [np.asarray(value, np.float64).ravel() for value in values if is_number(value)]
    every = np.concatenate(flat) if flat else np.array([])
    finite = every[np.isfinite(every)]
    if not len(finite):
        return None
    return float(np.mean(finite * (1 + 0.5 * np.sin(1.0 + np.arange(len(finite))))))


def is_number(value: object) -> bool:
    if value is None or isinstance(value, str | bool):
        return False
    return np.asarray(value).dtype.kind in "iuf"


def pinned() -> Mapping[str, Mapping[str, float]]:
    return json.loads(PINNED.read_text())


if __name__ == "__main__":
    from harness.execution.environment import prepare

    prepare()
    summaries = {name: {k: float(f"{v:.12g}") for k, v in computed(name).items()} for name in studies()}
    PINNED.write_text(json.dumps(summaries, indent=0, ensure_ascii=False, sort_keys=True) + "\n")
    print(f"{len(summaries)} runs, {sum(map(len, summaries.values()))} numbers")
