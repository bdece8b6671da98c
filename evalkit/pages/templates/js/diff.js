/* Differences between two answers: by word, by character in Chinese, Japanese and Korean. */

const UNIT = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]|[\p{L}\p{N}_]+|\s+|[^]/gu;
const MAX_UNITS = 3000;

/** Whether two texts are too long to be compared unit by unit. */
function tooLong(base, text) {
  return (base.match(UNIT)?.length ?? 0) > MAX_UNITS || (text.match(UNIT)?.length ?? 0) > MAX_UNITS;
}

/** Nodes for `text` with what `base` lacks marked as added, and what it has beyond as removed. */
function differences(base, text) {
  if (text.startsWith("[redacted: ")) return shown(text);
  const a = base.match(UNIT) ?? [];
  const b = text.match(UNIT) ?? [];
  if (a.length > MAX_UNITS || b.length > MAX_UNITS) return shown(text);
  const nodes = [];
  for (const [kind, units] of runs(a, b)) {
    const joined = units.join("");
    if (kind === "same") nodes.push(...shown(joined));
    else nodes.push(h(kind === "added" ? "ins" : "del", {}, shown(joined)));
  }
  return nodes;
}

/** The shortest way from a to b as [kind, units] runs, by the longest common subsequence. */
function runs(a, b) {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let endA = a.length;
  let endB = b.length;
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) { endA -= 1; endB -= 1; }
  const n = endA - start;
  const m = endB - start;
  const width = m + 1;
  const length = new Uint16Array((n + 1) * width);
  for (let i = n - 1; i >= 0; i -= 1) {
    for (let j = m - 1; j >= 0; j -= 1) {
      length[i * width + j] = a[start + i] === b[start + j]
        ? length[(i + 1) * width + j + 1] + 1
        : Math.max(length[(i + 1) * width + j], length[i * width + j + 1]);
    }
  }
  const found = [];
  const push = (kind, unit) => {
    const last = found[found.length - 1];
    if (last && last[0] === kind) last[1].push(unit);
    else found.push([kind, [unit]]);
  };
  for (let k = 0; k < start; k += 1) push("same", a[k]);
  let i = 0;
  let j = 0;
  while (i < n || j < m) {
    if (i < n && j < m && a[start + i] === b[start + j]) { push("same", a[start + i]); i += 1; j += 1; }
    else if (i < n && (j === m || length[(i + 1) * width + j] >= length[i * width + j + 1])) { push("removed", a[start + i]); i += 1; }
    else { push("added", b[start + j]); j += 1; }
  }
  for (let k = endA; k < a.length; k += 1) push("same", a[k]);
  return found;
}

/* Which answer the others are compared with: "" for none, "=" for the same model's in the prompt that is open,
   else prompt and model, joined by a NUL. */
function baseOf(places, index, model) {
  const { against } = browser;
  if (against === "") return undefined;
  const wanted = against === "=" ? [data.shards[browser.index].variant, model] : against.split("\u0000");
  const place = places.find((at) => data.shards[at.index].variant === wanted[0]);
  return place?.sample.answers.find((answer) => place.shard.models[answer.m] === wanted[1]);
}

function diffPicker(places) {
  const options = [];
  for (const { index, shard, sample } of places) {
    for (const answer of sample.first.values()) {
      if (answer.text === undefined) continue;
      const { variant } = data.shards[index];
      const model = shard.models[answer.m];
      const label = places.length > 1 ? `${model} · ${variant}` : model;
      options.push(h("option", { value: `${variant}\u0000${model}`, selected: browser.against === `${variant}\u0000${model}` }, visible(label)));
    }
  }
  if (options.length < 2) return null;
  return h("label", { class: "field" }, words("sample.diff"), " ",
    h("select", { id: "against", onchange: (event) => { browser.against = event.target.value; keepAddress(); drawSample(); } },
      h("option", { value: "", data: { t: "sample.diff_off" } }, t("sample.diff_off")),
      places.length > 1 ? h("option", { value: "=", selected: browser.against === "=" }, t("sample.diff_same", { variant: visible(data.shards[browser.index].variant) })) : null,
      options));
}
