/* The leaderboard: its start. */

/** Who leads, among what is shown. */
function drawLeaders() {
  const { ranks, ranked, hidden, order, complete } = board.standings;
  const place = $("#lede");
  const names = (models) => models.flatMap((model, index) => [index ? words("list.separator") : "", h("b", {}, nameOf(data.models[model]))]);
  if (ranked.length < 2) {
    place.replaceChildren(ranked.length ? words("board.only", { model: visible(data.models[ranked[0]]) }) : words("board.no_leader"));
    return;
  }
  const leaders = hidden ? [order.find((model) => complete[model] && ranked.includes(model))] : order.filter((model) => ranks[model] !== null && ranks[model][0] === 1);
  const more = leaders.length - 4;
  place.replaceChildren(words(hidden ? "board.highest" : leaders.length === 1 ? "board.leader" : "board.leaders"), " ", ...names(leaders.slice(0, 4)), ...(more > 0 ? [" ", words("board.more_leaders", { n: more })] : []));
}

function startBoard() {
  grid.table = $("#board");
  grid.scroll = grid.table.closest(".scroll");
  look();
  restoreBoard();
  startControls();
  startKeys();
  let waiting = false;
  let width = innerWidth;
  grid.scroll.addEventListener("scroll", () => {
    showCard(null);
    look();
    if (waiting || !isVirtual()) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; drawRows(); });
  }, { passive: true });
  const over = (event) => showCard(event.target.closest("tbody td, tbody th"));
  grid.table.addEventListener("pointerover", over);
  grid.table.addEventListener("pointerleave", () => showCard(null));
  grid.table.addEventListener("focusin", over);
  grid.table.addEventListener("focusout", () => showCard(null));
  addEventListener("beforeprint", () => { grid.printing = true; drawRows(true); fitPaper(); drawPanelsNow(); });
  addEventListener("afterprint", () => { grid.printing = false; drawRows(true); fitPaper(); });
  new ResizeObserver(() => { look(); if (isVirtual()) drawRows(innerWidth !== width); width = innerWidth; }).observe(grid.scroll);
  languageListeners.push(() => redraw());
  addEventListener("hashchange", () => {
    const state = address.read();
    if (state.s !== undefined) return;
    if (Object.keys(state).length) {
      forget();
      restoreBoard();
      redraw();
    } else remember();
  });
  redraw();
  drawPanelsNow();
}

starters.push(startBoard);
