/* What the reader chose, and what follows from it. The address keeps it, so that a link shows what its sender saw. */

const SIZES = [["s3", 0, 3], ["s10", 3, 10], ["s40", 10, 40], ["s100", 40, 100], ["s1000", 100, Infinity]];
const MODEL_FACETS = ["weights", "size", "organisation", "license", "provider"];
const TASK_FACETS = ["language", "tag", "group"];
const SWITCHES = ["intervals", "health", "cost", "reference"];
const FACT_COLUMNS = ["organisation", "weights", "size", "license", "released"];
const UNKNOWN_FACT = "?";

const board = {
  view: "",
  query: "",
  sort: null,
  mode: "norm",
  density: "comfortable",
  weights: new Map(),
  facets: Object.fromEntries([...MODEL_FACETS, ...TASK_FACETS].map((name) => [name, new Set()])),
  without: new Set(),
  models: new Set(),
  on: { intervals: true, health: true, cost: false, reference: true },
  away: new Set(FACT_COLUMNS),
  folded: new Set(groups.filter((group) => group.columns.length > 8).map((group) => group.index)),
};
const DEFAULT_ON = { ...board.on };
const DEFAULT_AWAY = new Set(board.away);

/** The values of a facet that a model or column has. */
function facetValues(name, index) {
  if (name === "size") {
    const size = facts.size[index];
    return [size === null ? UNKNOWN_FACT : SIZES.find(([, from, to]) => size >= from && size < to)[0]];
  }
  if (name === "language") return columns[index].language ? [columns[index].language] : [];
  if (name === "tag") return columns[index].tags;
  if (name === "group") return columns[index].groups;
  return [facts[name][index] ?? UNKNOWN_FACT];
}

/** What a facet offers: value -> how many models or tasks; those that tell none apart offer nothing. */
function facetChoices(name) {
  const counts = new Map();
  const n = MODEL_FACETS.includes(name) ? N_MODELS : columns.length;
  for (let index = 0; index < n; index += 1) {
    if (MODEL_FACETS.includes(name) && IS_REFERENCE[index] && HAS_CONTENDERS) continue;
    for (const value of facetValues(name, index)) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  const order = name === "size" ? SIZES.map(([id]) => id) : [];
  const place = (value) => (value === UNKNOWN_FACT ? 1e9 : order.indexOf(value));
  const found = [...counts].sort((a, b) => place(a[0]) - place(b[0]) || b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return found.length > 1 || (name === "group" && found.length) ? found : [];
}

function fitsFacets(names, index) {
  return names.every((name) => board.facets[name].size === 0 || facetValues(name, index).some((value) => board.facets[name].has(value)));
}

/** Whether models were chosen by more than a search. */
function modelsChosen() {
  return board.models.size > 0 || MODEL_FACETS.some((name) => board.facets[name].size > 0);
}

/** Everything that the page shows follows from here. */
function derive() {
  board.places = columns
    .filter((column) => !board.without.has(column.index) && fitsFacets(TASK_FACETS, column.index))
    .map((column) => placeOf_(column, board.view))
    .filter(Boolean);
  const competing = everybody.filter((model) => (IS_REFERENCE[model] && HAS_CONTENDERS) || (!board.models.has(model) && fitsFacets(MODEL_FACETS, model)));
  const all = columns.every((column) => !placeOf_(column, board.view) || board.places.includes(placeOf_(column, board.view)));
  board.subset = competing.length < N_MODELS;
  board.chosen = board.subset || !all;
  const usual = all && !board.subset && board.mode === "norm" && board.weights.size === 0;
  board.competing = competing;
  board.standings = computeStandings({ models: competing, places: board.places, view: board.view, mode: board.mode, weights: board.weights, usual });
  board.found = null;
  board.bestHere = new Map();
  arrange();
}

/** The columns and rows, where the standings are as they were. */
function arrange() {
  board.columns = tableColumns();
  if (board.sort && !board.columns.some((column) => column.key === board.sort[0])) board.sort = null;
  select();
}

/** The rows: those that compete, fit the search and are not switched off, in order. */
function select() {
  const needles = board.query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const competes = new Uint8Array(N_MODELS);
  for (const model of board.competing) competes[model] = 1;
  const rows = board.standings.order.filter((model) => competes[model] && (board.on.reference || !IS_REFERENCE[model] || !HAS_CONTENDERS) && needles.every((needle) => searchTexts[model].includes(needle)));
  const sorter = board.sort && board.columns.find((column) => column.key === board.sort[0]);
  if (sorter) sortRows(rows, sorter.sortKeys(), board.sort[1]);
  board.rows = rows;
}

/** Sort rows in place by their keys: stable, unknown last in either direction. */
function sortRows(rows, keys, direction) {
  const sign = direction === "ascending" ? 1 : -1;
  const place = new Int32Array(N_MODELS);
  board.standings.order.forEach((model, index) => { place[model] = index; });
  rows.sort((a, b) => {
    const x = keys[a];
    const y = keys[b];
    if (x !== x || y !== y) return x !== x && y !== y ? place[a] - place[b] : x !== x ? 1 : -1;
    return sign * (x - y) || place[a] - place[b];
  });
}

/** The pairs of all places: those of the page as it was made, or of what the reader chose, corrected together. */
function findingsIn(place) {
  if (!board.found) {
    const places = board.chosen ? board.places : columns.flatMap((column) => [...column.places.values()]);
    const kept = places.filter((item) => fieldOf(item));
    const fields = kept.map((item) => {
      const field = fieldOf(item);
      return fieldAmong(field, board.chosen ? board.competing.filter((model) => field.index.has(model)) : field.models);
    });
    findTogether(fields);
    board.found = new Map(kept.map((item, index) => [item, fields[index]]));
  }
  return board.found.get(place) ?? null;
}

/** The places that a model may hold in a place; null where it is not ranked or the page cannot tell. */
function rankIn(place, model) {
  if (!board.chosen) return Number.isNaN(place.best[model]) ? null : [place.best[model], place.worst[model]];
  const field = findingsIn(place);
  const at = field ? field.models.indexOf(model) : -1;
  return at < 0 ? null : field.ranks[at];
}

/** In a place, the models that no other shown one is proven better than; nobody where the page cannot tell. */
function bestIn(place) {
  if (!board.bestHere.has(place)) {
    const here = board.competing.filter((model) => !Number.isNaN(place.best[model]));
    board.bestHere.set(place, new Set(here.length > 1 ? here.filter((model) => rankIn(place, model)?.[0] === 1) : []));
  }
  return board.bestHere.get(place);
}

const joined = (values) => [...values].map(address.quote).join(",");
const split = (text) => (text ?? "").split(",").filter(Boolean).map(address.text);

function remember() {
  if (address.read().s !== undefined) return; // the samples are open, and the address is theirs
  const pairs = {
    view: address.quote(board.view),
    q: address.quote(board.query),
    sort: board.sort ? `${address.quote(board.sort[0])},${board.sort[1] === "ascending" ? "a" : "d"}` : "",
    score: board.mode === "norm" ? "" : board.mode,
    w: [...board.weights].map(([index, weight]) => `${address.quote(columns[index].id)}*${weight}`).join(","),
    not: joined([...board.without].map((index) => columns[index].id)),
    hide: joined([...board.models].map((model) => data.models[model])),
    density: board.density === "comfortable" ? "" : board.density,
    on: SWITCHES.filter((name) => board.on[name] && !DEFAULT_ON[name]).join("."),
    off: SWITCHES.filter((name) => !board.on[name] && DEFAULT_ON[name]).join("."),
    show: [...DEFAULT_AWAY].filter((key) => !board.away.has(key)).join("."),
    drop: joined([...board.away].filter((key) => !DEFAULT_AWAY.has(key))),
  };
  for (const [name, chosen] of Object.entries(board.facets)) pairs[name] = joined(chosen);
  address.write(pairs);
}

function restoreBoard() {
  const state = address.read();
  if (state.s !== undefined) return;
  const view = address.text(state.view ?? "");
  if (data.views.includes(view)) board.view = view;
  board.query = address.text(state.q ?? "");
  const [key, direction] = split(state.sort);
  if (key && /^[ad]$/.test(direction ?? "")) board.sort = [key, direction === "a" ? "ascending" : "descending"];
  if (["mean", "wins"].includes(state.score)) board.mode = state.score;
  if (["compact", "heat"].includes(state.density)) board.density = state.density;
  const ids = new Map(columns.map((column) => [column.id, column.index]));
  for (const pair of (state.w ?? "").split(",").filter(Boolean)) {
    const at = pair.lastIndexOf("*");
    const weight = Number(pair.slice(at + 1));
    const index = ids.get(address.text(pair.slice(0, at)));
    if (index !== undefined && weight >= 0 && weight <= 10) board.weights.set(index, weight);
  }
  for (const id of split(state.not)) if (ids.has(id)) board.without.add(ids.get(id));
  for (const name of split(state.hide)) if (data.models.includes(name)) board.models.add(data.models.indexOf(name));
  for (const name of (state.on ?? "").split(".")) if (SWITCHES.includes(name)) board.on[name] = true;
  for (const name of (state.off ?? "").split(".")) if (SWITCHES.includes(name)) board.on[name] = false;
  for (const key_ of (state.show ?? "").split(".")) board.away.delete(key_);
  for (const key_ of split(state.drop)) board.away.add(key_);
  for (const name of Object.keys(board.facets)) {
    const asked = split(state[name]);
    const known = new Set(asked.length ? facetChoices(name).map(([value]) => value) : []);
    board.facets[name] = new Set(asked.filter((value) => known.has(value)));
  }
}
