"use strict";
// Sorts and filters the grid, and draws the curves and the gradient map of a row that is opened. Data enter the page as
// text and numbers only, never as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const table = at("points"), body = table.tBodies[0], rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells], selects = [...at("tools").querySelectorAll("select")];
  const dialog = at("cell");
  let opened = null;

  function element(tag, attributes = {}, text = "") {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.textContent = text;
    return node;
  }

  function drawn(parent, tag, attributes = {}, text = "") {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    if (text) node.textContent = text;
    parent.append(node);
    return node;
  }

  // The table

  function sort(column, direction) {
    const key = (row) => row.cells[column].dataset.order;
    const ordered = [...rows].sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return Number(x) === Number(y) ? 0 : direction * (Number(x) < Number(y) ? -1 : 1);
    });
    body.append(...ordered);
    heads.forEach((head, i) => head.setAttribute(
      "aria-sort", i !== column ? "none" : direction > 0 ? "ascending" : "descending"));
  }

  function filter() {
    for (const row of rows) {
      row.hidden = selects.some((select) => select.selectedIndex > 0 &&
        row.cells[select.dataset.column].textContent.trim() !== select.value);
    }
    const shown = rows.filter((row) => !row.hidden).length;
    at("shown").textContent = `${shown} of ${rows.length} points`;
  }

  heads.forEach((head, column) => {
    const button = element("button", { type: "button" }, head.textContent);
    head.replaceChildren(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => sort(column, head.getAttribute("aria-sort") === "ascending" ? -1 : 1));
  });
  rows.forEach((row, index) => {
    const cell = row.cells[0];
    const button = element("button", { type: "button", "aria-haspopup": "dialog" }, cell.textContent);
    if (data.names[index]) button.title = data.names[index];
    cell.replaceChildren(button);
    row.dataset.point = index;
    row.className = "opens";
    row.addEventListener("click", (event) => {
      // a click that ends a selection of text does not open the row
      if (event.target.closest("button") || !String(getSelection())) open(row);
    });
  });
  selects.forEach((select) => select.addEventListener("change", filter));
  at("tools").hidden = selects.length === 0;
  at("hint").hidden = false;
  filter();

  // The panel

  function open(row) {
    opened = row;
    if (!dialog.open) dialog.showModal();
    const index = Number(row.dataset.point), { curves, map } = data.points[index];
    at("cell-name").textContent = data.names[index] || "The only point of the grid";
    at("cell-facts").textContent = heads
      .map((head, i) => [head.textContent, row.cells[i].textContent.trim(), row.cells[i].className])
      .filter(([, text, kind]) => kind.startsWith("number") && text !== "0" && text !== "–")
      .map(([head, text]) => `${head} ${text}`).join(" · ");
    const width = Math.min(680, at("curves").clientWidth);
    at("curves").replaceChildren(...(curves ? [learning(curves, width)] : []));
    at("curves-note").textContent = curves ? curvesNote(curves) : "No evaluation was recorded.";
    at("map").replaceChildren(...(map ? [heat(map, width)] : []));
    at("map-note").textContent = map ? mapNote(map) : "No gradient was recorded, or its runs differ in their length.";
    at("before").disabled = !beside(-1);
    at("after").disabled = !beside(1);
    dialog.scrollTop = 0;
  }

  function beside(step) {
    const visible = [...body.rows].filter((row) => !row.hidden);
    return visible[visible.indexOf(opened) + step];
  }

  at("before").addEventListener("click", () => open(beside(-1)));
  at("after").addEventListener("click", () => open(beside(1)));
  at("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => opened.cells[0].firstElementChild.focus());

  // Axes

  function ticks(low, high, most) {
    const rough = (high - low) / most || 1, ten = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((k) => k * ten).find((s) => s >= rough * 0.999);
    const values = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) {
      values.push(Number((k * step).toPrecision(6)));
    }
    return values;
  }

  function frame(width, height, label) {
    const root = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const attributes = { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label };
    for (const [name, value] of Object.entries(attributes)) root.setAttribute(name, value);
    return root;
  }

  const path = (points) => points.reduce(
    ([text, pen], point) => point ? [`${text}${pen}${point[0].toFixed(1)} ${point[1].toFixed(1)}`, "L"] : [text, "M"],
    ["", "M"])[0];

  // Learning curves: a thin line a run, a thick one for the mean over seeds

  function learning({ measure, runs, mean, chance }, width) {
    const height = 240, box = { left: 46, right: width - 10, top: 8, bottom: height - 38 };
    const ys = [...runs, mean].flatMap((line) => line.y).filter((y) => y !== null);
    const last = Math.max(1, ...runs.map((run) => run.x.at(-1)), ...mean.x);
    const top = measure === "accuracy" ? 1 : Math.max(...ys, 0), low = Math.min(0, ...ys);
    const x = (u) => box.left + (box.right - box.left) * u / last;
    const y = (v) => box.bottom - (box.bottom - box.top) * (v - low) / (top - low || 1);
    const root = frame(width, height, `${measure} against parameter updates, ${runs.length} runs`);
    for (const v of ticks(low, top, 5)) {
      drawn(root, "path", { d: `M${box.left} ${y(v)}H${box.right}`, class: "ruled" });
      drawn(root, "text", { x: box.left - 6, y: y(v) + 4, "text-anchor": "end" }, String(v));
    }
    for (const u of ticks(0, last, width / 110)) {
      const anchor = u > last * 0.95 ? "end" : "middle";
      drawn(root, "text", { x: x(u), y: box.bottom + 16, "text-anchor": anchor }, String(u));
    }
    drawn(root, "text", { x: (box.left + box.right) / 2, y: height - 4, "text-anchor": "middle" }, "parameter updates");
    drawn(root, "path", { d: `M${box.left} ${box.bottom}H${box.right}`, class: "axis" });
    const line = ({ x: us, y: vs }) => path(us.map((u, i) => vs[i] === null ? null : [x(u), y(vs[i])]));
    if (chance !== null) drawn(root, "path", { d: `M${box.left} ${y(chance)}H${box.right}`, class: "chance" });
    for (const run of runs) {
      const curve = drawn(root, "path", { d: line(run), class: `run ${run.outcome}` });
      drawn(curve, "title", {}, `seed ${run.seed}: ${run.outcome}`);
    }
    drawn(root, "path", { d: line(mean), class: "mean" });
    return root;
  }

  function curvesNote({ measure, runs, chance }) {
    const colours = { solved: "green", unsolved: "grey", diverged: "red" };
    const present = Object.keys(colours).filter((outcome) => runs.some((run) => run.outcome === outcome));
    const kinds = present.map((outcome) => `${colours[outcome]}: ${outcome}`).join(", ");
    const mean = measure === "accuracy" ? ", ended runs carried forward" : " where every run has one";
    return `${measure[0].toUpperCase()}${measure.slice(1)} on fresh sequences, a thin line a run (${kinds}); ` +
      `thick: mean over seeds${mean}.${chance === null ? "" : " Dotted: chance."}`;
  }

  // Gradient map: a row a recorded update, time from left to right, tenths of a decade as colours

  const power = (decade) => "10" + [...String(decade)].map((c) => c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]).join("");
  const size = (tile) => tile === "0" ? "exact zero" : `10^${(tile / 10).toFixed(1)}`;
  const decades = (map) => map.tiles.flat().filter((tile) => typeof tile === "number")
    .reduce(([low, high], tile) => [Math.min(low, Math.floor(tile / 10)), Math.max(high, Math.ceil(tile / 10))],
      [Infinity, -Infinity]);

  function heat(map, width) {
    const { updates, t, length, tiles } = map, [low, high] = decades(map);
    const tall = Math.max(3, Math.min(18, Math.floor(260 / updates.length)));
    const box = { left: 58, right: width - 10, top: 6, bottom: 6 + tall * updates.length };
    const height = box.bottom + 78;
    const x = (step) => box.left + (box.right - box.left) * (step - 1) / length;
    const row = (i) => box.bottom - tall * (i + 1);
    const shade = (tile) => tile === "0" ? data.zero
      : data.shades[Math.round((tile / 10 - low) / (high - low || 1) * (data.shades.length - 1))];
    const root = frame(width, height, high < low ? "gradient map: every adjoint is an exact zero"
      : `gradient map over time step and update, from ${power(low)} to ${power(high)}`);
    const area = drawn(root, "g", { "shape-rendering": "crispEdges" });
    tiles.forEach((line, i) => line.forEach((tile, k) => {
      if (tile === null) return;
      const end = k + 1 < t.length ? t[k + 1] : length + 1;
      const rect = drawn(area, "rect", {
        x: x(t[k]), y: row(i), width: x(end) - x(t[k]), height: tall, fill: shade(tile) });
      const steps = end - t[k] > 1 ? `${t[k]}–${end - 1}` : t[k];
      drawn(rect, "title", {}, `after ${updates[i]} updates, t = ${steps}: ${size(tile)}`);
    }));
    const every = Math.ceil(updates.length / Math.max(1, Math.floor(tall * updates.length / 15)));
    updates.forEach((update, i) => {
      if (i % every) return;
      drawn(root, "text", { x: box.left - 6, y: row(i) + tall / 2 + 4, "text-anchor": "end" }, String(update));
    });
    for (const step of [1, ...ticks(1, length, 5).filter((s) => s > length * 0.08 && s < length * 0.93), length]) {
      const centre = (x(step) + x(step + 1)) / 2;
      drawn(root, "text", { x: centre, y: box.bottom + 15, "text-anchor": "middle" }, String(step));
    }
    const middle = { x: (box.left + box.right) / 2, y: box.bottom + 32, "text-anchor": "middle" };
    drawn(root, "text", middle, "time step t (rows: updates made)");
    legend(root, box, low, high, height);
    return root;
  }

  function legend(root, box, low, high, height) {
    const wide = Math.min(150, box.right - box.left - 120) / data.shades.length, y = height - 30;
    const bar = drawn(root, "g", { "shape-rendering": "crispEdges" });
    const start = high < low ? box.left : box.left + wide * data.shades.length + 20;
    if (high >= low) {
      data.shades.forEach((fill, i) => {
        drawn(bar, "rect", { x: box.left + i * wide, y, width: wide + 0.5, height: 10, fill });
      });
      drawn(root, "text", { x: box.left, y: y + 25 }, power(low));
      drawn(root, "text", { x: start - 20, y: y + 25, "text-anchor": "end" }, power(high));
    }
    drawn(root, "rect", { x: start, y, width: 10, height: 10, fill: data.zero, class: "swatch" });
    drawn(root, "text", { x: start + 16, y: y + 10 }, "exact zero");
  }

  function mapNote({ n }) {
    const [fewest, most] = [Math.min(...n), Math.max(...n)];
    return "Batch mean of ‖∂L/∂hₜ‖ as a power of ten: the mean of its logarithm over " +
      `${fewest === most ? most : `${fewest} to ${most}`} runs still training, exact zeros left out; ` +
      "an exact zero where all of them are.";
  }
})();
