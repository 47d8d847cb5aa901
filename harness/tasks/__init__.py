"""What is learnt: one file a task. A new task is one file, and one name in this table."""

from harness.tasks import (
    adding,
    captions,
    characters,
    copying,
    dataset,
    dates,
    digits,
    echo,
    file,
    memorisation,
    multiplication,
    permutation,
    phrases,
    programs,
    temporal_order,
    words,
    xor,
)
from harness.tasks.task import Task

TASKS: dict[str, type[Task]] = {
    "adding": adding.Adding,
    "captions": captions.Captions,
    "characters": characters.Characters,
    "copying": copying.Copying,
    "dataset": dataset.Dataset,
    "dates": dates.Dates,
    "digit_names": digits.DigitNames,
    "echo": echo.Echo,
    "file": file.FileTask,
    "memorisation": memorisation.Memorisation,
    "multiplication": multiplication.Multiplication,
    "permutation": permutation.Permutation,
    "phrases": phrases.Phrases,
    "pixels": digits.Pixels,
    "programs": programs.Programs,
    "temporal_order": temporal_order.TemporalOrder,
    "words": words.Words,
    "xor": xor.Xor,
}
