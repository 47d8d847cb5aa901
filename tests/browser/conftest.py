"""A headless Chromium, and pages for it. Without Chromium, its driver or selenium these tests are skipped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from synthetic_results import SyntheticResults, figures, point, simulate

from harness.figures.rendering import render
from harness.report.page import write
from harness.study.spec import Expectation


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser, driven by selenium."""
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} here; on Debian: apt-get install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium here; it is in the extra 'test'")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium: Any) -> Any:
    """The browser as a reader with a light screen has it; what earlier tests logged is gone."""
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    chromium.get_log("browser")
    return chromium


def written(synthetic: SyntheticResults, folder: Path) -> Path:
    """The report of a synthetic study."""
    verdicts = synthetic.verdicts
    drawings, notes = render(synthetic.study, synthetic.frames, folder / "figures", ())
    path = folder / "report.html"
    write(
        path,
        synthetic.study,
        synthetic.frames,
        verdicts,
        drawings,
        {"command": "python -m harness.sweep a.yaml"},
        notes,
    )
    return path


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study with 80 runs, two cells and a window."""
    synthetic = simulate(
        figures=figures({"kind": "success"}, {"kind": "decay", "where": {"sequence_length": 100}}),
        expect=(
            Expectation(
                metric="success_rate", where={"cell": "lstm", "sequence_length": 100}, at_least=0.8, judge="estimate"
            ),
            Expectation(
                metric="solved_at", where={"cell": "rnn"}, per=("sequence_length",), at_most=1000, judge="estimate"
            ),
        ),
    )
    return written(synthetic, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="session")
def large_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study with 500 points, a run each, and a gradient record every 50 updates."""
    grid = [point(cell, 100, 0.5 + k / 250) for cell in ("rnn", "lstm") for k in range(250)]
    synthetic = simulate(grid, seeds=(0,), figures=figures({"kind": "decay", "where": {"spectral_radius": 0.5}}))
    frames = synthetic.frames
    first = frames.gradients[frames.gradients["update"] == 0]
    dense = pd.concat([first.assign(update=50 * k) for k in range(41)], ignore_index=True)
    folder = tmp_path_factory.mktemp("large")
    drawings, notes = render(synthetic.study, frames, folder / "figures", ())
    write(folder / "report.html", synthetic.study, replace(frames, gradients=dense), [], drawings, {}, notes)
    return folder / "report.html"
