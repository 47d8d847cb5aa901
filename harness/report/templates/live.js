"use strict";
// Follows a sweep: shows its progress, and loads the page again when there is a newer one. Sorting and filters are
// restored after that; the browser itself restores the scroll position.
(() => {
  const page = JSON.parse(document.getElementById("data").textContent).live;
  const line = document.getElementById("live");
  const selects = [...document.querySelectorAll("#tools select")];
  const heads = [...document.querySelectorAll("#points thead th")];

  const saved = JSON.parse(sessionStorage.getItem("grid") || "null");
  if (saved) {
    selects.forEach((select, i) => {
      const index = [...select.options].findIndex((option) => option.text === saved.filters[i]);
      select.selectedIndex = Math.max(0, index);
      select.dispatchEvent(new Event("change"));
    });
    for (let click = 0; click < saved.clicks; click++) heads[saved.column]?.querySelector("button").click();
    sessionStorage.removeItem("grid");
  }

  function again() {
    const column = heads.findIndex((head) => head.getAttribute("aria-sort") !== "none");
    const clicks = column < 0 ? 0 : heads[column].getAttribute("aria-sort") === "ascending" ? 1 : 2;
    sessionStorage.setItem("grid", JSON.stringify({ filters: selects.map((s) => s.value), column, clicks }));
    location.reload();
  }

  const clock = (seconds) => [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60]
    .map((part, i) => i ? String(part).padStart(2, "0") : part).join(":");

  async function ask() {
    try {
      const progress = await (await fetch("progress.json", { cache: "no-store" })).json();
      const parts = [`${progress.done} of ${progress.planned} runs done`];
      if (progress.running) parts.push(`${progress.running} running`);
      if (progress.failed) parts.push(`${progress.failed} failed`);
      if (progress.seconds_left !== null) parts.push(`at most ${clock(progress.seconds_left)} left`);
      if (progress.last_failure) parts.push(`last failure: ${progress.last_failure}`);
      line.textContent = `Live: ${parts.join(", ")}.`;
      if (progress.page !== page && !document.querySelector("dialog[open]")) return again();
    } catch {
      line.textContent = "No longer live: the server has stopped. This is the last page that it sent.";
    }
    setTimeout(ask, 2000);
  }
  ask();
})();
