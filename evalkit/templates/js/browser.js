/* The sample browser: a list with filters, and one sample with all models' answers side by side. */

const FILTERS = ["all", "correct", "partial", "wrong", "no_answer", "refused", "truncated", "error", "disagree"];
const GLYPHS = { correct: "✓", partial: "◐", wrong: "✗", no_answer: "○", refused: "⊘", error: "!", unscored: "?", scored: "·" };
const PAGE_SIZE = 100;
const MAX_GLYPHS = 9;

const browser = { index: -1, shard: null, filter: "all", model: -1, query: "", limit: PAGE_SIZE, id: null, found: [], against: "", beside: false };

/** #s=task/variant/id as texts; null when the address names no sample. */
function readPlace() {
  const place = address.read().s;
  return place === undefined ? null : place.split("/").map(address.text);
}

function placeOf(index, id) {
  const { task, variant } = data.shards[index];
  return [task, variant, ...(id === null ? [] : [id])].map(address.quote).join("/");
}

/** What the address says of the list and of the view, so that a link shows what its sender saw. */
function viewOf() {
  const { filter, model, query, beside, against, shard } = browser;
  return {
    sf: filter === "all" ? "" : filter,
    sm: model < 0 ? "" : address.quote(shard.models[model]),
    sq: address.quote(query),
    sv: beside ? "all" : "",
    sd: address.quote(against),
  };
}

function linkTo(index, id) {
  const more = Object.entries(index === browser.index && browser.shard ? viewOf() : {}).filter(([, value]) => value !== "");
  return `#${[["s", placeOf(index, id)], ...more].map((pair) => pair.join("=")).join("&")}`;
}

/** Keep the address true after a change of the view. */
function keepAddress() {
  address.write({ s: placeOf(browser.index, browser.id), ...viewOf() });
}

function readView() {
  const { sf = "", sm = "", sq = "", sv = "", sd = "" } = address.read();
  return {
    filter: FILTERS.includes(sf) ? sf : "all",
    model: sm === "" ? -1 : browser.shard.models.indexOf(address.text(sm)),
    query: address.text(sq),
    beside: sv === "all" && siblings().length > 1,
    against: address.text(sd),
  };
}

/** The shards of the other prompts of the same task, this one among them. */
function siblings() {
  const { task } = data.shards[browser.index];
  return data.shards.map((entry, index) => index).filter((index) => data.shards[index].task === task);
}

async function route() {
  const place = readPlace();
  const section = $("#browser");
  const main = $("#content");
  if (place === null) {
    if (!section.hidden) {
      section.hidden = true;
      main.hidden = false;
      window.scrollTo(0, browser.scroll ?? 0);
    }
    return;
  }
  if (section.hidden) {
    browser.scroll = window.scrollY;
    main.hidden = true;
    section.hidden = false;
    window.scrollTo(0, 0);
  }
  const [task, variant, id = null] = place;
  const index = data.shards.findIndex((shard) => shard.task === task && shard.variant === variant);
  if (index < 0) return showProblem(words("samples.missing", { place: `${visible(task)} / ${visible(variant ?? "")}` }));
  if (!canUnpack()) return showProblem(words("samples.no_stream"));
  if (browser.index !== index) {
    showProblem(words("samples.opening"));
    try {
      browser.shard = await openShard(index);
    } catch (error) {
      return showProblem(words("samples.broken", { problem: String(error) }));
    }
    Object.assign(browser, { index, limit: PAGE_SIZE });
    Object.assign(browser, readView());
    drawFrame();
  } else {
    const view = readView();
    if (view.filter !== browser.filter || view.model !== browser.model || view.query !== browser.query) {
      Object.assign(browser, view, { limit: PAGE_SIZE });
      drawFrame();
    }
    Object.assign(browser, view);
  }
  browser.id = id;
  section.classList.toggle("one", id !== null);
  drawList();
  drawSample();
}

function showProblem(content) {
  browser.index = -1;
  $("#browser").replaceChildren(backBar(), h("p", { class: "notice" }, content));
}

function backBar(...rest) {
  return h("div", { class: "bar" }, h("a", { href: "#", class: "button back" }, "← ", words("samples.back")), ...rest);
}

function drawFrame() {
  const { shard } = browser;
  const picker = h("select", { id: "shard", onchange: (event) => { location.hash = linkTo(Number(event.target.value), null); } },
    data.shards.map((entry, index) => h("option", { value: index, selected: index === browser.index }, `${visible(entry.task)} / ${visible(entry.variant)}`)));
  const search = h("input", { type: "search", id: "find", value: browser.query || null, "aria-keyshortcuts": "/", autocomplete: "off", spellcheck: "false", "data-t-placeholder": "samples.search", placeholder: t("samples.search"), "aria-label": t("samples.search"), "data-t-aria-label": "samples.search" });
  search.addEventListener("input", () => { browser.query = search.value; browser.limit = PAGE_SIZE; keepAddress(); drawList(); });
  const models = h("select", { id: "which", "aria-label": t("samples.model"), "data-t-aria-label": "samples.model", onchange: (event) => { browser.model = Number(event.target.value); browser.limit = PAGE_SIZE; keepAddress(); drawList(); } },
    h("option", { value: -1, data: { t: "samples.any_model" } }, t("samples.any_model")),
    shard.models.map((model, index) => h("option", { value: index, selected: index === browser.model }, visible(model))));
  const chips = h("div", { class: "filters", role: "group", "aria-label": t("samples.title"), "data-t-aria-label": "samples.title" }, FILTERS.filter((filter) => filter === "all" || shard.samples.some((sample) => fits(sample, filter))).map((filter) =>
    h("button", { type: "button", class: "toggle", data: { filter }, "aria-pressed": String(filter === browser.filter), onclick: () => setFilter(filter) }, words(`filter.${filter}`), h("span", { class: "dim", data: { count: filter } }))));
  const more = data.shards[browser.index].more;
  $("#browser").replaceChildren(
    backBar(h("label", { class: "field" }, h("span", { class: "unseen" }, words("samples.choose")), picker)),
    h("div", { class: "split" },
      h("div", { class: "side" },
        h("div", { class: "search" }, search, shard.models.length > 1 ? models : null), chips,
        h("p", { class: "note", id: "found" }),
        h("ol", { class: "list", id: "list" }),
        h("button", { type: "button", class: "button", id: "more", hidden: true, onclick: () => { browser.limit += PAGE_SIZE * 5; drawList(); } }),
        more ? h("p", { class: "note" }, words("samples.left_out", { n: formatCount(more) })) : null),
      h("div", { class: "sample", id: "sample", tabindex: "-1" })));
}

function setFilter(filter) {
  browser.filter = filter;
  browser.limit = PAGE_SIZE;
  for (const chip of $$("#browser [data-filter]")) chip.setAttribute("aria-pressed", String(chip.dataset.filter === filter));
  keepAddress();
  drawList();
}

function fits(sample, filter) {
  if (filter === "all") return true;
  if (filter === "disagree") return sample.disagree;
  const answers = browser.model < 0 ? sample.answers : sample.answers.filter((answer) => answer.m === browser.model);
  if (filter === "refused" || filter === "truncated") return answers.some((answer) => answer.status === filter || answer.v === filter);
  const kinds = { correct: ["correct"], partial: ["partial"], wrong: ["wrong", "no_answer", "refused"], no_answer: ["no_answer", "refused"], error: ["error", "unscored"] }[filter];
  return answers.some((answer) => kinds.includes(answer.v));
}

function contains(sample, query) {
  if (!query) return true;
  const needle = query.toLocaleLowerCase();
  const has = (text) => text !== undefined && text.toLocaleLowerCase().includes(needle);
  return has(sample.id) || has(sample.question) || (sample.target ?? []).some(has) || (sample.choices ?? []).some(has) || sample.answers.some((answer) => has(answer.text) || has(answer.answer) || has(answer.reasoning));
}

function drawList() {
  const { shard, query } = browser;
  const searched = shard.samples.filter((sample) => contains(sample, query));
  browser.found = searched.filter((sample) => fits(sample, browser.filter));
  for (const counter of $$("#browser [data-count]")) {
    counter.textContent = ` ${formatCount(searched.filter((sample) => fits(sample, counter.dataset.count)).length)}`;
  }
  $("#found").replaceChildren(browser.found.length ? words("samples.count", { n: formatCount(browser.found.length), total: formatCount(shard.samples.length) }) : words("samples.none"));
  $("#list").replaceChildren(...browser.found.slice(0, browser.limit).map(listItem));
  // The ways to the neighbours follow the list.
  const bar = $("#sample > .bar");
  if (bar && shard.byId.has(browser.id)) bar.replaceWith(sampleBar(shard.samples[shard.byId.get(browser.id)]));
  const rest = browser.found.length - browser.limit;
  $("#more").hidden = rest <= 0;
  if (rest > 0) $("#more").replaceChildren(words("samples.more", { n: formatCount(Math.min(rest, PAGE_SIZE * 5)) }));
}

function listItem(sample) {
  const { shard } = browser;
  const marks = shard.models.length > MAX_GLYPHS ? summary(sample) : shard.models.map((model, index) => {
    const answer = sample.first.get(index);
    return answer ? glyph(answer.v, model) : h("span", { class: "glyph absent", title: visible(model) }, "–");
  });
  return h("li", {}, h("a", { href: linkTo(browser.index, sample.id), "aria-current": sample.id === browser.id ? "true" : null },
    h("span", { class: "snippet" }, visible(sample.snippet.slice(0, 140).replace(/\s+/g, " "))),
    h("span", { class: "foot" }, h("bdi", { class: "id" }, visible(sample.id)), h("span", { class: "glyphs" }, marks))));
}

/** With many models: how many came to what. */
function summary(sample) {
  const counts = new Map();
  for (const answer of sample.first.values()) counts.set(answer.v, (counts.get(answer.v) ?? 0) + 1);
  return Object.keys(GLYPHS).filter((verdict) => counts.has(verdict)).map((verdict) => h("span", { class: "many" }, glyph(verdict), String(counts.get(verdict))));
}

function glyph(verdict, model = null) {
  const label = model === null ? t(`verdict.${verdict}`) : `${visible(model)}: ${t(`verdict.${verdict}`)}`;
  return h("span", { class: `glyph ${verdict}`, role: "img", title: label, "aria-label": label }, GLYPHS[verdict]);
}
