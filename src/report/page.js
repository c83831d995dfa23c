"use strict";
document.documentElement.classList.add("js");

// Tables are sorted by data-value where a cell has one; what has no number comes last.
const value = (row, column) => {
  const cell = row.cells[column];
  const text = cell.dataset.value ?? cell.textContent.trim();
  const number = Number(text);
  return text === "" ? null : Number.isNaN(number) ? text : number;
};
const compare = (a, b) => {
  if (a === null || b === null) return (a === null) - (b === null) || 0;
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
};
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  table.querySelectorAll("thead th:not(.plain)").forEach((head) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const column = head.cellIndex;
      const rows = [...body.rows].map((row) => [value(row, column), row]);
      rows.sort(([a], [b]) =>
        a === null || b === null ? compare(a, b) : descending ? compare(b, a) : compare(a, b));
      body.append(...rows.map(([, row]) => row));
    });
  });
  if (table.dataset.filter && body.rows.length > 4) {
    const input = document.createElement("input");
    input.type = "search";
    input.className = "filter";
    input.placeholder = `Filter ${table.dataset.filter}`;
    input.setAttribute("aria-label", input.placeholder);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of body.rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
    });
    table.parentElement.before(input);
  }
}

// A cell of the confusion matrix shows its mistakes alone.
const mistakes = document.querySelectorAll("#mistakes .mistakes li");
const cells = document.querySelectorAll("svg [data-cell]");
const shown = document.getElementById("mistakes-shown");
const all = document.querySelector("a.all");
const show = (cell) => {
  cells.forEach((other) => other.classList.toggle("chosen", other === cell));
  let count = 0;
  for (const card of mistakes) {
    card.hidden = cell !== null && card.dataset.cell !== cell.dataset.cell;
    count += !card.hidden;
  }
  for (const more of document.querySelectorAll("#mistakes details")) {
    const left = more.querySelectorAll("li:not([hidden])").length;
    if (cell) more.open = true;
    more.hidden = left === 0;
    more.querySelector("summary").textContent = `${left} more`;
  }
  const title = cell?.querySelector("title")?.textContent ?? "";
  shown.textContent = cell ? `${title}${title && ". "}${count ? `${count} shown.` : "None of its images is in this page."}` : "";
  all.hidden = cell === null;
};
if (shown) {
  for (const cell of cells) {
    cell.setAttribute("tabindex", "0");
    cell.setAttribute("role", "button");
    const choose = () => {
      show(cell.classList.contains("chosen") ? null : cell);
      document.getElementById("mistakes").scrollIntoView();
    };
    cell.addEventListener("click", choose);
    cell.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(); }
    });
  }
  all.addEventListener("click", () => show(null));
}

// Parallel coordinates: a range that is drawn along an axis leaves the lines that go through it on all axes.
for (const chart of document.querySelectorAll("svg:has(.brush)")) {
  const lines = [...chart.querySelectorAll("[data-line]")];
  const places = lines.map((line) => line.getAttribute("points").split(" ").map((it) => Number(it.split(",")[1])));
  const ranges = new Map();
  const told = document.createElement("p");
  told.className = "note";
  told.setAttribute("aria-live", "polite");
  const tell = () => {
    let count = 0;
    lines.forEach((line, index) => {
      const stays = [...ranges].every(([axis, { from, to }]) => places[index][axis] >= from - 0.5 && places[index][axis] <= to + 0.5);
      line.classList.toggle("out", !stays);
      count += stays;
    });
    told.textContent = ranges.size
      ? `${count} of ${lines.length} settings go through what is chosen. A click on an axis lets go of its part.`
      : "Draw along an axis to choose a part of it.";
  };
  const height = (event) => {
    const box = chart.getBoundingClientRect();
    return (event.clientY - box.top) * chart.viewBox.baseVal.height / box.height;
  };
  for (const brush of chart.querySelectorAll(".brush")) {
    const axis = Number(brush.dataset.axis);
    const [top, bottom] = [brush.y.baseVal.value, brush.y.baseVal.value + brush.height.baseVal.value];
    const within = (y) => Math.min(Math.max(y, top), bottom);
    let mark = null;
    let start = null;
    brush.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      brush.setPointerCapture(event.pointerId);
      start = within(height(event));
    });
    brush.addEventListener("pointermove", (event) => {
      if (start === null) return;
      const now = within(height(event));
      const [from, to] = [Math.min(start, now), Math.max(start, now)];
      if (to - from < 3) return;
      if (!mark) {
        mark = brush.cloneNode();
        mark.setAttribute("class", "brushed");
        mark.removeAttribute("data-axis");
        brush.before(mark);
      }
      mark.setAttribute("y", from);
      mark.setAttribute("height", to - from);
      ranges.set(axis, { from, to });
      tell();
    });
    brush.addEventListener("pointerup", (event) => {
      if (start !== null && Math.abs(within(height(event)) - start) < 3) {
        ranges.delete(axis);
        mark?.remove();
        mark = null;
        tell();
      }
      start = null;
    });
    brush.addEventListener("pointercancel", () => { start = null; });
  }
  tell();
  (chart.closest("figure") ?? chart).append(told);
}
