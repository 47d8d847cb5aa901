"""The live report in a browser: it follows the sweep by itself, and a reader's filters and sorting stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("selenium", reason="no selenium here; it is in the extra 'test'")

from live_server import running
from results_folders import commit
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from harness.registry import read
from harness.report.serving import HOST, Live
from harness.store.journal import Journal
from harness.study.plan import plan


def test_the_page_follows_the_sweep(browser: Any, study_file: Any, tmp_path: Path) -> None:
    planned = plan(read(study_file()))
    journal = Journal.create(tmp_path / "out" / "tiny")
    commit(journal, planned.runs[0])
    live = Live(planned, journal.folder)
    live.refresh()
    with running(live) as serving:
        browser.get(f"http://{HOST}:{serving.server_port}/")

        def says(words: str) -> None:
            WebDriverWait(browser, 20).until(lambda driver: words in driver.find_element(By.ID, "live").text)

        def page() -> Any:
            return browser.execute_script("return JSON.parse(document.getElementById('data').textContent).live")

        says("1 of 6 runs done")
        Select(browser.find_element(By.CSS_SELECTOR, "#tools select")).select_by_visible_text("gru")
        head = browser.find_elements(By.CSS_SELECTOR, "#points thead button")[1]
        head.click()
        head.click()
        for run in planned.runs[1:4]:
            commit(journal, run)
        live.spent = 0.0
        live.refresh()
        WebDriverWait(browser, 20).until(lambda driver: page() == 2)
        says("4 of 6 runs done")
        assert Select(browser.find_element(By.CSS_SELECTOR, "#tools select")).first_selected_option.text == "gru"
        assert len(browser.find_elements(By.CSS_SELECTOR, "#points tbody tr:not([hidden])")) == 1
        heads = browser.find_elements(By.CSS_SELECTOR, "#points thead th")
        assert [each.get_attribute("aria-sort") for each in heads[:2]] == ["none", "descending"]
        assert [e for e in browser.get_log("browser") if "favicon" not in e["message"]] == []
    WebDriverWait(browser, 20).until(lambda d: "server has stopped" in d.find_element(By.ID, "live").text)
