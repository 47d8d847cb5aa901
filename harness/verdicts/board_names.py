"""The names of a leaderboard's rows and columns: what sets a network, a task or its terms apart from the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from harness.study import labels
from harness.study.matching import Value
from harness.verdicts.roles import NAMES, Roles, Settings, words

BUDGET = ("max_updates", "batch_size")
SHOWN = ("optimizer", "learning_rate")  # terms that a column always names, beside its budget
TUNED = "tuned over"  # no setting: which were chosen by a search, and by which


# A default that a row or a column names where others beside it differ in it: "forget bias drawn", "tanh"
DISTINCTIVE = frozenset({"init", "nonlinearity", "forget_bias", "variant"})


def names_of(settings: Iterable[Settings], section: str, roles: Roles) -> dict[Settings, str]:
    """A name for each network or task: what sets it apart from others of its kind, or from the default."""
    different = list(dict.fromkeys(settings))
    by_kind: dict[Value, list[Settings]] = defaultdict(list)
    for each in different:
        by_kind[dict(each).get(NAMES[section])].append(each)
    texts = {}
    for kind, alike in by_kind.items():
        always = {roles.lengths.get(str(kind), ""), *(DISTINCTIVE & differing(alike))}
        for each in alike:
            shown = [
                words(column, value)
                for column, value in each
                if column != NAMES[section] and (column in always or value != roles.default(section, each, column))
            ]
            texts[each] = ", ".join([labels.words(str(kind)), *shown])
    return texts


def differing(settings: Sequence[Settings]) -> set[str]:
    """Columns in which some settings differ; one that some lack and others have counts."""
    rows = [dict(each) for each in settings]
    return {column for row in rows for column in row if any(other.get(column) != row[column] for other in rows)}


def terms_text(terms: Settings, apart: Collection[str]) -> str:
    """The terms of a column in words: its budget, how it was trained, and what sets it apart in its task."""
    known = dict(terms)
    updates, batch = (labels.value(name, known.get(name)) for name in BUDGET)
    shown = [labels.value("optimizer", known["optimizer"])] if "optimizer" in known else []
    shown += [words("learning_rate", known["learning_rate"])] if "learning_rate" in known else []
    rest = [
        words(column, value)
        for column, value in terms
        if column not in (*BUDGET, *SHOWN, TUNED) and column in apart
    ]  # fmt: skip
    tuned = [f"tuned over {known[TUNED]}"] if TUNED in known else []
    return ", ".join([f"{updates} updates of {batch} sequences", *shown, *tuned, *rest])


def width_text(width: Settings) -> str:
    return ", ".join(words(column, value) for column, value in width if value is not None)


def in_order(names: Mapping[Settings, str], section: str) -> list[str]:
    """Names in reading order: by cell or task as its setting orders them, then by setting."""
    kind = NAMES[section]
    rank = {word: i for i, word in enumerate(labels.levels(kind, [dict(each).get(kind) for each in names]))}
    by_name: dict[str, tuple[int, list[tuple[int, float, str]]]] = {}
    for settings, text in names.items():
        by_name[text] = rank[dict(settings).get(kind)], [_key(value) for _, value in settings]
    return sorted(by_name, key=lambda text: by_name[text])


def _key(value: Value) -> tuple[int, float, str]:
    """Words first, then numbers upwards, null last, as in figures."""
    if value is None:
        return 2, 0.0, ""
    return (0, 0.0, value) if isinstance(value, str) else (1, float(value), "")
