/* Compressed blocks: base64 of deflated bytes, unpacked when somebody asks. */

function canUnpack() {
  return typeof DecompressionStream === "function";
}

/* The blocks follow the script: before the document has ended some may be missing, or there in part. */
const whole = new Promise((resolve) => {
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", () => resolve(), { once: true });
  else resolve();
});

async function unpack(find) {
  await whole;
  const binary = atob(find().textContent);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

async function readFile(name) {
  return unpack(() => $$("script.file").find((file) => file.dataset.file === name));
}

const opened = new Map();

/** The index of a shard, decoded once: its samples without their texts. */
function openShard(index) {
  if (!opened.has(index)) {
    opened.set(index, unpack(() => $(`script.shard[data-shard="${index}"]`)).then((text) => prepare(JSON.parse(text), index)));
  }
  return opened.get(index);
}

/** The samples of an index: {id, snippet, letters, chunk, first: verdicts by model}; `answers` come with the chunk. */
function prepare(raw, index) {
  const shard = { index, models: raw.models, scales: raw.scales, codes: raw.codes, lower: raw.lower, values: raw.values ?? null, chunks: raw.sizes.map(() => null) };
  const apart = new Set(raw.disagree);
  shard.samples = raw.ids.map((id, place) => ({ id, place, snippet: raw.snippets[place], letters: raw.verdicts[place], disagree: apart.has(place), answers: null, texts: null }));
  shard.starts = [];
  let at = 0;
  raw.sizes.forEach((size, chunk) => {
    shard.starts.push(at);
    for (const end = at + size; at < end; at += 1) shard.samples[at].chunk = chunk;
  });
  shard.byId = new Map(raw.ids.map((id, place) => [id, place]));
  return shard;
}

/** The letters of a sample's verdicts, a text for each model. */
function lettersOf(shard, sample) {
  const { letters } = sample;
  return letters.includes(",") ? letters.split(",").slice(0, shard.models.length) : [...letters];
}

/** [verdict, status] of a letter. */
function codeOf(shard, letter) {
  return shard.codes[letter.charCodeAt(0) - 97];
}

/** Fill the samples of a chunk with their texts, once. */
function openChunk(shard, chunk) {
  shard.chunks[chunk] ??= unpack(() => $(`script.chunk[data-chunk="${shard.index}.${chunk}"]`)).then((text) => fill(shard, chunk, JSON.parse(text)));
  return shard.chunks[chunk];
}

/** The sample with its texts. */
async function openSample(shard, sample) {
  if (sample.answers === null) await openChunk(shard, sample.chunk);
  return sample;
}

function fill(shard, chunk, raw) {
  const start = shard.starts[chunk];
  let at = 0;
  raw.counts.forEach((n, offset) => {
    const sample = shard.samples[start + offset];
    rowOf(raw.samples, offset, sample);
    const models = lettersOf(shard, sample).flatMap((letters, m) => [...letters].map((letter) => [m, ...codeOf(shard, letter)]));
    const used = [];
    sample.answers = [];
    for (let i = 0; i < n; i += 1, at += 1) {
      const [m, v, status] = models[i];
      const answer = rowOf(raw.answers, at, { m, v });
      if (status !== "ok") answer.status = status;
      const usage = rowOf(raw.usage, at, {});
      if (Object.keys(usage).length) answer.usage = usage;
      const scores = rowOf(raw.scores, at, {});
      for (const name of Object.keys(scores)) if (scores[name] === "") scores[name] = null;
      if (Object.keys(scores).length) answer.scores = scores;
      if (answer.p !== undefined) {
        if (!used.includes(answer.p)) used.push(answer.p);
        answer.p = used.indexOf(answer.p);
      }
      sample.answers.push(answer);
    }
    // What is left out of a prompt is the snippet of the sample.
    sample.prompts = used.map((p) => raw.prompts[p].map(([role, before, after]) => [role, after === undefined ? before : before + sample.snippet + after]));
    sample.first = new Map();
    for (const answer of sample.answers) if (!sample.first.has(answer.m)) sample.first.set(answer.m, answer);
  });
}

/** A row of columns, put into `row`; null says that it lacks the key. */
function rowOf(columns, at, row) {
  for (const name of Object.keys(columns)) {
    const value = columns[name][at];
    if (value !== null) row[name] = value;
  }
  return row;
}

/** Question, right answers and answers of a sample in lower case, for a search; its chunk must be open. */
function textsOf(sample) {
  if (sample.texts === null) {
    const asked = sample.prompts[0] ?? [];
    const question = [...asked].reverse().find(([role]) => role === "user") ?? asked[asked.length - 1] ?? [];
    const texts = [sample.id, question[1] ?? "", ...(sample.target ?? []), ...(sample.choices ?? [])];
    for (const answer of sample.answers) texts.push(answer.text ?? "", answer.answer ?? "", answer.reasoning ?? "");
    sample.texts = texts.join("\u0000").toLocaleLowerCase();
  }
  return sample.texts;
}
