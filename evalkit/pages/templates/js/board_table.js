/* The table: its columns, heads and cells. */

const HEAT_STEPS = 8;

function share(part) {
  if (Number.isNaN(part)) return UNKNOWN;
  if (part === 0) return "0";
  const percent = 100 * part;
  if (percent < 0.1) return "<0.1%";
  return `${percent < 99.95 || part === 1 ? percent.toFixed(1) : "99.9"}%`;
}

const orNull = (value) => (Number.isNaN(value) || value === undefined ? null : value);
const bounds = (low, high, scale) => {
  if (Number.isNaN(low) || low === null) return "";
  const [from, to] = [formatScore(low, scale), formatScore(high, scale)];
  return `${from}${(from + to).includes("−") ? " – " : "–"}${to}`;
};
const rankText = (rank) => (rank === null ? UNKNOWN : rank[0] === rank[1] ? String(rank[0]) : `${rank[0]}–${rank[1]}`);

/** The columns as they are shown, from left to right. */
function tableColumns() {
  const { standings } = board;
  const found = [
    { key: "rank", kind: "rank", block: "standing", label: "column.rank", first: "ascending", sortKeys: rankKeys },
    { key: "model", kind: "model", block: "standing", label: "column.model", first: "ascending", sortKeys: () => textKeys("model", data.models) },
    { key: "overall", kind: "overall", block: "standing", label: "column.overall", sortKeys: () => standings.overall.map((value, model) => (standings.complete[model] ? value : NaN)) },
    { key: "answered", kind: "answered", block: "standing", label: "column.answered", sortKeys: () => Float64Array.from(standings.answered) },
  ];
  for (const name of FACT_COLUMNS) {
    const keys = name === "size" ? () => Float64Array.from(facts.size, (value) => value ?? NaN) : () => textKeys(name, facts[name]);
    found.push({ key: name, kind: "fact", block: "facts", label: `fact.${name}`, first: "ascending", name, sortKeys: keys });
  }
  if (arena) {
    const keys = (read) => () => Float64Array.from(everybody, (model) => read(arena.of.get(model)) ?? NaN);
    found.push({ key: "arena_rank", kind: "arena_rank", block: "arena", label: "column.arena_rank", first: "ascending", sortKeys: keys((row) => row?.rank?.[0]) });
    found.push({ key: "arena_rating", kind: "arena", block: "arena", label: "column.arena_rating", sortKeys: keys((row) => row?.rating) });
  }
  for (const item of taskColumns()) found.push(item);
  HEALTH.forEach((name, index) => found.push({ key: name, kind: "health", block: "health", label: `column.${name}`, index, sortKeys: () => Float64Array.from(standings.health[index]) }));
  COSTS.forEach((name, index) => found.push({ key: name, kind: "cost", block: "cost", label: `column.${name}`, first: "ascending", index, sortKeys: () => Float64Array.from(standings.costs[index]) }));
  return found.filter((column) => !board.away.has(column.key) && (board.on[column.block] ?? true));
}

const collated = new Map();

/** Numbers by which texts sort as a reader expects; worked out once. */
function textKeys(name, values) {
  if (!collated.has(name)) {
    const keys = new Float64Array(values.length).fill(NaN);
    const { compare } = new Intl.Collator(undefined, { numeric: true });
    const known = [...values.keys()].filter((model) => values[model] !== null).sort((a, b) => compare(values[a], values[b]));
    known.forEach((model, index) => { keys[model] = index && compare(values[known[index - 1]], values[model]) === 0 ? keys[known[index - 1]] : index; });
    collated.set(name, keys);
  }
  return collated.get(name);
}

/** Tasks, those of a group together; a folded group stands for its tasks. */
function taskColumns() {
  const found = [];
  const done = new Set();
  const shown = new Map(board.places.map((place) => [place.column.index, place]));
  const push = (place, group) => {
    done.add(place.column.index);
    found.push({ key: place.column.id, kind: "task", block: group ? `group:${group.index}` : "tasks", place, first: place.column.higher ? "descending" : "ascending", sortKeys: () => place.v });
  };
  const pushMean = (group, block) => {
    const values = groupValues(group, board.view);
    const scores = Float64Array.from(everybody, (model) => values.get(model)?.v ?? NaN);
    found.push({ key: `group:${group.name}`, kind: "group", block: `group:${block.index}`, group, values, first: group.higher ? "descending" : "ascending", sortKeys: () => scores });
  };
  for (const place of board.places) {
    if (done.has(place.column.index)) continue;
    const group = groups.find((item) => item.columns.includes(place.column.index) && item.columns.every((index) => shown.has(index)));
    if (!group) { push(place, null); continue; }
    pushMean(group, group);
    for (const index of group.columns) {
      if (board.folded.has(group.index)) done.add(index);
      if (done.has(index)) continue;
      const inner = (group.inner ?? []).map((place_) => groups[place_]).find((item) => item.columns.includes(index));
      if (inner) pushMean(inner, group);
      for (const each of inner ? inner.columns : [index]) push(shown.get(each), group);
    }
  }
  return found;
}

function rankKeys() {
  const keys = new Float64Array(N_MODELS).fill(NaN);
  board.standings.order.forEach((model, index) => { if (board.standings.ranks[model] !== null || (board.standings.hidden && board.standings.ranked.includes(model))) keys[model] = index; });
  return keys;
}

/* Heads. */

/** The heads, where they are not those that stand there. */
function drawHeads() {
  const active = board.sort ?? ["rank", "ascending"];
  const now = JSON.stringify([language, board.mode, active, [...board.folded], board.columns.map((column) => [column.key, column.place?.variant, column.place && board.standings.common.has(column.place.column.index)])]);
  if (grid.heads === now) return;
  grid.heads = now;
  const blocks = [];
  for (const column of board.columns) {
    if (blocks.at(-1)?.block === column.block) blocks.at(-1).n += 1;
    else blocks.push({ block: column.block, n: 1 });
  }
  grid.table.tHead.replaceChildren(
    h("tr", { class: "groups" }, blocks.map(({ block, n }) => h("th", { colspan: n, scope: "colgroup", data: { group: block } }, blockHead(block)))),
    h("tr", { class: "heads" }, board.columns.map((column) => headCell(column, active))));
}

function blockHead(block) {
  if (block === "standing") return h("span", { class: "unseen" }, words("group.standing"));
  if (!block.startsWith("group:")) return words(`group.${block}`);
  const group = groups[Number(block.slice(6))];
  const folded = board.folded.has(group.index);
  const toggle = () => {
    board.folded[folded ? "delete" : "add"](group.index);
    redraw(false);
    $(`[data-fold="${group.index}"]`)?.focus();
  };
  return h("button", { type: "button", class: "fold-group", data: { fold: group.index }, "aria-expanded": String(!folded), onclick: toggle }, nameOf(group.name), h("span", { class: "n" }, ` ${group.columns.length}`));
}

function headCell(column, [key, direction]) {
  const isTask = column.kind === "task" || column.kind === "group";
  const what = column.group ?? column.place?.column;
  const head = h("th", { scope: "col", class: isTask ? `task${column.place && !board.standings.common.has(column.place.column.index) ? " aside" : ""}` : ["health", "cost", "fact"].includes(column.kind) ? (column.kind === "fact" && column.name !== "size" ? "fact-head" : "num") : column.kind === "arena_rank" ? "rank" : column.kind, data: { key: column.key, group: column.block }, "aria-sort": column.key === key ? direction : null });
  const label = isTask ? nameOf(column.group ? column.group.name : column.place.column.id) : words(column.label);
  const button = h("button", { type: "button", class: "sort" }, label);
  button.addEventListener("click", () => sortBy(column));
  head.append(button);
  if (isTask) {
    head.append(
      h("span", { class: "metric" }, column.group ? words(`weighting.${what.weighting}${what.members ? ".nested" : ""}`) : term("metric", what.metric), " ", h("span", { class: "arrow", title: t(what.higher ? "better.higher" : "better.lower"), data: { tTitle: what.higher ? "better.higher" : "better.lower" } }, what.higher ? "↑" : "↓")),
      h("span", { class: "n" }, column.group ? words("group.tasks_n", { n: what.columns.length }) : `n ${formatCount(what.n)}`));
  } else {
    const help = `${column.label}.help`;
    if (help in texts.en) head.title = column.key === "overall" ? t(`overall.help.${board.mode}`) : t(help);
  }
  return head;
}

function sortBy(column) {
  const active = board.sort ?? ["rank", "ascending"];
  const first = column.first ?? "descending";
  const direction = active[0] === column.key && active[1] === first ? (first === "ascending" ? "descending" : "ascending") : first;
  board.sort = column.key === "rank" && direction === "ascending" ? null : [column.key, direction];
  select();
  scrollTo_(null, 0);
  for (const head of grid.table.tHead.rows[1].cells) {
    head.removeAttribute("aria-sort");
    if (head.dataset.key === column.key) head.setAttribute("aria-sort", direction);
  }
  grid.heads = null;
  drawRows(true);
  remember();
  const name = column.label ? t(column.label) : column.key.replace(/^group:/, "");
  announce(t("board.sorted", { column: name, direction: t(`board.${direction}`) }));
}

/* Cells. */

function el(tag, kind, text) {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  if (text !== undefined) element.textContent = text;
  return element;
}

function cellOf(column, model) {
  const { standings } = board;
  switch (column.kind) {
    case "rank": {
      const unsure = standings.counts[2][model] * 100 > standings.counts[0][model];
      return el("td", `rank${unsure ? " dim" : ""}`, rankText(standings.ranks[model]));
    }
    case "model": return modelCell(model);
    case "overall": return overallCell(model);
    case "answered": {
      const missing = 1 - standings.answered[model];
      const bad = standings.counts[2][model] * 100 > standings.counts[0][model];
      return el("td", `answered${missing === 0 ? " zero" : bad ? " bad" : ""}`, share(standings.answered[model]));
    }
    case "fact": {
      const value = facts[column.name][model];
      const text = value === null ? UNKNOWN : column.name === "size" ? formatSize(value) : column.name === "weights" ? t(`weights.${value}`) : visible(value);
      const cell = el("td", `${column.name === "size" ? "num" : "fact-cell"}${value === null ? " none" : ""}`, text);
      if (text.length > 80) cell.replaceChildren(nameOf(value));
      return cell;
    }
    case "arena_rank": return el("td", "rank", rankText(arena.of.get(model)?.rank ?? null));
    case "arena": {
      const row = arena.of.get(model);
      if (!row || row.rating === null) return el("td", "score none", UNKNOWN);
      const cell = el("td", `score${row.rank?.[0] === 1 ? " best" : ""}`);
      cell.append(el("b", "", row.rating.toFixed(0)), el("small", "", row.lo === null ? "" : `${row.lo.toFixed(0)}–${row.hi.toFixed(0)}`));
      return cell;
    }
    case "task": return scoreCell(column.place, model);
    case "group": {
      const value = column.values.get(model);
      if (!value || value.v === null) return el("td", "score none", UNKNOWN);
      const cell = el("td", `score mean h${heatOf(value.v, 0, column.group.scale === "percent" ? 100 : 1)}`);
      cell.append(el("b", "", formatScore(value.v, column.group.scale)), el("small", "", bounds(value.lo, value.hi, column.group.scale)));
      return cell;
    }
    case "health": {
      const part = standings.health[column.index][model];
      return inBlock("health", el("td", `num${part === 0 ? " zero" : column.key === "errors" || column.key === "unscored" ? " bad" : ""}`, share(part)));
    }
    default: {
      const value = orNull(standings.costs[column.index][model]);
      const text = value === null ? UNKNOWN : [formatDollars, formatDuration, formatDuration, (n) => formatTokens(Math.round(n))][column.index](value);
      return inBlock("cost", el("td", `num${value === null ? " none" : ""}`, text));
    }
  }
}

function inBlock(block, cell) {
  cell.dataset.group = block;
  return cell;
}

function modelCell(model) {
  const cell = el("th", "model");
  cell.scope = "row";
  const name = nameOf(data.models[model]);
  cell.append(name);
  if (IS_REFERENCE[model] && HAS_CONTENDERS) cell.append(" ", chip("row.reference"));
  const about = el("span", "sub");
  const size = facts.size[model];
  const parts = [size === null ? null : formatSize(size), facts.weights[model] ? t(`weights.${facts.weights[model]}`) : null].filter(Boolean);
  const { covered, common, complete } = board.standings;
  if (!complete[model]) parts.push(`${covered[model]}/${common.size}`);
  about.textContent = parts.join(" · ");
  cell.append(about);
  return cell;
}

function chip(key) {
  const element = words(key);
  element.className = "chip";
  return element;
}

function overallCell(model) {
  const { overall, low, high, complete } = board.standings;
  const cell = el("td", `overall${complete[model] ? "" : " dim"}`);
  cell.append(el("b", "", formatScore(orNull(overall[model]), "fraction")), el("small", "", bounds(low[model], high[model], "fraction")));
  if (!Number.isNaN(overall[model])) cell.append(trackOf(overall[model], low[model], high[model]));
  return cell;
}

const TRACK = document.createElementNS(SVG, "svg");
Object.entries({ class: "track", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" }).forEach(([key, value]) => TRACK.setAttribute(key, value));
for (const [name, y, height] of [["rail", 2.5, 1], ["band", 1.5, 3], ["point", 0, 6]]) {
  const rect = document.createElementNS(SVG, "rect");
  Object.entries({ class: name, x: 0, y, width: name === "point" ? 1.6 : 100, height }).forEach(([key, value]) => rect.setAttribute(key, value));
  TRACK.append(rect);
}

/** A value with its interval on an axis from 0 to 100. */
function trackOf(value, low, high) {
  const svg = TRACK.cloneNode(true);
  const at = (x) => 100 * Math.max(0, Math.min(1, x));
  const [, band, point] = svg.children;
  if (Number.isNaN(low)) band.remove();
  else {
    band.setAttribute("x", at(low).toFixed(2));
    band.setAttribute("width", (at(high) - at(low)).toFixed(2));
  }
  point.setAttribute("x", Math.min(98.4, Math.max(0, at(value) - 0.8)).toFixed(2));
  return svg;
}

/** The step of the colour scale, from chance (or the worst) to the best possible (or the best). */
function heatOf(value, low, high) {
  if (high === low) return HEAT_STEPS / 2;
  return Math.round(Math.max(0, Math.min(1, (value - low) / (high - low))) * HEAT_STEPS);
}

function placeHeat(place, value) {
  if (!place.ends) {
    const { column } = place;
    if (column.scale !== "unbounded" && column.higher) place.ends = [column.chance ?? 0, column.top];
    else {
      let [low, high] = [Infinity, -Infinity];
      for (const model of place.models) {
        if (Number.isNaN(place.v[model])) continue;
        low = Math.min(low, place.v[model]);
        high = Math.max(high, place.v[model]);
      }
      place.ends = column.higher ? [low, high] : [high, low];
    }
  }
  return heatOf(value, ...place.ends);
}

function scoreCell(place, model) {
  if (!place.held[model]) return el("td", "score none", UNKNOWN);
  const value = orNull(place.v[model]);
  const { scale } = place.column;
  let kind = "score";
  if (bestIn(place).has(model)) kind += " best";
  if (value !== null) kind += ` h${placeHeat(place, value)}`;
  if (place.apart[model]) kind += " apart";
  if (place.counts[2][model] * 100 > place.counts[0][model]) kind += " warn";
  const cell = el("td", kind);
  const link = linkOf(place, model);
  let box = cell;
  if (link) {
    box = el("a");
    box.href = link;
    box.tabIndex = -1;
    cell.append(box);
  }
  box.append(el("b", "", formatScore(value, scale)), el("small", "", bounds(place.lo[model], place.hi[model], scale)));
  return cell;
}
