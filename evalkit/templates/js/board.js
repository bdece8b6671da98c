/* The leaderboard: views, facets, columns, cards, exports. */

const ROWS = 100;
const board = { view: 0, facet: 0, query: "", sort: null, limit: ROWS, found: [] };

function startBoard() {
  const table = $("#board");
  if (!table) return;
  board.table = table;
  board.rows = $$("tbody tr", table);
  board.first = board.rows.map((row) => $$("td.score", row).map((cell) => cell.cloneNode(true)));
  makeSortable(table, (index, direction) => { board.sort = [index, direction]; placeRows(); remember(); });
  $("#more-rows").addEventListener("click", () => { board.limit = Infinity; placeRows(); });
  $("#search")?.addEventListener("input", (event) => { board.query = event.target.value; placeRows(); remember(); });
  $("#view")?.addEventListener("change", (event) => { board.view = Number(event.target.value); drawView(); remember(); });
  $("#facet")?.addEventListener("change", (event) => { board.facet = Number(event.target.value); drawFacet(); remember(); });
  for (const button of $$("[data-toggle]")) {
    board[button.dataset.toggle] = button.getAttribute("aria-pressed") === "true";
    button.addEventListener("click", () => { toggle(button.dataset.toggle); remember(); });
    applyToggle(button.dataset.toggle);
  }
  for (const button of $$("[data-export]")) button.addEventListener("click", () => exportAs(button.dataset.export));
  table.addEventListener("pointerover", (event) => showCard(event.target.closest("td.score")));
  table.addEventListener("pointerleave", () => showCard(null));
  table.addEventListener("focusin", (event) => showCard(event.target.closest("td.score")));
  table.addEventListener("focusout", () => showCard(null));
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") showCard(null); });
  restore();
  placeRows();
}

/** The cell of a model and column in the view, as the script was given it. */
function cellData(row, column) {
  return data.cells[board.view][Number(row.dataset.row)][column];
}

function scoreCell(cell) {
  if (!cell) return h("td", { class: "score none", data: { s: "" } }, "–");
  const content = [h("b", {}, cell.v), h("small", {}, cell.i)];
  return h("td", { class: `score${cell.k}`, data: { s: cell.s } }, cell.l ? h("a", { href: cell.l }, content) : content);
}

function drawView() {
  for (const row of board.rows) {
    const cells = $$("td.score", row);
    cells.forEach((cell, column) => {
      const next = board.view === 0 ? board.first[Number(row.dataset.row)][column].cloneNode(true) : scoreCell(cellData(row, column));
      cell.replaceWith(next);
    });
  }
  drawFacet();
}

/** Show the columns of the facet that the view has, and the standings over them. */
function drawFacet() {
  const wanted = new Set(data.facets[board.facet][1]);
  data.columns.forEach((_, column) => {
    if (board.view !== 0 && !data.cells[board.view].some((cells) => cells[column])) wanted.delete(column);
  });
  board.wanted = wanted;
  const heads = $$("th.task", board.table);
  const common = new Set(data.common[board.view][board.facet]);
  heads.forEach((head, column) => {
    head.hidden = !wanted.has(column);
    head.classList.toggle("aside", !common.has(column));
  });
  $('th[data-group="tasks"]', board.table.tHead.rows[0]).colSpan = Math.max(1, wanted.size);
  const standings = data.standings[board.view][board.facet];
  for (const row of board.rows) {
    $$("td.score", row).forEach((cell, column) => { cell.hidden = !wanted.has(column); });
    drawStanding(row, standings[Number(row.dataset.row)]);
  }
  placeRows();
}

function drawStanding(row, standing) {
  const rank = $('[data-f="rank"]', row);
  rank.textContent = standing.rank.v;
  rank.dataset.s = standing.rank.s;
  rank.classList.toggle("dim", standing.unsure);
  $('[data-f="coverage"]', row).textContent = standing.coverage.v;
  const answered = $('[data-f="answered"]', row);
  answered.textContent = standing.answered.v;
  answered.dataset.s = standing.answered.s;
  answered.className = `answered${standing.answered.k}`;
  const overall = $('[data-f="overall"]', row);
  overall.dataset.s = standing.overall.s;
  overall.classList.toggle("dim", !standing.complete);
  $("b", overall).textContent = standing.overall.v;
  $("small", overall).textContent = standing.overall.i;
  $(".track", overall)?.remove();
  if (standing.overall.band) overall.append(trackOf(standing.overall.band));
  $$("td.num", row).forEach((cell, index) => {
    const part = standing.rest[index];
    cell.textContent = part.v;
    cell.dataset.s = part.s;
    cell.className = `num${part.k}`;
  });
}

function trackOf(band) {
  const svg = document.createElementNS(SVG, "svg");
  const rect = (name, x, y, width, height) => {
    const element = document.createElementNS(SVG, "rect");
    Object.entries({ class: name, x, y, width, height }).forEach(([key, value]) => element.setAttribute(key, value));
    svg.append(element);
  };
  Object.entries({ class: "track", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" }).forEach(([key, value]) => svg.setAttribute(key, value));
  rect("rail", 0, 2.5, 100, 1);
  if (band.width !== null) rect("band", band.low, 1.5, band.width, 3);
  rect("point", band.at, 0, 1.6, 6);
  return svg;
}

/** Put the rows that fit into the table, in order; of very many only the first, until more are asked for. */
function placeRows() {
  const needles = board.query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const fit = board.rows.filter((row) =>
    needles.every((needle) => row.dataset.search.includes(needle)) && (board.reference || !row.classList.contains("reference")));
  const [index, direction] = board.sort ?? [0, "ascending"];
  board.found = sorted(fit, index, direction);
  markSorted(board.table, index, direction);
  board.table.tBodies[0].replaceChildren(...board.found.slice(0, board.limit));
  const rest = Math.max(0, board.found.length - board.limit);
  $("#more-rows").hidden = rest === 0;
  $("#more-rows").replaceChildren(words("board.more_rows", { n: formatCount(rest) }));
  if (board.query) announce(t("board.shown", { n: board.found.length, total: board.rows.length }));
}

function toggle(name) {
  board[name] = !board[name];
  applyToggle(name);
}

function applyToggle(name) {
  $(`[data-toggle="${name}"]`).setAttribute("aria-pressed", String(board[name]));
  if (name === "reference") placeRows();
  else board.table.classList.toggle(`no-${name}`, !board[name]);
}

/* State in the address, so that a link shows what its sender saw. */
function remember() {
  const off = ["intervals", "health", "cost", "reference"].filter((name) => $(`[data-toggle="${name}"]`).getAttribute("aria-pressed") !== "true");
  address.write({
    view: board.view ? address.quote(data.views[board.view]) : "",
    tasks: board.facet ? address.quote(data.facets[board.facet][0]) : "",
    q: address.quote(board.query),
    sort: board.sort ? `${board.sort[0]}${board.sort[1] === "ascending" ? "a" : "d"}` : "",
    off: off.join("."),
  });
}

function restore() {
  const state = address.read();
  if (state.s !== undefined) return;
  board.view = Math.max(0, data.views.indexOf(address.text(state.view ?? "")));
  board.facet = Math.max(0, data.facets.findIndex(([id]) => id === address.text(state.tasks ?? "")));
  board.query = address.text(state.q ?? "");
  const sort = /^(\d+)([ad])$/.exec(state.sort ?? "");
  if (sort && Number(sort[1]) < board.table.tHead.rows[1].cells.length) board.sort = [Number(sort[1]), sort[2] === "a" ? "ascending" : "descending"];
  if (state.off !== undefined) {
    const off = state.off.split(".");
    for (const name of ["intervals", "health", "cost", "reference"]) { board[name] = !off.includes(name); applyToggle(name); }
  }
  if ($("#search")) $("#search").value = board.query;
  if ($("#view")) $("#view").value = board.view;
  if ($("#facet")) $("#facet").value = board.facet;
  if (board.view || board.facet || board.query || sort) drawView();
}

/* The card: everything about the number under the pointer or the focus. */
function showCard(cell) {
  const card = $("#card");
  const row = cell?.closest("tr");
  const column = row ? $$("td.score", row).indexOf(cell) : -1;
  const item = column >= 0 ? cellData(row, column) : null;
  if (!item) { card.hidden = true; return; }
  const [samples, scored, unscored, noAnswer, refused, truncated, errors, cached] = item.c;
  const counts = Object.entries({ errors, refused, truncated, no_answer: noAnswer, unscored, cached }).filter(([, n]) => n > 0);
  card.replaceChildren(
    h("p", { class: "card-head" }, nameOf(data.models[Number(row.dataset.row)]), " · ", nameOf(data.columns[column].id)),
    h("dl", {}, item.m.map(([name, value, bounds, signature]) => h("div", {}, h("dt", {}, term("metric", name)), h("dd", {}, h("b", {}, value), bounds ? ` ${bounds}` : ""), h("dd", { class: "signature" }, visible(signature))))),
    h("p", {}, [words("card.n", { n: formatCount(item.n) }), samples === scored ? null : `${formatCount(scored)}/${formatCount(samples)}`, item.r ? words("card.rank", { rank: item.r }) : null, words("card.variant", { variant: visible(item.x) })].filter(Boolean).flatMap((part, index) => (index ? [" · ", part] : [part]))),
    counts.length ? h("p", {}, counts.flatMap(([name, n], index) => [index ? " · " : "", words(`column.${name}`), ` ${formatCount(n)}`])) : "",
    item.k.includes("apart") ? h("p", { class: "bad" }, words("card.apart")) : "",
    item.k.includes("warn") ? h("p", { class: "bad" }, words("card.warn")) : "",
    h("p", { class: "dim" }, words("card.run", { run: visible(item.d) }), item.l ? [" · ", words("card.samples")] : ""));
  card.hidden = false;
  const box = cell.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = card;
  const left = Math.min(Math.max(8, box.left + box.width / 2 - width / 2), document.documentElement.clientWidth - width - 8);
  const below = box.bottom + 8 + height <= innerHeight;
  card.style.left = `${left + scrollX}px`;
  card.style.top = `${(below ? box.bottom + 8 : Math.max(8, box.top - height - 8)) + scrollY}px`;
}

async function exportAs(kind) {
  if (kind === "copy") return copy(asTsv(tableTexts(board.table, board.found)));
  if (kind === "markdown") return copy(asMarkdown(tableTexts(board.table, board.found)));
  const name = `leaderboard.${kind}`;
  return save(name, (kind === "csv" ? "\ufeff" : "") + (await readFile(name)), kind === "csv" ? "text/csv" : "application/json");
}

starters.push(startBoard);
