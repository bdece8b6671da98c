/* The card: everything about the number, or the model, under the pointer or the focus. */

function showCard(cell) {
  const card = $("#card");
  const row = cell?.closest("tbody tr[data-row]");
  const column = row ? board.columns[columnAt(cell)] : null;
  const content = column && cardOf(column, Number(row.dataset.row));
  if (!content) {
    card.hidden = true;
    return;
  }
  card.replaceChildren(...content.flat(Infinity).filter(Boolean));
  card.hidden = false;
  const box = cell.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = card;
  const left = Math.min(Math.max(8, box.left + box.width / 2 - width / 2), document.documentElement.clientWidth - width - 8);
  const below = box.bottom + 8 + height <= innerHeight;
  card.style.left = `${left + scrollX}px`;
  card.style.top = `${(below ? box.bottom + 8 : Math.max(8, box.top - height - 8)) + scrollY}px`;
}

function cardOf(column, model) {
  if (column.kind === "task") return column.place.held[model] ? scoreCard(column.place, model) : null;
  if (column.kind === "model") return modelCard(model);
  if (column.kind === "arena" || column.kind === "arena_rank") return arenaCard(model);
  if (column.kind === "group") return groupCard(column, model);
  return null;
}

function metricAt(place, raw, model) {
  const index = place.at[model];
  const read = (name) => (Array.isArray(raw[name]) ? raw[name][index] : raw[name]);
  return { value: formatScore(read("v"), raw.scale), bounds: bounds(read("lo"), read("hi"), raw.scale), signature: read("sig"), by: read("by") };
}

function joinedBy(parts, mark = " · ") {
  return parts.filter(Boolean).flatMap((part, index) => (index ? [mark, part] : [part]));
}

function scoreCard(place, model) {
  const [samples, scored, unscored, noAnswer, refused, truncated, errors, cached] = place.counts.map((values) => values[model]);
  const counts = Object.entries({ errors, refused, truncated, no_answer: noAnswer, unscored, cached }).filter(([, n]) => n > 0);
  const metrics = [[place.column.metric, place.raw.headline], ...Object.entries(place.raw.others)];
  const rank = rankIn(place, model);
  const run = data.runs[place.run[model]];
  const seconds = [place.latency[model], place.p95[model]].map(orNull);
  return [
    h("p", { class: "card-head" }, nameOf(data.models[model]), " · ", nameOf(place.column.id)),
    h("dl", {}, metrics.map(([name, raw]) => {
      const metric = metricAt(place, raw, model);
      return h("div", {}, h("dt", {}, term("metric", name)), h("dd", {}, h("b", {}, metric.value), metric.bounds ? ` ${metric.bounds}` : ""), metric.signature ? h("dd", { class: "signature" }, visible(metric.signature)) : null);
    })),
    h("p", {}, joinedBy([words("card.n", { n: orNull(place.n[model]) ? formatCount(place.n[model]) : UNKNOWN }), samples === scored ? null : `${formatCount(scored)}/${formatCount(samples)}`, rank ? words("card.rank", { rank: rankText(rank) }) : null, words("card.variant", { variant: visible(place.variant) })])),
    counts.length ? h("p", {}, counts.flatMap(([name, n], index) => [index ? " · " : "", words(`column.${name}`), ` ${formatCount(n)}`])) : null,
    seconds[0] === null ? null : h("p", {}, words("column.latency"), ` ${formatDuration(seconds[0])}`, seconds[1] === null ? "" : ` · p95 ${formatDuration(seconds[1])}`),
    place.apart[model] ? h("p", { class: "bad" }, words("card.apart")) : null,
    unscored * 100 > samples ? h("p", { class: "bad" }, words("card.warn")) : null,
    h("p", { class: "dim" }, run ? words("card.run", { run: visible(run.id) }) : null, linkOf(place, model) ? [" · ", words("card.samples")] : null),
  ];
}

function modelCard(model) {
  const known = [...FACT_COLUMNS, "provider"].filter((name) => facts[name][model] !== null);
  const text = (name) => (name === "size" ? formatSize(facts.size[model]) : name === "weights" ? words(`weights.${facts.weights[model]}`) : visible(String(facts[name][model])));
  return [
    h("p", { class: "card-head" }, nameOf(data.models[model])),
    data.routes[model] ? h("p", { class: "dim" }, visible(data.routes[model])) : null,
    h("dl", {}, known.map((name) => h("div", {}, h("dt", {}, words(`fact.${name}`)), h("dd", {}, text(name))))),
  ];
}

function arenaCard(model) {
  const row = arena.of.get(model);
  if (!row) return null;
  return [
    h("p", { class: "card-head" }, nameOf(data.models[model]), " · ", words("arena.title")),
    row.rating === null ? null : h("p", {}, h("b", {}, row.rating.toFixed(0)), row.lo === null ? "" : ` ${row.lo.toFixed(0)}–${row.hi.toFixed(0)}`),
    row.controlled === null ? null : h("p", {}, words("arena.controlled"), ` ${row.controlled.toFixed(0)}`),
    h("p", {}, words("arena.win_rate"), ` ${row.rate === null ? UNKNOWN : `${row.rate.toFixed(1)} %`} · `, words("arena.counts"), ` ${row.counts.map(formatCount).join(" / ")}`),
    arena.several ? h("p", { class: "dim" }, words("card.arena_group", { n: row.group })) : null,
  ];
}

function groupCard({ group, values }, model) {
  const value = values.get(model);
  if (!value) return null;
  return [
    h("p", { class: "card-head" }, nameOf(data.models[model]), " · ", nameOf(group.name)),
    h("p", {}, h("b", {}, formatScore(value.v, group.scale)), ` ${bounds(value.lo, value.hi, group.scale)}`),
    h("p", {}, joinedBy([words("card.n", { n: formatCount(value.n) }), words(`weighting.${group.weighting}${group.members ? ".nested" : ""}`), term("metric", group.metric)])),
  ];
}
