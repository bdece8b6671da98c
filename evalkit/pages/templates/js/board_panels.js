/* What stands below the table: cost, model against model, prompts, time, slices. Each follows what is shown. */

const panels = { quantity: null, pairTask: -1, pair: null, variantTask: null, trendModel: null, sliceTask: null };
const MAX_PAIRS = 40;
const MAX_VARIANT_ROWS = 40;

function picker(id, label, options, value, onchange) {
  const select_ = h("select", { id, onchange: (event) => onchange(event.target.value) }, options.map(([key, content]) => {
    const option = h("option", { value: key }, content);
    option.selected = String(key) === String(value);
    return option;
  }));
  return h("label", { class: "field" }, words(label), " ", select_);
}

function scrollBox(label, content) {
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, content);
}

function setPanel(id, content) {
  const section = $(`#${id}`);
  section.hidden = content === null;
  const link = $(`.jumps a[href="#${id}"]`);
  if (link) link.parentElement.hidden = content === null;
  if (content) $(".panel-body", section).replaceChildren(...content.flat(Infinity).filter(Boolean));
}

const PANELS = { "panel-cost": costPanel, "panel-pairs": pairsPanel, "panel-prompts": promptsPanel, "panel-time": timePanel, "panel-slices": slicesPanel };
let panelTimer = 0;
let panelsDue = false;

/** The panels, once the table is on the screen; while somebody drags a slider they wait. */
function drawPanels() {
  panelsDue = true;
  clearTimeout(panelTimer);
  requestAnimationFrame(() => {
    clearTimeout(panelTimer);
    if (panelsDue) panelTimer = setTimeout(drawPanelsNow, 60);
  });
}

function drawPanelsNow() {
  panelsDue = false;
  clearTimeout(panelTimer);
  for (const [id, draw] of Object.entries(PANELS)) setPanel(id, draw());
}

function costPanel() {
  const known = knownQuantities();
  if (!known.length) return null;
  if (!known.includes(panels.quantity)) [panels.quantity] = known;
  const choose = (name) => { panels.quantity = name; setPanel("panel-cost", costPanel()); $(`[data-quantity="${name}"]`).focus(); };
  return [
    h("div", { class: "filters", role: "group", "aria-label": t("panel.cost") }, known.map((name) => h("button", { type: "button", class: "toggle", data: { quantity: name }, "aria-pressed": String(name === panels.quantity), onclick: () => choose(name) }, words(`scatter.by.${name}`)))),
    h("p", { class: "note" }, words(`scatter.note.${panels.quantity}`)),
    h("div", { class: "picture", tabindex: 0, role: "region", "aria-label": t(`scatter.title.${panels.quantity}`) }, drawScatter(panels.quantity)),
  ];
}

const signed = (value, scale) => {
  const text = formatScore(value, scale);
  return value > 0 && /[1-9]/.test(text) ? `+${text}` : /[1-9]/.test(text) ? text : text.replace("−", "");
};
const pText = (p) => (Number.isNaN(p) ? `p ${UNKNOWN}` : p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`);

/** The models and differences that the matrix shows: overall, or in one task. */
function pairData() {
  const place = panels.pairTask >= 0 ? board.places.find((item) => item.column.index === Number(panels.pairTask)) : null;
  if (!place) {
    panels.pairTask = -1;
    const { differences, overall } = board.standings;
    return differences && { field: differences, scale: "fraction", value: (model) => overall[model], place: null };
  }
  const field = findingsIn(place);
  const sign = place.column.higher ? 1 : -1;
  return field && field.models.length > 1 ? { field, scale: place.column.scale, value: (model) => sign * place.v[model], place } : null;
}

function pairsPanel() {
  const options = [[-1, t("column.overall")], ...board.places.filter((place) => (fieldOf(place)?.index.size ?? 0) > 1).map((place) => [place.column.index, visible(place.column.id)])];
  const found = pairData();
  if (!found && options.length < 2) return null;
  const chooser = picker("pair-task", "pairs.over", options, panels.pairTask, (value) => { panels.pairTask = Number(value); panels.pair = null; setPanel("panel-pairs", pairsPanel()); $("#pair-task").focus(); });
  if (!found || found.field.models.length < 2) return [chooser, h("p", { class: "note" }, words("pairs.none"))];
  const { field, scale, value, place } = found;
  const { models, difference, adjusted, interval, better } = field;
  const order = models.map((_, index) => index).sort((a, b) => value(models[b]) - value(models[a])).slice(0, MAX_PAIRS);
  const describe = (i, j) => `${visible(data.models[models[i]])} − ${visible(data.models[models[j]])}: ${signed(difference(i, j), scale)} (${interval(i, j)?.map((end) => signed(end, scale)).join(" … ") ?? UNKNOWN}), ${pText(adjusted(i, j))}`;
  const detail = h("p", { class: "pair-detail note", id: "pair-detail", role: "status" }, words("pairs.click"));
  const choose = (i, j) => {
    const parts = [h("b", {}, describe(i, j))];
    if (place && field.wins) {
      const n = Math.round(place.n[models[i]]);
      const [won, lost] = [field.wins(i, j), field.wins(j, i)];
      parts.push(words("pairs.counts", { won: formatCount(won), tied: formatCount(Math.max(0, n - won - lost)), lost: formatCount(lost) }));
    }
    const link = place && linkOf(place, models[i]);
    const [one, other] = [models[i], models[j]].map((model) => address.quote(data.models[model]));
    if (link) parts.push(h("a", { href: `${link}&sf=differ&sm=${one}&sb=${other}` }, words("pairs.samples")));
    detail.replaceChildren(...joinedBy(parts));
  };
  const table = h("table", { class: "pairs matrix" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, words("column.model")), order.map((j, index) => h("th", { scope: "col", class: "num", title: visible(data.models[models[j]]) }, String(index + 1))), h("th", { scope: "col", class: "num", title: t("column.won.help") }, words("column.won")))),
    h("tbody", {}, order.map((i, index) => {
      let won = 0;
      let lost = 0;
      const cells = order.map((j) => {
        if (i === j) return h("td", { class: "self" });
        const kind = better(i, j) ? "up" : better(j, i) ? "down" : "same";
        if (kind === "up") won += 1;
        if (kind === "down") lost += 1;
        return h("td", { class: `num ${kind}` }, h("button", { type: "button", class: "cell-button", title: describe(i, j), "aria-label": describe(i, j), onclick: () => choose(i, j) }, signed(difference(i, j), scale)));
      });
      return h("tr", {}, h("th", { scope: "row" }, h("span", { class: "dim" }, `${index + 1} `), nameOf(data.models[models[i]])), cells, h("td", { class: "num" }, `${won} – ${lost}`));
    })));
  const unpaired = (place ? [place] : board.places.filter((item) => board.standings.common.has(item.column.index))).filter((item) => item.raw.field && item.raw.field.n > 1 && !item.raw.field.paired);
  return [
    chooser,
    h("p", { class: "note" }, words(place ? "pairs.note_task" : "pairs.note"), models.length > MAX_PAIRS ? [" ", words("pairs.first", { n: MAX_PAIRS })] : null),
    unpaired.length ? h("p", { class: "note" }, words("pairs.unpaired"), " ", unpaired.map((item, index) => [index ? ", " : "", nameOf(item.column.id)])) : null,
    scrollBox(t("pairs.title"), table), detail,
  ];
}

/* Sensitivity to the prompt. */

const deltas = new Map(data.deltas.map(([model, column, variant, d, lo, hi, p]) => [`${model}\u0000${column}\u0000${variant}`, { d, lo, hi, p }]));

function promptsPanel() {
  const tasks = columns.filter((column) => column.variants.length > 1);
  if (!tasks.length) return null;
  if (!tasks.some((column) => column.index === panels.variantTask)) panels.variantTask = tasks[0].index;
  const column = columns[panels.variantTask];
  const places = column.variants.map((variant) => column.places.get(variant));
  const models = board.standings.order.filter((model) => board.competing.includes(model) && places.filter((place) => !Number.isNaN(place.v[model])).length > 1).slice(0, MAX_VARIANT_ROWS);
  const values = models.flatMap((model) => places.map((place) => place.v[model])).filter((value) => !Number.isNaN(value));
  const [low, high] = column.scale === "unbounded" ? [Math.min(...values), Math.max(...values)] : [0, column.top];
  const rows = models.map((model) => {
    const known = places.filter((place) => !Number.isNaN(place.v[model]));
    const scores = known.map((place) => place.v[model]);
    const best = column.higher ? Math.max(...scores) : Math.min(...scores);
    const cells = places.map((place, index) => {
      const score = place.v[model];
      if (Number.isNaN(score)) return h("td", { class: "num same" }, UNKNOWN);
      const pair = deltas.get(`${model}\u0000${column.index}\u0000${place.variant}`);
      const mark = score === best && scores.some((other) => other !== best) ? h("span", { class: "best-mark", title: t("prompts.best") }, " ●") : null;
      if (!index || !pair) return h("td", { class: "num base" }, formatScore(score, column.scale), mark, h("small", {}, bounds(place.lo[model], place.hi[model], column.scale)));
      const proven = pair.p !== null && pair.p <= ALPHA;
      const kind = proven && pair.d > 0 ? "up" : proven && pair.d < 0 ? "down" : "same";
      const ends = pair.lo === null ? UNKNOWN : `${signed(pair.lo, column.scale)} … ${signed(pair.hi, column.scale)}`;
      return h("td", { class: `num ${kind}`, title: `${formatScore(score, column.scale)}, ${pText(pair.p ?? NaN)}` }, signed(pair.d, column.scale), mark, h("small", {}, ends));
    });
    const at = (value) => 4 + (high > low ? (value - low) / (high - low) : 0.5) * 132;
    const dots = svg("svg", { class: "dots", viewBox: "0 0 140 16", "aria-hidden": "true" }, svg("line", { class: "rail", x1: 4, x2: 136, y1: 8, y2: 8 }), svg("line", { class: "reach", x1: at(Math.min(...scores)), x2: at(Math.max(...scores)), y1: 8, y2: 8 }), known.map((place) => svg("circle", { class: place === places[0] ? "default" : "", cx: at(place.v[model]), cy: 8, r: 4 }, svg("title", {}, `${visible(place.variant)}: ${formatScore(place.v[model], column.scale)}`))));
    return h("tr", {}, h("th", { scope: "row" }, nameOf(data.models[model])), cells, h("td", { class: "num" }, formatScore(Math.max(...scores) - Math.min(...scores), column.scale)), h("td", {}, dots));
  });
  const table = h("table", { class: "pairs sensitivity" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, words("column.model")), column.variants.map((variant, index) => h("th", { scope: "col", class: "num" }, nameOf(variant), index ? null : h("span", { class: "metric" }, words("variant.default")))), h("th", { scope: "col", class: "num", title: t("column.spread.help") }, words("column.spread")), h("th", { scope: "col" }, words("prompts.range")))),
    h("tbody", {}, rows));
  return [
    picker("variant-task", "column.task", tasks.map((item) => [item.index, visible(item.id)]), panels.variantTask, (value) => { panels.variantTask = Number(value); setPanel("panel-prompts", promptsPanel()); $("#variant-task").focus(); }),
    h("p", { class: "note" }, words("sensitivity.note")),
    scrollBox(t("sensitivity.title"), table),
  ];
}

/* A model over time. */

const histories = new Map();
for (const [model, column, variant, points] of data.history) {
  if (!histories.has(model)) histories.set(model, []);
  histories.get(model).push({ column: columns[column], variant, points: points.map(([run, v, lo, hi, n]) => ({ run: data.runs[run], at: run, v, lo, hi, n })) });
}

/** The overall score at each run that has all the averaged tasks. */
function overallHistory(found) {
  const parts = [...board.standings.common].map((index) => found.find(({ column, variant }) => column.index === index && variant === column.variants[0]));
  if (!parts.length || parts.includes(undefined)) return [];
  return parts[0].points.filter(({ at }) => parts.every((part) => part.points.some((point) => point.at === at))).map(({ run, at }) => ({ run, v: parts.reduce((sum, part) => {
    const { shift, scale } = scaleOf(part.column, "norm");
    return sum + (part.points.find((point) => point.at === at).v - shift) / scale / parts.length;
  }, 0) }));
}

function timePanel() {
  const models = board.standings.order.filter((model) => histories.has(model));
  if (!models.length) return null;
  if (!models.includes(panels.trendModel)) [panels.trendModel] = models;
  const model = panels.trendModel;
  const whole = histories.get(model);
  const usual = whole.filter(({ column, variant }) => variant === column.variants[0]);
  const found = usual.length ? usual : whole;
  const overall = overallHistory(found);
  return [
    picker("trend-model", "column.model", models.map((item) => [item, visible(data.models[item])]), model, (value) => { panels.trendModel = Number(value); setPanel("panel-time", timePanel()); $("#trend-model").focus(); }),
    h("p", { class: "note" }, words("time.note")),
    h("div", { class: "trends" }, overall.length > 1 ? drawTrend(words("column.overall"), overall, "fraction") : null,
      found.map(({ column, variant, points }) => drawTrend([nameOf(column.id), h("span", { class: "dim" }, " ", visible(variant))], points, column.scale))),
  ];
}

/* Slices of a task's samples. */

const slicesOf = new Map();
for (const [column, key, value, n, scores] of data.slices) {
  if (!slicesOf.has(column)) slicesOf.set(column, []);
  slicesOf.get(column).push({ key, value, n, scores: new Map(scores.map(([model, v, lo, hi, m]) => [model, { v, lo, hi, n: m }])) });
}

function slicesPanel() {
  const tasks = [...slicesOf.keys()];
  if (!tasks.length) return null;
  if (!tasks.includes(panels.sliceTask)) [panels.sliceTask] = tasks;
  const column = columns[panels.sliceTask];
  const parts = slicesOf.get(column.index);
  const models = board.standings.order.filter((model) => board.competing.includes(model) && parts.some((part) => part.scores.has(model)));
  const keys = [...new Set(parts.map((part) => part.key))];
  const table = h("table", { class: "pairs sensitivity" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col", rowspan: 2 }, words("column.model")), keys.map((key) => h("th", { scope: "colgroup", class: "num slice-key", colspan: parts.filter((part) => part.key === key).length }, nameOf(key)))),
      h("tr", {}, parts.map((part) => h("th", { scope: "col", class: "num" }, nameOf(part.value), h("span", { class: "metric" }, `n ${formatCount(part.n)}${part.n < 30 ? " ⚠" : ""}`))))),
    h("tbody", {}, models.map((model) => h("tr", {}, h("th", { scope: "row" }, nameOf(data.models[model])), parts.map((part) => {
      const score = part.scores.get(model);
      if (!score) return h("td", { class: "num same" }, UNKNOWN);
      return h("td", { class: "num" }, formatScore(score.v, column.scale), score.n >= 10 && score.lo !== null ? h("small", {}, bounds(score.lo, score.hi, column.scale)) : h("small", {}, `n ${score.n}`));
    })))));
  return [
    picker("slice-task", "column.task", tasks.map((index) => [index, visible(columns[index].id)]), column.index, (value) => { panels.sliceTask = Number(value); setPanel("panel-slices", slicesPanel()); $("#slice-task").focus(); }),
    h("p", { class: "note" }, words("slices.note")),
    scrollBox(t("slices.title"), table),
  ];
}
