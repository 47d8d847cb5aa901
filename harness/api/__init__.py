"""The door for notebooks and scripts: a study is read, planned, run and looked at from Python.

    study = harness.Study.from_yaml("studies/first.yaml", {"seeds": 3})
    results = study.run(n_jobs=2)
    results.figure("success")

What it keeps is what the commands keep, in the same folders: either can go on where the other stopped.
"""

from harness.api.results import Results, Verdicts
from harness.api.study import Study, StudyPlan, load, prepare

__all__ = ["Results", "Study", "StudyPlan", "Verdicts", "load", "prepare"]
