"""What the codes of dates know: how far months lie apart, and whether arithmetic with codes moves a date's month."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from harness.models.decoder import Decoding
from harness.models.model import Model, Parameters
from harness.probes.codes import encoded, silhouette
from harness.rng import generator
from harness.tasks.dates import Dates, words
from harness.tasks.task import Part

LEARNT, TESTED = 4096, 1024  # dates behind the mean codes, and dates moved; no date is in both


@dataclass(frozen=True)
class Coded:
    """Dates as a model holds them: codes (B, H), months 0 … 11 and weekdays 0 … 6 (B,), the right Italian texts."""

    codes: npt.NDArray[np.float64]
    months: npt.NDArray[np.int64]
    weekdays: npt.NDArray[np.int64]
    texts: list[str]


def code_measures(model: Model, parameters: Parameters, seed: int) -> dict[str, float | None]:
    """Measures of the codes of one run (R = 1), as columns of the table of runs.

    Returns:
        month_silhouette, weekday_silhouette: mean silhouette of the codes of held-out dates grouped by one of the two
            words, Euclidean, between −1 and 1 (Rousseeuw 1987, "Silhouettes"); 0 where the groups lie in one another.
        analogy_month_accuracy: share of the moved codes that are decoded to a text with the new month's word.
        analogy_accuracy: share decoded to the right text with its month word replaced, and nothing else changed.
    """
    task = model.task
    assert isinstance(model, Decoding)
    assert isinstance(task, Dates)
    learnt = coded(model, parameters, task, seed, "train", LEARNT)
    tested = coded(model, parameters, task, seed, "final", TESTED)
    onto = (tested.months + generator(seed, "analogies").integers(1, 12, size=TESTED)) % 12
    texts = decoded(model, parameters, task, moved(tested, learnt, onto))
    names, _ = words("it")
    expected = [
        text.replace(names[old], names[new]) for text, old, new in zip(tested.texts, tested.months, onto, strict=True)
    ]
    return {
        "month_silhouette": silhouette(tested.codes, tested.months),
        "weekday_silhouette": silhouette(tested.codes, tested.weekdays),
        "analogy_month_accuracy": float(
            np.mean([names[new] in text.split() for text, new in zip(texts, onto, strict=True)])
        ),
        "analogy_accuracy": float(np.mean([text == right for text, right in zip(texts, expected, strict=True)])),
    }


def moved(dates: Coded, learnt: Coded, onto: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """code(x) − mean code of x's month + mean code of the month in `onto`, (B, H); the means are those of `learnt`.

    Mikolov, Yih & Zweig 2013, "Linguistic regularities in continuous space word representations", section 4, with a
    mean in the place of each of the other two words.
    """
    means = np.stack([learnt.codes[learnt.months == month].mean(0) for month in range(12)])
    return np.asarray(dates.codes - means[dates.months] + means[onto])


def coded(model: Decoding, parameters: Parameters, task: Dates, seed: int, part: Part, size: int) -> Coded:
    """Dates of one part, encoded."""
    batch = task.batch(seed, part, 0, size)
    codes = encoded(model, parameters, batch)
    days = [task.body.meant["".join(task.spelled(column))] for column in batch.inputs.T]
    texts = [task.answered(column) for column in batch.targets.T]
    months, weekdays = np.array([day.month - 1 for day in days]), np.array([day.weekday() for day in days])
    return Coded(codes, months, weekdays, texts)


def decoded(model: Decoding, parameters: Parameters, task: Dates, codes: npt.NDArray[np.float64]) -> list[str]:
    """The texts that codes (B, H) are unrolled to."""
    V = parameters["V"]
    h = torch.as_tensor(codes, dtype=V.dtype, device=V.device).unsqueeze(0)
    state = (h, *[torch.zeros_like(h) for _ in model.cell.states[1:]])
    symbols = model.unrolled(parameters, state, task.body.italian.shape[0])
    return [task.answered(column) for column in symbols[:, 0].T.cpu().numpy()]
