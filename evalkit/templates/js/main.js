/* The start. */

startPreferences();
for (const start of starters) start();
for (const frame of $$(".frame")) watchFrame(frame);
for (const table of $$("table[data-sortable]")) makeSortable(table);
languageListeners.push(() => { if (browser.index >= 0) { drawList(); drawSample(); } });
for (const link of $$("a[data-jump]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById(link.hash.slice(1)).scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  });
}
addEventListener("hashchange", route);
addEventListener("keydown", (event) => {
  if ($("#browser").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  const step = { j: "next", ArrowRight: "next", k: "prev", ArrowLeft: "prev" }[event.key];
  if (step) $(`#sample a[rel="${step}"]`)?.click();
  if (event.key === "/" && $("#find")) { event.preventDefault(); $("#find").focus(); }
  if (event.key === "Escape") location.hash = "";
});
route();
