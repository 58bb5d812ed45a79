"use strict";
// Tables sort by a click on a head: numbers by size, an empty cell last, controls (tfoot) stay where they are.
const value = (row, column) => {
  const text = row.cells[column].textContent.trim();
  const number = parseFloat(text.replace(/,/g, ""));
  return text === "" ? null : Number.isNaN(number) ? text : number;
};
const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en");
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  if (body.rows.length < 3) continue;
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      body.append(...[...body.rows].sort((one, other) => {
        const a = value(one, column), b = value(other, column);
        return a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b);
      }));
    });
  });
}
// The table of contents shows the section that is being read.
const links = new Map([...document.querySelectorAll("nav a")].map(link => [link.hash.slice(1), link]));
const sections = [...document.querySelectorAll("h2[id]")];
const mark = () => {
  const current = sections.filter(section => section.getBoundingClientRect().top < innerHeight / 3).pop() ?? sections[0];
  links.forEach((link, id) => id === current.id ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current"));
};
addEventListener("scroll", mark, { passive: true });
mark();
// On paper everything is open.
const closed = [];
addEventListener("beforeprint", () => document.querySelectorAll("details:not([open])").forEach(details => { closed.push(details); details.open = true; }));
addEventListener("afterprint", () => closed.splice(0).forEach(details => { details.open = false; }));
