"""The folder of compiled code; and that everything runs where there is none."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.recurrence.kernels import KERNELS, compiled, warm_up

SOURCES = Path(compiled.__file__).parent
PROGRAM = """
import numpy as np
from harness.recurrence.kernels import scaling
from harness.recurrence.kernels.compiled import cache_folder
row = np.ones(3)
scaling.shift(row, -3)
assert row[0] == 0.125
print(cache_folder())
"""


def test_a_read_only_installation_compiles_elsewhere(tmp_path):
    """A file in the place of each folder stands for one that cannot be written: permissions do not bind root."""
    copy = tmp_path / "harness" / "recurrence" / "kernels"
    shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for package in (copy.parent, copy.parents[1]):  # a package of its own, or an installed one would be found first
        (package / "__init__.py").touch()
    (copy / "__pycache__").touch()
    (tmp_path / "cache").touch()
    (tmp_path / "temporary").mkdir()
    environment = {
        "PYTHONPATH": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "HOME": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path / "temporary"),
    }
    command = [sys.executable, "-c", PROGRAM]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    folder = Path(run.stdout.strip())
    assert folder.parent == tmp_path / "temporary"
    assert any(folder.rglob("*.nbi"))
    assert folder.stat().st_mode & 0o077 == 0


def test_without_any_folder_a_function_is_compiled_all_the_same(monkeypatch):
    monkeypatch.setattr(compiled, "cache_folder", lambda: None)

    @compiled.compiled
    def double(x):
        return 2 * x

    assert double(3) == 6
    assert double.stats.cache_path is None


def test_a_change_of_any_source_has_a_cache_folder_of_its_own(tmp_path, monkeypatch):
    """A kernel compiles the functions of other files into itself: an old one would go on with their old code."""
    sources = tmp_path / "kernels"
    shutil.copytree(SOURCES, sources, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(compiled, "HERE", sources)
    monkeypatch.setattr(compiled.config, "CACHE_DIR", "")
    before, again = compiled.cache_folder.__wrapped__(), compiled.cache_folder.__wrapped__()
    assert before == again
    assert before.parent == sources / "__pycache__"
    with (sources / "nonlinearities.py").open("a") as file:
        file.write("# changed\n")
    assert compiled.cache_folder.__wrapped__() != before


def test_a_folder_that_others_could_write_is_not_trusted(tmp_path):
    mine, link, open_to_all = tmp_path / "mine", tmp_path / "link", tmp_path / "open"
    mine.mkdir(mode=0o700)
    link.symlink_to(mine)
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    assert [compiled.owned(f) for f in (mine, link, open_to_all)] == [True, False, False]


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_warming_up_leaves_nothing_to_compile(name, dtype):
    warm_up(name, dtype)
    kernel = KERNELS[name]
    before = len(kernel.compiled_forward.signatures), len(kernel.compiled_backward.signatures)
    g = np.random.default_rng(0)
    state = tuple(g.standard_normal((2, 3, 4)).astype(dtype) for _ in range(kernel.states))
    W, U = (g.standard_normal((2, kernel.gates * 4, n)).astype(dtype) for n in (4, 1))
    b = np.zeros((2, kernel.gates * 4), dtype)
    x = g.standard_normal((5, 2, 3, 1)).astype(dtype)
    _, saved = kernel.forward(x, state, (W, U, b, b))
    kernel.backward(saved, every=np.ones((5, 2, 3, 4), dtype), window=2, record=False, need_dx=True)
    assert (len(kernel.compiled_forward.signatures), len(kernel.compiled_backward.signatures)) == before
