// The page works without this file; it adds the search in the list of units and the light/dark switch.
"use strict";

/** Vietnamese text without marks and case, so that "dien bien" finds "Điện Biên". */
function plain(text) {
  return text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").replace(/[đĐ]/g, "d").toLowerCase();
}

function searchUnits() {
  const form = document.getElementById("find");
  const text = document.getElementById("find-text");
  const kind = document.getElementById("find-kind");
  const found = document.getElementById("found");
  const rows = Array.from(document.querySelectorAll("[data-unit]"), (row) => ({
    row,
    kind: row.dataset.kind,
    words: plain(Array.from(row.querySelectorAll("b, i, .code"), (part) => part.textContent).join(" ")),
  }));

  function show() {
    const wanted = plain(text.value).split(/\s+/).filter(Boolean);
    let count = 0;
    for (const unit of rows) {
      const fits = (!kind.value || unit.kind === kind.value) && wanted.every((word) => unit.words.includes(word));
      unit.row.hidden = !fits;
      count += fits ? 1 : 0;
    }
    found.textContent = count === rows.length ? "" : `${count} đơn vị · ${count === 1 ? "1 unit" : count + " units"}`;
  }

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  text.addEventListener("input", show);
  kind.addEventListener("change", show);
  show(); // a browser may bring back what was typed before
}

function switchTheme() {
  const button = document.getElementById("theme");
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const mark = () => button.setAttribute("aria-pressed", String(dark()));

  const kept = localStorage.getItem("theme");
  if (kept) root.dataset.theme = kept;
  button.hidden = false;
  mark();
  system.addEventListener("change", mark);
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    mark();
  });
}

searchUnits();
switchTheme();
