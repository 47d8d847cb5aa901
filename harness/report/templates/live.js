"use strict";
// Follows a sweep: says how far it is, and loads the page again when there is a newer one. Sorting, filters and the
// place on the page stay.
(() => {
  const page = JSON.parse(document.getElementById("data").textContent).live;
  const line = document.getElementById("live");
  const selects = [...document.querySelectorAll("#tools select")];
  const heads = [...document.querySelectorAll("#points thead th")];

  const kept = JSON.parse(sessionStorage.getItem("grid") || "null");
  if (kept) {
    selects.forEach((select, i) => {
      const found = [...select.options].findIndex((option) => option.text === kept.filters[i]);
      select.selectedIndex = Math.max(0, found);
      select.dispatchEvent(new Event("change"));
    });
    for (let click = 0; click < kept.clicks; click++) heads[kept.column]?.querySelector("button").click();
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
      const said = await (await fetch("progress.json", { cache: "no-store" })).json();
      const parts = [`${said.done} of ${said.planned} runs done`];
      if (said.running) parts.push(`${said.running} running`);
      if (said.failed) parts.push(`${said.failed} failed`);
      if (said.seconds_left !== null) parts.push(`at most ${clock(said.seconds_left)} left`);
      if (said.last_failure) parts.push(`last failure: ${said.last_failure}`);
      line.textContent = `Live: ${parts.join(", ")}.`;
      if (said.page !== page && !document.querySelector("dialog[open]")) return again();
    } catch {
      line.textContent = "No longer live: the server has stopped. What is shown is what it showed last.";
    }
    setTimeout(ask, 2000);
  }
  ask();
})();
