"use strict";
// Tables can be sorted and narrowed, and a number under the pointer is shown unrounded. The page says
// the same without it.
const order = new Intl.Collator("en", { numeric: true });

function key(row, column) {
  const cell = row.cells[column];
  return cell.dataset.sort ?? cell.textContent.trim();
}

function compare(a, b) {
  if (a === "" || b === "") return (a === "") - (b === "");
  const difference = Number(a) - Number(b);
  return Number.isNaN(difference) ? order.compare(a, b) : difference;
}

function sort(table, header) {
  const up = header.getAttribute("aria-sort") !== "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", up ? "ascending" : "descending");
  const body = table.tBodies[0];
  const keyed = Array.from(body.rows, (row) => [key(row, header.cellIndex), row]);
  keyed.sort(([a], [b]) => (a === "" || b === "" ? compare(a, b) : up ? compare(a, b) : compare(b, a)));
  body.append(...keyed.map(([, row]) => row));
}

function labelled(text, control) {
  const label = document.createElement("label");
  label.append(text, " ", control);
  return label;
}

function filter(table) {
  const rows = Array.from(table.tBodies[0].rows, (row) => [row.textContent.toLowerCase(), row]);
  const words = document.createElement("input");
  words.type = "search";
  const verdict = document.createElement("select");
  const found = new Set(Array.from(table.querySelectorAll(".verdict"), (v) => v.lastChild.data.trim()));
  for (const name of ["any", ...Array.from(found).sort()]) verdict.add(new Option(name));
  const count = document.createElement("output");
  const narrow = () => {
    const wanted = words.value.toLowerCase().split(/\s+/);
    let left = 0;
    for (const [text, row] of rows) {
      const own = row.querySelector(".verdict");
      const shown = wanted.every((word) => text.includes(word)) &&
        (verdict.value === "any" || (own !== null && own.lastChild.data.trim() === verdict.value));
      row.hidden = !shown;
      left += shown;
    }
    count.textContent = `${left} of ${rows.length}`;
  };
  words.addEventListener("input", narrow);
  verdict.addEventListener("change", narrow);
  const line = document.createElement("div");
  line.className = "filter";
  line.append(labelled("Find", words), labelled("Verdict", verdict), count);
  table.parentElement.before(line);
  narrow();
}

for (const table of document.querySelectorAll(".scroll > table")) {
  if (table.tBodies[0].rows.length > 1) {
    for (const header of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => sort(table, header));
    }
  }
  if ("filter" in table.dataset) filter(table);
}

const exact = document.createElement("output");
exact.id = "exact";
exact.setAttribute("aria-hidden", "true");
document.body.append(exact);
document.addEventListener("pointerover", (event) => {
  const cell = event.target.closest(".number[data-sort]");
  exact.textContent = cell === null ? "" : cell.dataset.sort;
});
