/* The rows. Of a large table only what one can see is in the document: some rows, and of these some columns. */

const MOST_CELLS = 4000;
const MOST_PRINTED = 6000;
const AHEAD = 4;
const BESIDE = 2;
const RANK = 22 + 9 * (2 * String(N_MODELS).length + 1);
const WIDTHS = { rank: RANK, model: 250, overall: 176, answered: 88, fact: 150, arena: 108, arena_rank: RANK, task: 108, group: 108, health: 84, cost: 96 };
const NARROW = { model: 138, overall: 112 };
const grid = { table: null, scroll: null, height: 0, from: -1, to: -1, first: 0, last: 0, edges: [], heads: null, row: 0, col: 0, printing: false, view: { left: 0, top: 0, width: 0, height: 0 } };

/* Whether a table is large does not hang on what was searched for: its columns would jump. */
const isVirtual = () => N_MODELS * board.columns.length > MOST_CELLS && !grid.printing;

/** The rows that the document would have if one could see them all; on paper as many as it can bear. */
function reachable() {
  return grid.printing ? Math.min(board.rows.length, Math.max(50, Math.floor(MOST_PRINTED / board.columns.length))) : board.rows.length;
}

/** Note what part of the table is in sight; to ask for it after a change would lay out the whole page. */
function look() {
  const { scrollLeft: left, scrollTop: top, clientWidth: width, clientHeight: height } = grid.scroll;
  grid.view = { left, top, width, height };
}

function scrollTo_(left, top) {
  if (left !== null) grid.scroll.scrollLeft = left;
  if (top !== null) grid.scroll.scrollTop = top;
  look();
}

/* How high a row is, by what its height hangs on. */
const heights = new Map();
const heightKey = () => `${board.density} ${board.on.intervals} ${language} ${innerWidth <= 700}`;

const PAPER = 1030;

/** On paper a table is as small as it must be to fit; one of very many tasks goes without its intervals. */
function fitPaper() {
  const n = board.columns.filter(({ kind }) => kind === "task" || kind === "group").length;
  const base = 105 * board.columns.filter(({ block }) => !["health", "cost", "tasks"].includes(block) && !block.startsWith("group:")).length;
  const whole = PAPER / (base + 86 * n);
  const tight = grid.printing && whole < 0.6;
  grid.table.classList.toggle("tight", tight);
  grid.table.style.zoom = grid.printing ? Math.max(0.35, Math.min(1, tight ? PAPER / (base + 46 * n) : whole)) : "";
}

/** How wide a column of a large table is: its rows come and go, and it must not move with them. */
function widthOf({ kind }) {
  if (board.density === "heat" && (kind === "task" || kind === "group")) return 54;
  return (innerWidth <= 700 && NARROW[kind]) || WIDTHS[kind];
}

/** Set the widths of the columns, and note where each begins. */
function setWidths(virtual) {
  const widths = board.columns.map(widthOf);
  const now = virtual ? widths.join() : "";
  if (grid.widths === now) return;
  grid.widths = now;
  $("colgroup", grid.table)?.remove();
  grid.table.style.width = "";
  if (!virtual) return;
  grid.edges = [0];
  for (const width of widths) grid.edges.push(grid.edges.at(-1) + width);
  const columns_ = el("colgroup");
  for (const width of widths) {
    const column = el("col");
    column.style.width = `${width}px`;
    columns_.append(column);
  }
  grid.table.prepend(columns_);
  grid.table.style.width = `${grid.edges.at(-1)}px`;
}

/** The columns that are in the document: the standing always, of the others those in sight. */
function columnsInSight(virtual) {
  const n = board.columns.length;
  const fixed = board.columns.findIndex((column) => column.block !== "standing");
  if (!virtual || fixed < 0 || grid.edges[n] < 1.5 * grid.view.width) return [Math.max(0, fixed), n];
  const { left } = grid.view;
  const right = left + grid.view.width;
  let first = fixed;
  while (first < n - 1 && grid.edges[first + 1] < left) first += 1;
  let last = first;
  while (last < n && grid.edges[last] < right) last += 1;
  return [Math.max(fixed, first - BESIDE), Math.min(n, last + BESIDE)];
}

function tableRow(index, virtual) {
  const model = board.rows[index];
  const row = el("tr", IS_REFERENCE[model] && HAS_CONTENDERS ? "reference" : "");
  row.dataset.row = model;
  row.dataset.index = index;
  if (virtual) row.setAttribute("aria-rowindex", index + 3);
  board.columns.forEach((column, at) => {
    if (column.block !== "standing" && (at < grid.first || at >= grid.last)) {
      if (at === grid.last || (at < grid.first && board.columns[at - 1]?.block === "standing")) row.append(gap(at < grid.first ? grid.first - at : board.columns.length - at));
      return;
    }
    const cell = cellOf(column, model);
    if (virtual) cell.setAttribute("aria-colindex", at + 1);
    row.append(cell);
  });
  return row;
}

/** What stands for columns that are out of sight. */
function gap(n) {
  const cell = el("td", "gap");
  cell.colSpan = n;
  cell.setAttribute("aria-hidden", "true");
  return cell;
}

/** What stands for rows that are out of sight. */
function spacer(n) {
  const row = el("tr", "spacer");
  row.setAttribute("aria-hidden", "true");
  const cell = el("td");
  cell.colSpan = board.columns.length;
  cell.style.height = `${n * (grid.height || 57)}px`;
  row.append(cell);
  row.hidden = n === 0;
  return row;
}

/** Put the rows that one can see into the table; all of them where they are few. */
function drawRows(fresh = false) {
  const body = grid.table.tBodies[0];
  const virtual = isVirtual();
  const n = reachable();
  if (fresh) setWidths(virtual);
  grid.height = heights.get(heightKey()) ?? 0;
  let [from, to] = [0, n];
  const [first, last] = columnsInSight(virtual);
  if (virtual) {
    const height = grid.height || 57;
    const top = Math.min(grid.view.top, Math.max(0, n * height - grid.view.height));
    from = Math.max(0, Math.floor(top / height) - AHEAD);
    to = Math.min(n, Math.ceil((top + grid.view.height) / height) + AHEAD);
    const near = (a, b, most) => Math.abs(a - b) <= most / 2;
    if (!fresh && near(from, grid.from, AHEAD) && near(to, grid.to, AHEAD) && near(first, grid.first, BESIDE) && near(last, grid.last, BESIDE)) return;
  }
  Object.assign(grid, { from, to, first, last });
  if (fresh) {
    grid.table.classList.toggle("virtual", virtual);
    for (const [name, count] of [["aria-rowcount", n + 2], ["aria-colcount", board.columns.length]]) {
      if (virtual) grid.table.setAttribute(name, count);
      else grid.table.removeAttribute(name);
    }
    $("#nothing").hidden = n > 0;
    $("#printed").replaceChildren(n < board.rows.length ? words("board.printed", { n: formatCount(n), total: formatCount(board.rows.length) }) : "");
  }
  const focused = body.contains(document.activeElement);
  const rows = [];
  for (let index = from; index < to; index += 1) rows.push(tableRow(index, virtual));
  body.replaceChildren(...(virtual ? [spacer(from), ...rows, spacer(n - to)] : rows));
  if (virtual && !grid.height && rows.length) {
    grid.height = rows[0].getBoundingClientRect().height;
    heights.set(heightKey(), grid.height);
    body.firstChild.firstChild.style.height = `${from * grid.height}px`;
    body.lastChild.firstChild.style.height = `${(n - to) * grid.height}px`;
  }
  markActive(focused, true);
}

/* Keys: the table is one stop of the tab key; arrows go from cell to cell. */

/** The column of a cell, counting those that are not in the document. */
function columnAt(cell) {
  return cell.hasAttribute("aria-colindex") ? Number(cell.getAttribute("aria-colindex")) - 1 : cell.cellIndex;
}

const rowAt = (index) => $(`tr[data-index="${index}"]`, grid.table.tBodies[0]);

/** The cell that the keys stand on; the nearest one in the document where it is out of sight. */
function activeCell() {
  const row = rowAt(grid.row) ?? rowAt(Math.ceil(grid.view.top / (grid.height || 57))) ?? $("tr[data-index]", grid.table.tBodies[0]);
  if (!row) return null;
  const cells = [...row.cells].filter((cell) => cell.className !== "gap");
  return cells.find((cell) => columnAt(cell) === grid.col) ?? cells.at(grid.col < 4 ? grid.col : -1) ?? null;
}

function markActive(focus, still = false) {
  for (const old of $$('[tabindex="0"]', grid.table.tBodies[0])) old.tabIndex = -1;
  grid.row = Math.max(0, Math.min(grid.row, board.rows.length - 1));
  grid.col = Math.max(0, Math.min(grid.col, board.columns.length - 1));
  const cell = activeCell();
  const target = cell && ($("a", cell) ?? cell);
  if (!target) return;
  target.tabIndex = 0;
  if (focus) target.focus({ preventScroll: still });
}

function moveTo(row, col) {
  grid.row = Math.max(0, Math.min(board.rows.length - 1, row));
  grid.col = Math.max(0, Math.min(board.columns.length - 1, col));
  show(grid.row, grid.col);
  markActive(true);
}

/** Scroll so that a cell is in sight, and in the document. */
function show(row, col) {
  if (!isVirtual()) return;
  const outside = board.columns[col].block !== "standing" && (col < grid.first || col >= grid.last);
  if (rowAt(row) && !outside) return;
  scrollTo_(outside ? Math.max(0, grid.edges[col] - grid.view.width / 2) : null, rowAt(row) ? null : Math.max(0, row * grid.height - grid.view.height / 2));
  drawRows(true);
}

function startKeys() {
  const place = (event) => {
    const row = event.target.closest("tbody tr[data-index]");
    return row && [Number(row.dataset.index), columnAt(event.target.closest("td, th"))];
  };
  grid.table.addEventListener("keydown", (event) => {
    const at = place(event);
    if (!at || event.ctrlKey || event.metaKey || event.altKey) return;
    const [row, col] = at;
    const steps = { ArrowDown: [row + 1, col], ArrowUp: [row - 1, col], ArrowRight: [row, col + 1], ArrowLeft: [row, col - 1], Home: [row, 0], End: [row, board.columns.length - 1], PageDown: [row + 10, col], PageUp: [row - 10, col] };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    moveTo(...step);
  });
  grid.table.addEventListener("focusin", (event) => {
    const at = place(event);
    if (at) [grid.row, grid.col] = at;
  });
}

/** Lead the eye to a model's row. */
function flash(model) {
  let index = board.rows.indexOf(model);
  if (index < 0) {
    board.query = "";
    $("#search").value = "";
    select();
    index = board.rows.indexOf(model);
    drawRows(true);
  }
  if (index < 0) return;
  grid.table.closest(".frame").scrollIntoView({ block: "nearest" });
  moveTo(index, 1);
  const row = rowAt(index);
  row.scrollIntoView({ block: "center" });
  row.classList.add("flash");
  setTimeout(() => row.classList.remove("flash"), 2000);
}
