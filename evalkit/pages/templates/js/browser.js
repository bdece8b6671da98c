/* The sample browser: a list with filters, and one sample with all models' answers side by side. */

const GLYPHS = { correct: "✓", partial: "◐", wrong: "✗", no_answer: "○", refused: "⊘", error: "!", unscored: "?", scored: "·" };
const PAGE_SIZE = 40;
const MAX_GLYPHS = 9;

/* Of the samples found, the list shows those from `start` to `end`; `matches` are those that a search found. */
const browser = { index: -1, shard: null, filter: "all", model: -1, base: -1, query: "", matches: null, searching: 0, job: 0, turn: 0, start: 0, end: PAGE_SIZE, id: null, found: [], against: "", beside: false };

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
  const { filter, model, base, query, beside, against, shard } = browser;
  return {
    sf: filter === "all" ? "" : filter,
    sm: model < 0 ? "" : address.quote(shard.models[model]),
    sb: base < 0 ? "" : address.quote(shard.models[base]),
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
  const { sf = "", sm = "", sb = "", sq = "", sv = "", sd = "" } = address.read();
  const modelOf = (text) => (text === "" ? -1 : browser.shard.models.indexOf(address.text(text)));
  const base = modelOf(sb);
  return {
    filter: FILTERS.includes(sf) && (base >= 0 || !AGAINST_BASE.includes(sf)) ? sf : "all",
    model: modelOf(sm),
    base,
    query: address.text(sq),
    beside: sv === "all" && siblings().length > 1,
    against: address.text(sd),
  };
}

/** The shards of the other prompts of the same task, this one among them. */
function siblings() {
  const { task } = data.shards[browser.index];
  if (data.page === "compare") return [browser.index];
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
  const turn = browser.turn += 1;
  let redraw = false;
  if (browser.index !== index) {
    const late = setTimeout(() => showProblem(words("samples.opening")), 150);
    browser.index = -1;
    try {
      const shard = await openShard(index);
      if (turn !== browser.turn) return;
      browser.shard = shard;
    } catch (error) {
      return showProblem(words("samples.broken", { problem: String(error) }));
    } finally {
      clearTimeout(late);
    }
    browser.index = index;
    // The texts that will be shown are unpacked while the list is drawn.
    const soon = browser.shard.samples[browser.shard.byId.get(id) ?? 0];
    if (soon) openSample(browser.shard, soon);
    Object.assign(browser, readView(), { start: 0, end: PAGE_SIZE });
    redraw = true;
  } else {
    const view = readView();
    redraw = ["filter", "model", "base", "query"].some((key) => view[key] !== browser[key]);
    Object.assign(browser, view, redraw ? { start: 0, end: PAGE_SIZE } : {});
  }
  browser.id = id;
  section.classList.toggle("one", id !== null);
  if (redraw) {
    drawFrame();
    search();
  }
  reveal();
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
  const field = h("input", { type: "search", id: "find", value: browser.query || null, "aria-keyshortcuts": "/", autocomplete: "off", spellcheck: "false", "data-t-placeholder": "samples.search", placeholder: t("samples.search"), "aria-label": t("samples.search"), "data-t-aria-label": "samples.search" });
  field.addEventListener("input", () => { browser.query = field.value; keepAddress(); fromTop(); search(); });
  const several = shard.models.length > 1;
  const more = data.shards[browser.index].more;
  $("#browser").replaceChildren(
    backBar(h("label", { class: "field" }, h("span", { class: "unseen" }, words("samples.choose")), picker)),
    h("div", { class: "split" },
      h("div", { class: "side" },
        h("div", { class: "search" }, field, several ? modelPicker("which", data.page === "compare" ? "compare.side" : "samples.model", data.page === "compare" ? "compare.any_side" : "samples.any_model", "model") : null, several ? modelPicker("base", "samples.base", "samples.no_base", "base") : null),
        h("div", { class: "filters", role: "group", "aria-label": t("samples.title"), "data-t-aria-label": "samples.title" }),
        h("p", { class: "note", id: "found" }),
        h("ol", { class: "list", id: "list" }),
        more ? h("p", { class: "note" }, words("samples.left_out", { n: formatCount(more) })) : null),
      h("div", { class: "sample", id: "sample", tabindex: "-1" })));
  drawFilters();
}

/** A choice among the models, or none of them: browser[key]. */
function modelPicker(id, label, none, key) {
  return h("select", { id, "aria-label": t(label), "data-t-aria-label": label, onchange: (event) => { choose(key, Number(event.target.value)); } },
    h("option", { value: -1, data: { t: none } }, t(none)),
    browser.shard.models.map((model, index) => h("option", { value: index, selected: index === browser[key], data: key === "base" ? { t: "samples.against", tArgs: JSON.stringify({ model: visible(model) }) } : {} },
      key === "base" ? t("samples.against", { model: visible(model) }) : visible(model))));
}

function choose(key, value) {
  browser[key] = value;
  if (browser.base < 0 && AGAINST_BASE.includes(browser.filter)) browser.filter = "all";
  keepAddress();
  fromTop();
  drawFilters();
  drawList();
}

/** A button for each filter that shows any sample, and for all three against a baseline. */
function drawFilters() {
  const { shard, base } = browser;
  let any = 0;
  for (const mask of masksOf(shard, -1, base)) any |= mask;
  const shown = FILTERS.filter((filter) => any & BIT[filter] || (base >= 0 && AGAINST_BASE.includes(filter)) || filter === browser.filter);
  $("#browser .filters").replaceChildren(...shown.map((filter) =>
    h("button", { type: "button", class: "toggle", data: { filter }, "aria-pressed": String(filter === browser.filter), onclick: () => setFilter(filter) }, filterWords(shard, filter), h("span", { class: "dim", data: { count: filter } }))));
}

function setFilter(filter) {
  browser.filter = filter;
  for (const chip of $$("#browser [data-filter]")) chip.setAttribute("aria-pressed", String(chip.dataset.filter === filter));
  keepAddress();
  fromTop();
  drawList();
}

function fromTop() {
  Object.assign(browser, { start: 0, end: PAGE_SIZE });
  $("#list").scrollTop = 0;
}

/** Find the samples with the query in their texts, and show them as they are found. */
async function search() {
  const { shard, query } = browser;
  const job = browser.job += 1;
  const needle = query.toLocaleLowerCase();
  browser.matches = null;
  browser.searching = 0;
  if (needle) {
    const matches = browser.matches = new Uint8Array(shard.samples.length);
    let shown = performance.now();
    for (let chunk = 0; chunk < shard.chunks.length; chunk += 1) {
      await openChunk(shard, chunk);
      if (job !== browser.job) return;
      const end = shard.starts[chunk + 1] ?? shard.samples.length;
      for (let place = shard.starts[chunk]; place < end; place += 1) matches[place] = textsOf(shard.samples[place]).includes(needle) ? 1 : 0;
      browser.searching = 1 - (chunk + 1) / shard.chunks.length;
      if (browser.searching && performance.now() - shown > 150) {
        drawList();
        shown = performance.now();
      }
    }
  }
  drawList();
  if (needle && browser.id === null) drawSample();
}

function drawList() {
  const { shard, matches } = browser;
  const masks = masksOf(shard, browser.model, browser.base);
  const bit = BIT[browser.filter];
  const counts = FILTERS.map(() => 0);
  browser.found = [];
  masks.forEach((mask, place) => {
    if (matches && !matches[place]) return;
    if (mask & bit) browser.found.push(shard.samples[place]);
    for (let i = 0; i < counts.length; i += 1) counts[i] += (mask >> i) & 1;
  });
  for (const counter of $$("#browser [data-count]")) counter.textContent = ` ${formatCount(counts[FILTERS.indexOf(counter.dataset.count)])}`;
  const found = browser.found.length ? words("samples.count", { n: formatCount(browser.found.length), total: formatCount(shard.samples.length) }) : browser.searching ? "" : words("samples.none");
  $("#found").replaceChildren(found, browser.searching ? words("samples.searching", { share: Math.round(100 * (1 - browser.searching)) }) : "");
  drawWindow();
  // The ways to the neighbours follow the list.
  const bar = $("#sample > .bar");
  if (bar && shard.byId.has(browser.id)) bar.replaceWith(sampleBar(shard.samples[shard.byId.get(browser.id)]));
}

/* A button at an end of the list brings more, and is pressed by scrolling to it. */
const nearEnd = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting && target.isConnected) target.click();
}, { rootMargin: "200px" });

/** The part of the found samples that the list shows. */
function drawWindow() {
  const { found, start, end } = browser;
  const list = $("#list");
  nearEnd.disconnect();
  list.replaceChildren(...found.slice(start, end).map(listItem));
  if (start > 0) list.prepend(moreItem(start, () => { browser.start = Math.max(0, start - PAGE_SIZE); }, "before"));
  if (end < found.length) {
    const more = moreItem(found.length - end, () => { browser.end = end + PAGE_SIZE; }, "after");
    list.append(more);
    nearEnd.observe($("button", more));
  }
}

function moreItem(n, extend, where) {
  return h("li", { class: "more-of", data: { where } }, h("button", { type: "button", class: "button", onclick: () => {
    const list = $("#list");
    const [top, height] = [list.scrollTop, list.scrollHeight];
    extend();
    drawWindow();
    list.scrollTop = where === "before" ? top + list.scrollHeight - height : top;
  } }, words("samples.more", { n: formatCount(Math.min(n, PAGE_SIZE)) })));
}

/** Bring the open sample into the list, and mark it. */
function reveal() {
  const at = browser.found.findIndex((sample) => sample.id === browser.id);
  if (at >= 0 && (at < browser.start || at >= browser.end)) {
    browser.start = Math.max(0, at - 20);
    browser.end = browser.start + PAGE_SIZE;
    drawWindow();
  }
  for (const link of $$("#list a[aria-current]")) link.removeAttribute("aria-current");
  const link = at < 0 ? null : $("#list").querySelectorAll("a")[at - browser.start];
  if (!link) return;
  link.setAttribute("aria-current", "true");
  const list = $("#list");
  const [from, to] = [link.offsetTop - list.offsetTop, link.offsetTop - list.offsetTop + link.offsetHeight];
  if (from < list.scrollTop) list.scrollTop = from - 40;
  else if (to > list.scrollTop + list.clientHeight) list.scrollTop = to - list.clientHeight + 40;
}

function listItem(sample) {
  const { shard } = browser;
  const letters = lettersOf(shard, sample);
  const marks = shard.models.length > MAX_GLYPHS ? summary(letters) : shard.models.map((model, index) =>
    letters[index] ? glyph(codeOf(shard, letters[index][0])[0], model) : h("span", { class: "glyph absent", title: visible(model) }, "–"));
  return h("li", {}, h("a", { href: linkTo(browser.index, sample.id), "aria-current": sample.id === browser.id ? "true" : null },
    h("span", { class: "snippet" }, shown(sample.snippet.replace(/\s+/g, " "))),
    h("span", { class: "foot" }, h("bdi", { class: "id" }, visible(sample.id)), h("span", { class: "glyphs" }, marks))));
}

/** With many models: how many came to what. */
function summary(letters) {
  const counts = new Map();
  for (const [letter] of letters.filter(Boolean)) {
    const [verdict] = codeOf(browser.shard, letter);
    counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  }
  return Object.keys(GLYPHS).filter((verdict) => counts.has(verdict)).map((verdict) => h("span", { class: "many" }, glyph(verdict), String(counts.get(verdict))));
}

function glyph(verdict, model = null) {
  const label = model === null ? t(`verdict.${verdict}`) : `${visible(model)}: ${t(`verdict.${verdict}`)}`;
  return h("span", { class: `glyph ${verdict}`, role: "img", title: label, "aria-label": label }, GLYPHS[verdict]);
}
