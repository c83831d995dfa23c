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
const mistakes = document.querySelectorAll(".mistakes li");
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
  if (cell) document.querySelectorAll("#mistakes details").forEach((more) => { more.open = true; });
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
