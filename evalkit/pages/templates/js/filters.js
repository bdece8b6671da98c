/* Which samples a filter shows, from their verdicts alone: no text need be unpacked. */

const FILTERS = ["all", "correct", "partial", "wrong", "no_answer", "refused", "truncated", "error", "disagree", "failed", "fixed", "differ"];
const AGAINST_BASE = ["failed", "fixed", "differ"];
const BIT = Object.fromEntries(FILTERS.map((filter, place) => [filter, 1 << place]));
const OF_VERDICT = {
  correct: BIT.correct, partial: BIT.partial, wrong: BIT.wrong, scored: 0, error: BIT.error, unscored: BIT.error,
  no_answer: BIT.no_answer | BIT.wrong, refused: BIT.refused | BIT.no_answer | BIT.wrong,
};
const WORTH = { correct: 1, wrong: 0, no_answer: 0, refused: 0 };

/** For each sample the filters that show it, as bits; `model` and `base` are -1 for any and for none. */
function masksOf(shard, model, base) {
  const key = `${model} ${base}`;
  shard.masks ??= new Map();
  if (!shard.masks.has(key)) {
    const bits = shard.codes.map(([verdict, status]) => OF_VERDICT[verdict] | (status === "truncated" || status === "refused" ? BIT[status] : 0));
    shard.masks.set(key, Uint16Array.from(shard.samples, (sample) => maskOf(shard, sample, model, base, bits)));
  }
  return shard.masks.get(key);
}

function maskOf(shard, sample, model, base, bits) {
  let mask = BIT.all | (sample.disagree ? BIT.disagree : 0);
  const letters = lettersOf(shard, sample);
  for (const letter of model < 0 ? letters.join("") : letters[model]) mask |= bits[letter.charCodeAt(0) - 97];
  if (base < 0) return mask;
  const before = worthOf(shard, sample, base, letters);
  for (let other = 0; other < letters.length; other += 1) {
    if (other === base || (model >= 0 && other !== model)) continue;
    const gain = (shard.lower ? -1 : 1) * (worthOf(shard, sample, other, letters) - before);
    if (gain < -1e-9) mask |= BIT.failed | BIT.differ;
    if (gain > 1e-9) mask |= BIT.fixed | BIT.differ;
  }
  return mask;
}

/** The mean score of a model on a sample; NaN where one of its answers has none. */
function worthOf(shard, sample, model, letters) {
  if (shard.values) return shard.values[model][sample.place] ?? NaN;
  let sum = 0;
  for (const letter of letters[model]) sum += WORTH[codeOf(shard, letter)[0]] ?? NaN;
  return letters[model].length ? sum / letters[model].length : NaN;
}

/** The words of a filter: where scores are not right or wrong, samples get better or worse. */
function filterWords(shard, filter) {
  if (filter === "disagree" && data.page === "compare") return words("compare.disagree");
  return words(`filter.${filter}${shard.values && (filter === "failed" || filter === "fixed") ? ".graded" : ""}`);
}
