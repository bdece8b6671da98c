/* Where the models stand over the chosen tasks, among the chosen models, under the chosen weights. */

const HEALTH = ["errors", "refused", "truncated", "no_answer", "unscored", "cached"];
const COSTS = ["cost", "latency", "latency_p95", "output_tokens"];

/** The columns that the overall score is the mean of; as common_columns in standings.py. */
function commonColumns(places, contenders) {
  const candidates = places.filter((place) => place.column.averaged);
  const held = contenders
    .map((model) => ({ model, has: candidates.map((place) => place.scored[model]) }))
    .map((row) => ({ ...row, n: row.has.reduce((a, b) => a + b, 0) }))
    .filter((row) => row.n > 0)
    .sort((a, b) => b.n - a.n || (data.models[a.model] < data.models[b.model] ? -1 : 1));
  if (!held.length) return [];
  const complete = held.filter((row) => row.n === candidates.length).length;
  if (complete >= 2 && 2 * complete >= held.length) return candidates;
  let chosen = candidates.map(() => 1);
  let shared = chosen;
  let largest = complete * candidates.length;
  held.forEach((row, index) => {
    shared = shared.map((value, k) => value & row.has[k]);
    const size = (index + 1) * shared.reduce((a, b) => a + b, 0);
    if (index && size > largest) {
      largest = size;
      chosen = shared;
    }
  });
  return candidates.filter((_, k) => chosen[k]);
}

/** A score between chance and the best possible, or as a plain share of it. */
function scaleOf(column, mode) {
  const shift = mode === "mean" ? 0 : column.chance ?? 0;
  return { shift, scale: column.top - shift };
}

/** The share of the other models that a model beats in a place, ties half. */
function winRates(place, contenders) {
  const known = contenders.filter((model) => place.scored[model]);
  const ordered = Float64Array.from(known, (model) => place.v[model]).sort();
  const rates = new Float64Array(N_MODELS).fill(NaN);
  const lower = (value, inclusive) => {
    let low = 0;
    let high = ordered.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ordered[middle] < value || (inclusive && ordered[middle] === value)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  for (const model of everybody) {
    if (!place.scored[model]) continue;
    const own = known.includes(model) ? 1 : 0;
    const others = known.length - own;
    const below = lower(place.v[model], false);
    const tied = lower(place.v[model], true) - below - own;
    rates[model] = others > 0 ? (below + tied / 2) / others : NaN;
  }
  return rates;
}

/**
 * The standings. models: those that compete; places: the columns that are shown; usual: whether nothing was
 * chosen that would change what the page was built with.
 */
function computeStandings({ models, places, view, mode, weights, usual }) {
  const contenders = models.filter((model) => !IS_REFERENCE[model]);
  const competing = HAS_CONTENDERS ? contenders : models;
  const known = data.standings[view];
  const inScope = new Set(known.common);
  const common = (usual ? places.filter((place) => inScope.has(place.column.index)) : commonColumns(places, competing))
    .filter((place) => (weights.get(place.column.index) ?? 1) > 0);
  const parts = common.map((place) => ({ place, weight: weights.get(place.column.index) ?? 1, ...scaleOf(place.column, mode) }));
  const result = {
    common: new Set(common.map((place) => place.column.index)),
    ranks: new Array(N_MODELS).fill(null),
    ranked: [],
    hidden: false,
    differences: null,
    ...sums(places),
  };
  Object.assign(result, overallsOf(parts, mode, competing));
  result.ranked = competing.filter((model) => result.complete[model]);
  rankAll(result, parts, mode, usual ? known.ranks : null);
  const key = (model) => [IS_REFERENCE[model] && HAS_CONTENDERS ? 1 : 0, result.complete[model] ? 0 : 1, -result.covered[model], Number.isNaN(result.overall[model]) ? Infinity : -result.overall[model]];
  const keys = everybody.map(key);
  result.order = [...everybody].sort((a, b) => {
    for (let i = 0; i < 4; i += 1) if (keys[a][i] !== keys[b][i]) return keys[a][i] - keys[b][i];
    return data.models[a] < data.models[b] ? -1 : 1;
  });
  return result;
}

let averaged = { key: null, found: null };

/** All overall scores; but for win rates they hang on the tasks and weights alone, whatever models are chosen. */
function overallsOf(parts, mode, competing) {
  const key = mode === "wins" ? null : [mode, ...parts.map(({ place, weight }) => `${place.column.index}/${place.column.variants.indexOf(place.variant)}*${weight}`)].join();
  if (key !== null && key === averaged.key) return averaged.found;
  const found = { overall: new Float64Array(N_MODELS).fill(NaN), low: new Float64Array(N_MODELS).fill(NaN), high: new Float64Array(N_MODELS).fill(NaN), covered: new Int32Array(N_MODELS), complete: new Uint8Array(N_MODELS) };
  const rates = mode === "wins" ? parts.map(({ place }) => winRates(place, competing)) : null;
  for (const model of everybody) overallOf(model, parts, rates, found);
  averaged = { key, found };
  return found;
}

/** A model's overall score and its interval with Satterthwaite's degrees of freedom. */
function overallOf(model, parts, rates, result) {
  let total = 0;
  let sum = 0;
  let covered = 0;
  let least = Infinity;
  parts.forEach(({ place, weight, scale, shift }, k) => {
    if (!place.scored[model]) return;
    covered += 1;
    const value = rates ? rates[k][model] : (place.v[model] - shift) / scale;
    if (Number.isNaN(value)) return;
    total += weight;
    sum += weight * value;
    least = Math.min(least, place.n[model]);
  });
  result.covered[model] = covered;
  result.complete[model] = covered > 0 && covered === parts.length ? 1 : 0;
  if (!total) return;
  result.overall[model] = sum / total;
  if (rates || least < 2) return;
  let variance = 0;
  let spread = 0;
  let units = 0;
  for (const { place, weight, scale } of parts) {
    if (!place.scored[model]) continue;
    const margin = place.column.scale === "unbounded" ? 0 : place.column.top / (place.n[model] + 1);
    const part = ((weight / total) * (Math.hypot(place.e[model], margin) / scale)) ** 2;
    variance += part;
    spread += part ** 2 / (place.n[model] - 1);
    units += place.n[model] - 1;
  }
  const half = studentQuantile(variance > 0 ? +(variance ** 2 / spread).toPrecision(6) : units) * Math.sqrt(variance);
  if (Number.isNaN(half)) return;
  result.low[model] = result.overall[model] - half;
  result.high[model] = Math.min(1, result.overall[model] + half);
}

/** Places from paired tests between all the models that are shown; hidden where the page cannot test. */
function rankAll(result, parts, mode, known) {
  if (!result.ranked.length) return;
  const estimates = mode !== "wins" ? combineFields(parts, result.ranked) : null;
  if (estimates) {
    result.differences = compareAll(estimates);
    rankSets(result.differences).forEach((rank, index) => { result.ranks[result.ranked[index]] = rank; });
  } else if (known) {
    known.forEach((rank, model) => { result.ranks[model] = rank; });
  } else {
    result.hidden = true;
  }
}

let summed = { places: [], found: null };

/** Health, cost and speed over the places that are shown; the same for whatever models are chosen. */
function sums(places) {
  if (places.length !== summed.places.length || places.some((place, index) => place !== summed.places[index])) summed = { places, found: sumAll(places) };
  return summed.found;
}

function sumAll(places) {
  const counts = COUNTED.map(() => new Float64Array(N_MODELS));
  const cost = new Float64Array(N_MODELS);
  const output = new Float64Array(N_MODELS);
  const seen = new Uint8Array(N_MODELS);
  const timed = { latency: [new Float64Array(N_MODELS), new Float64Array(N_MODELS)], p95: [new Float64Array(N_MODELS), new Float64Array(N_MODELS)] };
  for (const place of places) {
    for (const model of place.models) {
      seen[model] = 1;
      for (let k = 0; k < counts.length; k += 1) counts[k][model] += place.counts[k][model];
      cost[model] += place.cost[model];
      output[model] += place.output[model];
      const n = place.counts[0][model];
      for (const name of ["latency", "p95"]) {
        if (Number.isNaN(place[name][model])) continue;
        timed[name][0][model] += place[name][model] * n;
        timed[name][1][model] += n;
      }
    }
  }
  const samples = counts[0];
  const per = (values, factor) => values.map((value, model) => (seen[model] && samples[model] ? (value / samples[model]) * factor : NaN));
  const mean = ([total, n]) => total.map((value, model) => (n[model] ? value / n[model] : NaN));
  return {
    counts,
    seen,
    costs: [per(cost, 1000), mean(timed.latency), mean(timed.p95), per(output, 1)],
    answered: counts[1].map((scored, model) => (samples[model] ? (scored - counts[3][model]) / samples[model] : NaN)),
    health: HEALTH.map((name) => counts[COUNTED.indexOf(name)].map((n, model) => (samples[model] ? n / samples[model] : NaN))),
  };
}
