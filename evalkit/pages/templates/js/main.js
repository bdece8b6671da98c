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

/* A page that is loaded again, as that of a run that goes on is every few seconds, looks as it did: the sample that
   was open (a server's Refresh forgets the fragment), what was unfolded, where one typed, how far one had scrolled. */
const kept = `evalkit.kept ${location.pathname}`;
addEventListener("pagehide", () => {
  const active = document.activeElement;
  const seen = {
    hash: location.hash,
    open: $$("main details").map((details) => details.open),
    focus: active?.id ?? "",
    caret: active?.tagName === "INPUT" ? active.selectionStart : null,
    list: $("#list")?.scrollTop ?? 0,
  };
  try { sessionStorage.setItem(kept, JSON.stringify(seen)); } catch { /* Then the page looks as at its first opening. */ }
});

function lastSeen() {
  if (performance.getEntriesByType("navigation")[0]?.type !== "reload") return null;
  try { return JSON.parse(sessionStorage.getItem(kept)); } catch { return null; }
}

function restore(seen) {
  if (!seen) return;
  const folds = $$("main details");
  if (folds.length === seen.open.length) folds.forEach((details, index) => { details.open = seen.open[index]; });
  if ($("#list")) $("#list").scrollTop = seen.list;
  const field = seen.focus ? document.getElementById(seen.focus) : null;
  field?.focus({ preventScroll: true });
  if (field && seen.caret !== null) field.setSelectionRange(seen.caret, seen.caret);
}

const seen = lastSeen();
if (seen?.hash && !location.hash) history.replaceState(null, "", seen.hash);
route().then(() => restore(seen));
