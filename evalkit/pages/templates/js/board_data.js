/* The numbers of the board, from the packed form in which payload.py wrote them. NaN is unknown. */

const COUNTED = ["samples", "scored", "unscored", "no_answer", "refused", "truncated", "errors", "cached"];
const FACTS = ["organisation", "weights", "size", "license", "released"];
const N_MODELS = data.models.length;
const IS_REFERENCE = new Uint8Array(N_MODELS);
for (const model of data.reference) IS_REFERENCE[model] = 1;
const HAS_CONTENDERS = data.reference.length < N_MODELS;

/** All entries of a list that was written once where they are equal. */
function entriesOf(packed, n) {
  return Array.isArray(packed) ? packed : new Array(n).fill(packed);
}

/** Numbers by model; NaN where a model has none. */
function byModel(packed, models) {
  const values = new Float64Array(N_MODELS).fill(NaN);
  const list = Array.isArray(packed) ? packed : null;
  for (let i = 0; i < models.length; i += 1) values[models[i]] = (list ? list[i] : packed) ?? NaN;
  return values;
}

function decodeBytes(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return bytes.buffer;
}

const everybody = data.models.map((_, index) => index);
const facts = Object.fromEntries(FACTS.map((name) => [name, entriesOf(data.facts[name], N_MODELS)]));
facts.provider = entriesOf(data.providers, N_MODELS);
const searchTexts = data.models.map((name, index) =>
  [name, data.routes[index], facts.organisation[index], facts.license[index], facts.weights[index]].filter(Boolean).join(" ").toLocaleLowerCase());

/** A column with a variant: arrays over the models. */
function decodePlace(raw, column) {
  const models = raw.m ?? everybody;
  const place = { raw, column, variant: raw.x, models, held: new Uint8Array(N_MODELS), apart: new Uint8Array(N_MODELS), at: new Int32Array(N_MODELS).fill(-1) };
  models.forEach((model, index) => { place.held[model] = 1; place.at[model] = index; });
  for (const index of raw.apart) place.apart[models[index]] = 1;
  for (const name of ["v", "lo", "hi", "e", "n"]) place[name] = byModel(raw.headline[name], models);
  for (const name of ["cost", "latency", "p95", "output", "run"]) place[name] = byModel(raw[name], models);
  place.counts = COUNTED.map((_, index) => byModel(raw.counts[index], models));
  place.binary = byModel(raw.binary, models);
  place.best = new Float64Array(N_MODELS).fill(NaN);
  place.worst = new Float64Array(N_MODELS).fill(NaN);
  if (raw.rank) {
    raw.rank.forEach((rank, index) => {
      if (rank === null) return;
      place.best[models[index]] = Array.isArray(rank) ? rank[0] : rank;
      place.worst[models[index]] = Array.isArray(rank) ? rank[1] : rank;
    });
  }
  place.scored = new Uint8Array(N_MODELS);
  for (const model of models) if (!place.apart[model] && !Number.isNaN(place.v[model])) place.scored[model] = 1;
  return place;
}

/** A matrix without its diagonal from the rows above it: below it the sign turns, or not. */
function triangle(text, m, sign) {
  if (text === null || text === undefined) return null;
  const packed = new Float64Array(decodeBytes(text));
  const at = (i, j) => packed[i * m - (i * (i + 1)) / 2 + j - i - 1];
  return (i, j) => (i === j ? (sign < 0 ? 0 : NaN) : i < j ? at(i, j) : sign * at(j, i));
}

/** Intervals of pairs, [low, high] of the first less the second; null where there are none. */
function intervalsOf(raw, m) {
  const low = triangle(raw.lo, m, 1);
  const high = triangle(raw.hi, m, 1);
  if (!low) return () => null;
  return (i, j) => {
    if (i === j || Number.isNaN(low(i, j))) return null;
    return i < j ? [low(i, j), high(i, j)] : [-high(i, j), -low(i, j)];
  };
}

function square(text, m) {
  const packed = new Uint32Array(decodeBytes(text));
  return (i, j) => packed[i * m + j];
}

/** Every pair of the ranked models in a place; null when the page does not have them. */
function fieldOf(place) {
  const raw = place.raw.field;
  if (!raw?.m) return null;
  if (!place.field) {
    const m = raw.m.length;
    const p = new Float64Array(decodeBytes(raw.p));
    const wins = raw.tally && square(raw.tally.wins, m);
    const n = raw.tally?.n;
    const tally = raw.tally && {
      wins,
      losses: raw.tally.losses === null ? (i, j) => wins(j, i) : square(raw.tally.losses, m),
      n: typeof n === "number" ? () => n : square(n, m),
    };
    place.field = { models: raw.m, index: new Map(raw.m.map((model, i) => [model, i])), difference: triangle(raw.d, m, -1), p: (i, j) => p[i * m + j], interval: intervalsOf(raw, m), wins: raw.wins === null ? null : square(raw.wins, m), tally, paired: raw.paired };
  }
  return place.field;
}

/** A field with some of its models only. */
function fieldAmong(field, models) {
  const at = models.map((model) => field.index.get(model));
  const moved = (f) => f && ((i, j) => f(at[i], at[j]));
  const { tally } = field;
  return { models, place: field.place, difference: moved(field.difference), p: moved(field.p), interval: moved(field.interval), wins: moved(field.wins), paired: field.paired, tally: tally && { wins: moved(tally.wins), losses: moved(tally.losses), n: moved(tally.n) } };
}

const columns = data.columns.map((column, index) => ({
  ...column,
  index,
  top: column.scale === "percent" ? 100 : 1,
  places: new Map(),
}));
{
  let next = 0;
  for (const column of columns) {
    for (const variant of column.variants) {
      column.places.set(variant, decodePlace(data.places[next], column));
      next += 1;
    }
  }
}
const groups = data.groups.map((group, index) => {
  const found = { ...group, index, values: new Map() };
  for (const [model, variant, v, lo, hi, n] of group.values) {
    if (!found.values.has(variant)) found.values.set(variant, new Map());
    found.values.get(variant).set(model, { v, lo, hi, n });
  }
  return found;
});

/* Ratings from battles, by model; null where there were none. */
const arena = data.arena ? { several: data.arena.several, of: new Map(data.arena.models.map(([model, rating, lo, hi, rank, group, controlled, rate, counts]) => [model, { rating, lo, hi, rank, group, controlled, rate, counts }])) } : null;

/** The place that a column shows in a view; null when it has no such variant. */
function placeOf_(column, view) {
  return column.places.get(view === "" ? column.variants[0] : view) ?? null;
}

/** The means of a group in a view. */
function groupValues(group, view) {
  if (view !== "") return group.values.get(view) ?? new Map();
  const first = columns[group.columns[0]].variants[0];
  return group.values.get(first) ?? new Map();
}

/** Where the samples behind a cell are: on this page, in the report of its run, or nowhere. */
const shardPlaces = new Set(data.shards.map((shard) => `${shard.task}\u0000${shard.variant}`));
function linkOf(place, model) {
  if (shardPlaces.has(`${place.column.id}\u0000${place.variant}`)) return `#s=${address.quote(place.column.id)}/${address.quote(place.variant)}`;
  const report = data.runs[place.run[model]]?.link;
  return report ? `${report}#s=${place.raw.link}` : null;
}

/** Parameters as people write them: 7B, 350M. */
function formatSize(billions) {
  return billions < 1 ? `${+(billions * 1000).toPrecision(6)}M` : `${+billions.toPrecision(6)}B`;
}
