"""The report in a browser: it opens without warnings, sorts, filters, and opens the curves and map of a row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("selenium", reason="no selenium here; it is in the extra 'test'")

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from harness.verdicts.metrics import SOLVED_AT

LARGEST = 5_000_000  # bytes
SLOWEST = 2000  # milliseconds

FAINT_TEXT = """
const number = (text) => text.match(/[\\d.]+/g).map(Number);
const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255)
  .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const ground = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const colour = number(getComputedStyle(e).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), faint = [];
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("script, title")) continue;
  const style = getComputedStyle(element);
  const [a, b] = [element instanceof SVGElement ? style.fill : style.color, null].map((c) => c && luminance(number(c)));
  const c = luminance(ground(element)), ratio = (Math.max(a, c) + 0.05) / (Math.min(a, c) + 0.05);
  if (ratio < 4.5) faint.push(`${walker.currentNode.data.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
}
return faint;
"""


def warnings(browser: Any) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def opened(browser: Any, path: Path) -> Any:
    """The page after its script: on a busy machine `get` of the address that is open can return before the reload."""
    browser.get("about:blank")
    browser.get(path.as_uri())
    complete = "return location.href === arguments[0] && document.readyState === 'complete'"
    WebDriverWait(browser, 60).until(lambda driver: driver.execute_script(complete, path.as_uri()))
    return browser


def column(browser: Any, index: int) -> list[str]:
    rows = browser.find_elements(By.CSS_SELECTOR, "#points tbody tr:not([hidden])")
    return [row.find_elements(By.TAG_NAME, "td")[index].text for row in rows]


def heads(browser: Any) -> list[Any]:
    return browser.find_elements(By.CSS_SELECTOR, "#points thead th")


def dark(browser: Any) -> None:
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def phone(browser: Any) -> None:
    metrics = {"width": 375, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def test_it_opens_without_warnings(browser: Any, report: Path) -> None:
    opened(browser, report)
    assert warnings(browser) == []
    assert browser.title.startswith("synthetic – ")
    assert all(image.get_property("naturalWidth") > 0 for image in browser.find_elements(By.TAG_NAME, "img"))


def test_a_head_sorts_its_column_both_ways(browser: Any, report: Path) -> None:
    opened(browser, report)
    index = [head.text.startswith("sequence length") for head in heads(browser)].index(True)
    head = heads(browser)[index]
    head.find_element(By.TAG_NAME, "button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(browser, index) == sorted(column(browser, index), key=float)
    head.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert head.get_attribute("aria-sort") == "descending"
    assert column(browser, index) == sorted(column(browser, index), key=float, reverse=True)
    assert [each.get_attribute("aria-sort") for each in heads(browser)].count("none") == len(heads(browser)) - 1


def test_a_measure_is_sorted_by_its_value_and_beyond_the_budget_is_last(browser: Any, report: Path) -> None:
    opened(browser, report)
    index = [head.text for head in heads(browser)].index(SOLVED_AT.label)
    heads(browser)[index].find_element(By.TAG_NAME, "button").click()
    values = [text.split()[0] for text in column(browser, index)]
    known = [float(text) for text in values if text != ">"]
    assert known == sorted(known)
    assert values[len(known) :] == [">"] * (len(values) - len(known))
    assert 0 < len(known) < len(values)


def test_filters_combine(browser: Any, report: Path) -> None:
    opened(browser, report)
    selects = [Select(each) for each in browser.find_elements(By.CSS_SELECTOR, "#tools select")]
    shown = browser.find_element(By.ID, "shown")
    assert shown.text == "20 of 20 points"
    labels = [each.text for each in browser.find_elements(By.CSS_SELECTOR, "#tools label")]
    cell = next(i for i, text in enumerate(labels) if text.startswith("cell"))
    length = next(i for i, text in enumerate(labels) if text.startswith("sequence length"))
    selects[cell].select_by_visible_text("lstm")
    assert set(column(browser, cell)) == {"lstm"}
    selects[length].select_by_visible_text("20")
    assert shown.text == "3 of 20 points"
    assert set(column(browser, length)) == {"20"}
    selects[cell].select_by_visible_text("all")
    assert shown.text == "6 of 20 points"


def test_a_row_opens_by_mouse_and_shows_its_curves_and_its_map(browser: Any, report: Path) -> None:
    opened(browser, report)
    row = browser.find_elements(By.CSS_SELECTOR, "#points tbody tr")[2]
    row.find_elements(By.TAG_NAME, "td")[-1].click()
    dialog = browser.find_element(By.ID, "cell")
    assert dialog.get_property("open")
    assert dialog.find_element(By.ID, "cell-name").text.startswith("T = 20, cell = rnn")
    assert len(dialog.find_elements(By.CSS_SELECTOR, "#curves path.run")) == 4
    assert len(dialog.find_elements(By.CSS_SELECTOR, "#curves path.mean")) == 1
    assert len(dialog.find_elements(By.CSS_SELECTOR, "#map g:first-of-type rect")) >= 20 * 10
    assert "NaN" not in dialog.get_attribute("innerHTML")
    before = dialog.find_element(By.ID, "cell-name").text
    dialog.find_element(By.ID, "after").click()
    assert dialog.find_element(By.ID, "cell-name").text != before
    dialog.find_element(By.ID, "close").click()
    assert not dialog.get_property("open")
    assert warnings(browser) == []


def test_exact_zeros_have_a_colour_of_their_own(browser: Any, report: Path) -> None:
    opened(browser, report)
    texts = browser.find_elements(By.CSS_SELECTOR, "#points tbody tr")
    windowed = next(row for row in texts if " 25 " in f" {row.text} ")
    windowed.find_element(By.TAG_NAME, "button").click()
    titles = browser.execute_script(
        "return [...document.querySelectorAll('#map rect')].map((r) => [r.getAttribute('fill'), r.textContent])"
    )
    zeros = {fill for fill, title in titles if title.endswith("exact zero")}
    assert len(zeros) == 1
    assert not zeros & {fill for fill, title in titles if "10^-" in title}
    browser.find_element(By.ID, "close").click()


def test_the_keyboard_can_do_all_that_the_mouse_can(browser: Any, report: Path) -> None:
    opened(browser, report)
    body = browser.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.TAB)
    skip = browser.switch_to.active_element
    assert skip.text == "Skip to the result"
    assert skip.location["y"] >= 0
    skip.send_keys(Keys.ENTER)
    assert browser.switch_to.active_element.get_attribute("id") == "main"
    button = browser.find_element(By.CSS_SELECTOR, "#points tbody tr button")
    heads(browser)[-1].find_element(By.TAG_NAME, "button").send_keys(Keys.TAB)
    assert browser.switch_to.active_element == button
    assert browser.execute_script("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    button.send_keys(Keys.ENTER)
    dialog = browser.find_element(By.ID, "cell")
    assert dialog.get_property("open")
    assert browser.execute_script("return arguments[0].contains(document.activeElement)", dialog)
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not dialog.get_property("open")
    assert browser.switch_to.active_element == button


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_legible(browser: Any, report: Path, scheme: str) -> None:
    if scheme == "dark":
        dark(browser)
    opened(browser, report)
    paper = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 27)"}[scheme]
    assert browser.execute_script(FAINT_TEXT) == []
    browser.find_element(By.CSS_SELECTOR, "#points tbody tr button").click()
    assert browser.execute_script(FAINT_TEXT) == []


def test_a_phone_need_not_scroll_sideways(browser: Any, report: Path) -> None:
    phone(browser)
    opened(browser, report)
    assert browser.execute_script("return document.documentElement.scrollWidth") == 375
    browser.find_element(By.CSS_SELECTOR, "#points tbody tr button").click()
    assert browser.execute_script("return document.documentElement.scrollWidth") == 375
    box = "const r = document.getElementById('cell').getBoundingClientRect(); return [r.left, r.right]"
    left, right = browser.execute_script(box)
    assert 0 <= left < right <= 375
    assert browser.execute_script("return document.querySelector('#map svg').getBoundingClientRect().right") <= right


def test_without_scripts_nothing_is_missing(browser: Any, report: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    opened(browser, report)
    assert len(browser.find_elements(By.CSS_SELECTOR, "#points tbody tr")) == 20
    assert [each for each in browser.find_elements(By.CSS_SELECTOR, "button, select") if each.is_displayed()] == []


@pytest.mark.long
def test_500_runs_make_a_small_page_that_opens_fast(browser: Any, large_report: Path) -> None:
    assert large_report.stat().st_size < LARGEST
    taken = []
    ended = "return performance.getEntriesByType('navigation')[0].loadEventEnd"
    for _ in range(3):  # the machine may be busy with something else once
        opened(browser, large_report)
        taken.append(WebDriverWait(browser, 20).until(lambda driver: driver.execute_script(ended)))
    assert min(taken) < SLOWEST
    assert len(browser.find_elements(By.CSS_SELECTOR, "#points tbody button")) == 500
    assert warnings(browser) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_every_measured_value_and_every_figure_on_its_paper(
    browser: Any, report: Path, scheme: str
) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 375, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    )
    media = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    opened(browser, report)
    right = (
        "return Math.max(...[...document.querySelectorAll('td, tbody th')].map(e => e.getBoundingClientRect().right))"
    )
    assert browser.execute_script(right) <= 375
    wide = "return [...document.querySelectorAll('.card img')].map(e => e.getBoundingClientRect().right)"
    assert max(browser.execute_script(wide)) <= 375
    sources = browser.execute_script(
        "return [...document.querySelectorAll('.card img')].map(e => e.currentSrc === e.src)"
    )
    assert not any(sources) if scheme == "dark" else not all(sources)
