"""The Python API, for notebooks and scripts: read a study, plan it, run it, and look at its results.

    study = harness.Study.from_yaml("studies/first.yaml", {"seeds": 3})
    results = study.run(n_jobs=2)
    results.figure("success")

Results are those of the commands, in the same folders: either can go on where the other stopped.
"""

from harness.api.results import Results, Verdicts
from harness.api.study import Study, StudyPlan, load, prepare

__all__ = ["Results", "Study", "StudyPlan", "Verdicts", "load", "prepare"]
