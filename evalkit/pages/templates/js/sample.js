/* One sample: what was asked, what was right, and every model's answer. */

async function drawSample() {
  const { shard, id, index } = browser;
  const place = $("#sample");
  if (id === null) {
    place.replaceChildren();
    if (browser.found.length && matchMedia("(min-width: 900px)").matches) {
      browser.id = browser.found[0].id;
      keepAddress();
      reveal();
      drawSample();
    }
    return;
  }
  const position = shard.byId.get(id);
  if (position === undefined) {
    place.replaceChildren(h("p", { class: "notice" }, words("samples.missing", { place: visible(id) })));
    return;
  }
  const sample = shard.samples[position];
  const places = await placesOf(await openSample(shard, sample));
  if (browser.id !== id || browser.index !== index) return;
  const others = siblings().length - 1;
  place.replaceChildren(
    sampleBar(sample),
    h("div", { class: "asked" }, promptOf(sample, places), targetOf(sample)),
    h("div", { class: "answers-head" }, h("h2", {}, words("sample.answers")),
      others ? h("button", { type: "button", class: "toggle", id: "beside", "aria-pressed": String(browser.beside), onclick: () => { browser.beside = !browser.beside; browser.against = ""; keepAddress(); drawSample(); } }, words("sample.beside")) : null,
      diffPicker(places)),
    ...answersOf(places),
  );
  place.scrollTop = 0;
}

/** The sample in this prompt and, where the reader wants them beside it, in the others: {index, shard, sample}. */
async function placesOf(sample) {
  const own = { index: browser.index, shard: browser.shard, sample };
  if (!browser.beside) return [own];
  const found = [];
  for (const index of siblings()) {
    if (index === browser.index) { found.push(own); continue; }
    const shard = await openShard(index);
    const at = shard.byId.get(sample.id);
    if (at !== undefined) found.push({ index, shard, sample: await openSample(shard, shard.samples[at]) });
  }
  return found;
}

/** Answers as cards; with several prompts a row for each model and a column for each prompt. */
function answersOf(places) {
  const card = ({ index, shard, sample }, answer) => answerCard({ index, shard, sample, answer, base: baseOf(places, index, shard.models[answer.m]) });
  if (places.length === 1) return [h("div", { class: "answers" }, places[0].sample.answers.map((answer) => card(places[0], answer)))];
  const models = [...new Set(places.flatMap(({ shard, sample }) => sample.answers.map((answer) => shard.models[answer.m])))];
  const grid = h("div", { class: "answers beside" },
    places.map(({ index }) => h("h3", { class: "of-prompt" }, h("bdi", {}, visible(data.shards[index].variant)))),
    models.flatMap((model) => places.map((at) => h("div", { class: "cell" }, at.sample.answers.filter((answer) => at.shard.models[answer.m] === model).map((answer) => card(at, answer))))));
  grid.style.setProperty("--prompts", String(places.length));
  return [h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("sample.answers") }, grid)];
}

function sampleBar(sample) {
  const at = browser.found.indexOf(sample);
  const step = (offset, key, arrow) => {
    const next = at < 0 ? undefined : browser.found[at + offset];
    if (!next) return h("span", { class: "button off", "aria-hidden": "true" }, arrow);
    return h("a", { class: "button", href: linkTo(browser.index, next.id), rel: offset < 0 ? "prev" : "next", title: t(key), "aria-label": t(key), "data-t-title": key, "data-t-aria-label": key }, arrow);
  };
  return h("div", { class: "bar" },
    h("a", { class: "button to-list", href: linkTo(browser.index, null), onclick: () => { browser.id = null; } }, "☰ ", words("samples.to_list")),
    h("h1", {}, h("bdi", {}, visible(sample.id))),
    h("span", { class: "steps" },
      h("button", { type: "button", class: "button", onclick: () => copy(location.href) }, words("sample.link")),
      step(-1, "samples.previous", "←"), step(1, "samples.next", "→")));
}

function promptOf(sample, places) {
  const used = [...new Set(sample.answers.filter((answer) => answer.p !== undefined).map((answer) => answer.p))];
  if (!used.length) return null;
  const prompts = used.map((index, order) => {
    const messages = sample.prompts[index].map(([role, text]) =>
      h("div", { class: `message ${role}` }, h("span", { class: "role" }, term("role", role)), h("pre", { class: "text", tabindex: "0" }, shown(text))));
    if (order === 0) return messages;
    const models = sample.answers.filter((answer) => answer.p === index).map((answer) => visible(browser.shard.models[answer.m]));
    return h("details", { class: "fold" }, h("summary", {}, words("sample.prompt_differs", { model: [...new Set(models)].join(", ") })), messages);
  });
  const own = asText(sample.prompts[used[0]]);
  const others = places.filter(({ index }) => index !== browser.index).map(({ index, sample: other }) => {
    const first = other.answers.find((answer) => answer.p !== undefined);
    return first ? h("details", { class: "fold", open: "" }, h("summary", {}, words("sample.prompt_of", { variant: visible(data.shards[index].variant) })),
      h("pre", { class: "text", tabindex: "0" }, differences(own, asText(other.prompts[first.p])))) : null;
  });
  return h("section", { class: "prompt" }, h("h2", {}, words("sample.prompt")), prompts, others);
}

/* The messages as one text, each under its role, as they are compared. */
function asText(messages) {
  return messages.map(([role, text]) => (messages.length > 1 ? `${role}: ${text}` : text)).join("\n\n");
}

function targetOf(sample) {
  const parts = [];
  if (sample.target?.length) {
    parts.push(h("h2", {}, words(sample.target.length > 1 ? "sample.targets" : "sample.target")),
      h("ul", { class: "targets" }, sample.target.map((target) => h("li", {}, h("pre", { class: "text" }, shown(target))))));
  }
  if (sample.choices?.length) {
    parts.push(h("h2", {}, words("sample.choices")),
      h("ol", { class: "choices", type: "A" }, sample.choices.map((choice) =>
        h("li", { class: sample.target?.includes(choice) ? "right" : null }, shown(choice)))));
  }
  if (sample.metadata) {
    parts.push(h("details", { class: "fold" }, h("summary", {}, words("sample.metadata")),
      h("pre", { class: "text" }, shown(JSON.stringify(sample.metadata, null, 2)))));
  }
  return h("section", { class: "target" }, parts);
}

function answerCard({ shard, sample, answer, base }) {
  const model = shard.models[answer.m];
  const head = h("header", {}, glyph(answer.v), h("h3", {}, nameOf(model)),
    h("span", { class: `verdict ${answer.v}` }, words(`verdict.${answer.v}`)),
    answer.status === "truncated" ? h("span", { class: "state truncated" }, words("sample.truncated")) : null,
    answer.status === "refused" && answer.v !== "refused" ? h("span", { class: "state refused" }, words("sample.refused")) : null,
    answer.k ? h("span", { class: "chip" }, words("sample.repeat", { n: answer.k + 1 })) : null);
  return h("article", { class: `answer ${answer.v}` }, head, scoresOf(answer, shard), extractedOf(answer), troubleOf(answer), responseOf(answer, base), ...judgedOf(answer), likelihoodsOf(sample, answer), stepsOf(answer), reasoningOf(answer), factsOf(answer));
}

function scoresOf(answer, shard) {
  const scores = Object.entries(answer.scores ?? {});
  if (!scores.length) return null;
  return h("dl", { class: "scores" }, scores.map(([name, value]) => {
    const scale = shard.scales[name] ?? "unbounded";
    return h("div", {}, h("dt", {}, term("metric", name)), h("dd", {}, formatScore(value, scale)));
  }));
}

/* Whether the answer is the whole reply: then nothing is to be marked in it. */
function isWhole(answer) {
  return answer.text !== undefined && answer.answer.length > 80 && answer.text.trim() === answer.answer.trim();
}

function extractedOf(answer) {
  if (answer.error || (answer.text === undefined && answer.answer === undefined)) return null;
  const found = answer.answer !== undefined;
  if (found && isWhole(answer)) return null;
  return h("p", { class: "extracted" }, h("span", { class: "label" }, words("sample.answer")),
    found ? h("b", {}, h("bdi", {}, shown(answer.answer))) : h("span", { class: "dim" }, words("sample.no_answer")),
    answer.rule ? h("span", { class: "dim rule" }, words("sample.rule", { rule: visible(answer.rule) })) : null);
}

function troubleOf(answer) {
  if (answer.error) {
    return h("div", { class: "trouble" }, h("strong", {}, words("sample.error")), " ", termOf("reason", answer.error[0]), h("pre", { class: "text" }, shown(answer.error[1])));
  }
  if (answer.why) return h("div", { class: "trouble" }, h("strong", {}, words("sample.unscored")), " ", termOf("reason", answer.why));
  return null;
}

function responseOf(answer, base) {
  if (answer.text === undefined) return null;
  const block = h("pre", { class: "text response", tabindex: "0" });
  if (answer.text === "") block.append(h("span", { class: "dim" }, words("sample.empty")));
  else if (base !== undefined && base !== answer && base.text !== undefined) {
    block.append(...differences(base.text, answer.text));
    if (tooLong(base.text, answer.text)) return [h("p", { class: "note" }, words("sample.diff_long")), block];
  }
  else if (answer.span && !isWhole(answer)) {
    const [start, end] = answer.span;
    block.append(...shown(answer.text.slice(0, start)), h("mark", {}, shown(answer.text.slice(start, end))), ...shown(answer.text.slice(end)));
  } else block.append(...shown(answer.text));
  return block;
}

/* What judges said: verdict and reason, or the reply that could not be read. */
function judgedOf(answer) {
  return (answer.judged ?? []).map((said) => h("details", { class: "fold judged", open: "" },
    h("summary", {}, words("sample.judge"), " ", h("bdi", {}, visible(said.judge)), " · ", term("metric", said.metric), ": ",
      said.verdict !== undefined ? h("b", {}, visible(said.verdict)) : h("span", { class: "state unscored" }, termOf("reason", said.why ?? "?"))),
    said.reasoning !== undefined ? h("pre", { class: "text" }, shown(said.reasoning)) : null,
    said.text !== undefined ? h("pre", { class: "text" }, shown(said.text)) : null,
    judgedFacts(said)));
}

function judgedFacts(said) {
  const facts = [];
  if (said.usage) facts.push(h("span", {}, `${said.usage.input ?? UNKNOWN} → ${said.usage.output ?? UNKNOWN} `, words("sample.tokens")));
  if (said.cost !== undefined) facts.push(h("span", {}, formatDollars(said.cost)));
  if (said.cached) facts.push(words("sample.cached"));
  return facts.length ? h("footer", {}, facts) : null;
}

function likelihoodsOf(sample, answer) {
  if (!answer.logprobs) return null;
  const amount = ([value, n]) => [value.toFixed(2).replace("-", "−"), n ? h("span", { class: "dim" }, ` / ${formatCount(n)}`) : null];
  if (answer.logprobs.length === 1) {
    return h("p", { class: "extracted" }, h("span", { class: "label" }, words("sample.loglikelihood")), h("b", {}, amount(answer.logprobs[0])));
  }
  const best = Math.max(...answer.logprobs.map(([value]) => value));
  return h("div", { class: "likelihoods" }, h("span", { class: "label" }, words("sample.loglikelihoods")),
    h("ol", { type: "A" }, answer.logprobs.map((pair, index) =>
      h("li", { class: pair[0] === best ? "chosen" : null },
        sample.choices?.[index] ? h("span", { class: "choice" }, visible(sample.choices[index])) : null,
        h("span", { class: "num" }, amount(pair))))));
}

function reasoningOf(answer) {
  if (!answer.reasoning) return null;
  return h("details", { class: "fold" }, h("summary", {}, words("sample.reasoning"), " ", h("span", { class: "dim" }, words("sample.characters", { n: formatCount(answer.reasoning.length) }))),
    h("pre", { class: "text" }, shown(answer.reasoning)));
}

/* The calls of a sample that took several, in the order in which they were made, and what was done between them. */
function stepsOf(answer) {
  const calls = answer.parts ?? [];
  const done = answer.done ?? [];
  if (!calls.length && !done.length) return null;
  const rows = [];
  for (let n = 0; n <= calls.length; n += 1) {
    for (const step of done) if (Math.min(step.after, calls.length) === n) rows.push(doneOf(step));
    if (n < calls.length) rows.push(callOf(calls[n]));
  }
  const title = done.length ? words("sample.worked", { n: formatCount(rows.length) }) : words("sample.steps", { n: formatCount(calls.length) });
  return h("details", { class: "fold steps-of" }, h("summary", {}, title), h("ol", {}, rows));
}

function callOf(part) {
  return h("li", {},
    part.error ? h("p", { class: "bad" }, termOf("reason", part.error[0]), " ", visible(part.error[1])) : null,
    part.text !== undefined ? h("pre", { class: "text", tabindex: "0" }, shown(part.text)) : null,
    reasoningOf(part), factsOf(part));
}

/* A search, a program or a tool: what it was given, what came back, and how it ended. */
function doneOf(step) {
  return h("li", {},
    h("p", {}, h("b", {}, termOf("action", step.action)), step.status ? h("span", { class: "bad" }, " ", termOf("step", step.status)) : null, step.detail ? h("span", { class: "dim" }, " ", visible(step.detail)) : null),
    h("pre", { class: "text", tabindex: "0" }, shown(step.input)),
    step.output !== undefined ? h("pre", { class: "text", tabindex: "0" }, "→ ", shown(step.output)) : null);
}

function factsOf(answer) {
  const usage = answer.usage ?? {};
  const facts = [];
  if (usage.input !== undefined || usage.output !== undefined) {
    facts.push(h("span", {}, `${usage.input ?? UNKNOWN} → ${usage.output ?? UNKNOWN} `, words("sample.tokens"), usage.reasoning ? [" (", words("sample.reasoning_tokens", { n: usage.reasoning }), ")"] : null));
  }
  if (answer.latency !== undefined) facts.push(h("span", {}, formatSeconds(answer.latency)));
  if (answer.cost !== undefined) facts.push(h("span", {}, formatDollars(answer.cost)));
  if (answer.cached) facts.push(words("sample.cached"));
  if (answer.retries) facts.push(words("sample.retries", { n: answer.retries }));
  if (answer.finish) facts.push(h("span", {}, words("sample.finish"), " ", termOf("finish", answer.finish)));
  if (answer.reported) facts.push(h("span", {}, visible(answer.reported)));
  for (const note of answer.notes ?? []) facts.push(h("span", {}, said(note)));
  return facts.length ? h("footer", {}, facts) : null;
}
