// Shows the line of the timeline behind a mark, filters, and moves between marks by the arrow keys. The page tells all without it.
"use strict";
(() => {
  const panel = document.getElementById("line");
  // Letters that would turn the line round, or not be seen.
  const odd = /[\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/g;
  const lines = () => (lines.parsed ??= JSON.parse(document.getElementById("timeline").textContent));
  const show = (of) => {
    const number = of && of.dataset.e;
    if (number === undefined || !of) return;
    const event = lines()[number];
    const row = document.getElementById("e" + number);
    panel.querySelector("b").textContent = row ? row.querySelector(".what").textContent : "";
    panel.querySelector("small").textContent =
      (event.witness === "wire" ? "frame " + event.number + " of wire.pcapng, and " : "") +
      "line " + (Number(number) + 1) + " of events.jsonl";
    panel.querySelector("code").textContent = JSON.stringify(event).replace(odd, (letter) =>
      "\\u" + letter.charCodeAt(0).toString(16).padStart(4, "0"));
    panel.hidden = false;
  };
  const marked = (event) => event.target.closest("[data-e]");
  // Only where the mouse moves itself: a page that scrolls under it brings no mark back that Escape put away.
  let over = null;
  document.addEventListener("mousemove", (event) => {
    if (over !== (over = marked(event))) show(over);
  });
  document.addEventListener("focusin", (event) => show(marked(event)));
  panel.querySelector("button").addEventListener("click", () => (panel.hidden = true));

  // Filters: a class on the whole page for each box that is not ticked; the style sheet does the rest.
  const boxes = document.querySelectorAll("#filter input");
  const apply = () => {
    for (const box of boxes) document.body.classList.toggle("no-" + box.value, !box.checked);
    const shown = document.querySelectorAll("#ladder li[data-e]");
    const count = [...shown].filter((row) => row.checkVisibility()).length;
    document.getElementById("shown").textContent = count + " of " + shown.length + " marks shown";
  };
  for (const box of boxes) box.addEventListener("change", apply);
  document.getElementById("filter").hidden = false;

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") panel.hidden = true;
    const down = event.key === "ArrowDown";
    const from = document.activeElement.closest && document.activeElement.closest("#ladder li[data-e]");
    if (!from || !(down || event.key === "ArrowUp")) return;
    const all = [...document.querySelectorAll("#ladder li[data-e]")].filter((row) => row.checkVisibility());
    const to = all[all.indexOf(from) + (down ? 1 : -1)];
    if (to) {
      to.querySelector("a").focus();
      event.preventDefault();
    }
  });
})();
