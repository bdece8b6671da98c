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
  // Other models over the same tasks leave every overall score and every pair as it was made.
  const same = mode === "norm" && weights.size === 0 && common.length === inScope.size && common.every((place) => inScope.has(place.column.index));
  Object.assign(result, overallsOf(parts, mode, competing, same ? known : null));
  result.ranked = competing.filter((model) => result.complete[model]);
  rankAll(result, parts, mode, usual ? known.ranks : null, same ? data.overall_pairs[view] : null);
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
function overallsOf(parts, mode, competing, known) {
  const key = mode === "wins" ? null : [mode, known !== null, ...parts.map(({ place, weight }) => `${place.column.index}/${place.column.variants.indexOf(place.variant)}*${weight}`)].join();
  if (key !== null && key === averaged.key) return averaged.found;
  const found = { overall: new Float64Array(N_MODELS).fill(NaN), low: new Float64Array(N_MODELS).fill(NaN), high: new Float64Array(N_MODELS).fill(NaN), covered: new Int32Array(N_MODELS), complete: new Uint8Array(N_MODELS) };
  const rates = mode === "wins" ? parts.map(({ place }) => winRates(place, competing)) : null;
  const lists = known && [known.overall, known.lo, known.hi].map((list) => entriesOf(list, N_MODELS));
  for (const model of everybody) {
    overallOf(model, parts, rates, found, known === null);
    if (known) ["overall", "low", "high"].forEach((name, index) => { found[name][model] = lists[index][model] ?? NaN; });
  }
  averaged = { key, found };
  return found;
}

/** A model's overall score; its interval where the page knows every sample: one task, or tasks of 0/1 scores. */
function overallOf(model, parts, rates, result, withInterval) {
  let total = 0;
  let sum = 0;
  let covered = 0;
  const held = [];
  parts.forEach(({ place, weight, scale, shift }, k) => {
    if (!place.scored[model]) return;
    covered += 1;
    const value = rates ? rates[k][model] : (place.v[model] - shift) / scale;
    if (Number.isNaN(value)) return;
    total += weight;
    sum += weight * value;
    held.push({ place, weight, scale, shift });
  });
  result.covered[model] = covered;
  result.complete[model] = covered > 0 && covered === parts.length ? 1 : 0;
  if (!total) return;
  result.overall[model] = sum / total;
  if (rates || !withInterval) return;
  const interval = overallInterval(model, held);
  if (interval) [result.low[model], result.high[model]] = interval;
}

function overallInterval(model, held) {
  if (held.length === 1) {
    const [{ place, scale, shift }] = held;
    return [(place.lo[model] - shift) / scale, (place.hi[model] - shift) / scale];
  }
  if (!held.every(({ place }) => place.binary[model] === 1 && place.n[model] >= 2)) return null;
  return centredInterval(held.map(({ place, weight, scale, shift }) => {
    const { top } = place.column;
    const n = place.n[model];
    return { weight, n, right: Math.round((place.v[model] / top) * n), factor: top / scale, floor: shift / top };
  }));
}

/** Places from paired tests between all the models that are shown; hidden where the page cannot test. */
function rankAll(result, parts, mode, known, made) {
  if (!result.ranked.length) return;
  if (made && result.ranked.every((model) => made.m.includes(model))) result.differences = findTogether([fieldAmong(madeField(made), result.ranked)])[0];
  else if (mode !== "wins") result.differences = overallField(result.ranked, parts);
  if (known) known.forEach((rank, model) => { result.ranks[model] = rank; });
  else if (result.differences) result.differences.ranks.forEach((rank, index) => { result.ranks[result.differences.models[index]] = rank; });
  else result.hidden = true;
}

/** The pairs of overall scores as they were made. */
function madeField(made) {
  const m = made.m.length;
  const p = new Float64Array(decodeBytes(made.p));
  return { models: made.m, index: new Map(made.m.map((model, i) => [model, i])), difference: triangle(made.d, m, -1), p: (i, j) => p[i * m + j], interval: intervalsOf(made, m), wins: null, tally: null, paired: true };
}

/** Every pair of models in the mean over tasks; null where the page does not know every sample. */
function overallField(models, parts) {
  const fields = parts.map(({ place }) => fieldOf(place));
  if (!fields.length || fields.some((field) => !field || models.some((model) => !field.index.has(model)))) return null;
  const among = fields.map((field) => fieldAmong(field, models));
  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  const difference = (i, j) => parts.reduce((sum, { weight, scale }, k) => sum + ((weight / total) * among[k].difference(i, j)) / scale, 0);
  if (parts.length === 1) {
    const [{ scale }] = parts;
    const interval = (i, j) => among[0].interval(i, j)?.map((end) => end / scale) ?? null;
    return findTogether([{ models, difference, p: among[0].p, interval }])[0];
  }
  if (!among.every((field) => field.tally)) return null;
  const pooled = parts.map(({ weight, scale, place }, k) => ({ tally: among[k].tally, share: (weight * place.column.top) / scale }));
  const m = models.length;
  const p = new Float64Array(m * m).fill(NaN);
  for (let i = 0; i < m; i += 1) for (let j = 0; j < m; j += 1) if (i !== j) p[i * m + j] = pooledP(pooled, i, j);
  return findTogether([{ models, difference, p: (i, j) => p[i * m + j], interval: () => null }])[0];
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
