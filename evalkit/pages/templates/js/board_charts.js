/* Pictures: quality against what it costs, and a model over time. Drawn as SVG from the shown numbers. */

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

const BOX = { width: 720, height: 400, left: 52, right: 700, top: 30, bottom: 342 };
const MAX_LABELS = 40;
const LETTER = 6.7;
const QUANTITIES = { cost: [0, formatDollars], latency: [1, formatDuration], latency_p95: [2, formatDuration], output_tokens: [3, (n) => formatTokens(Math.round(n))] };

/** Round steps over a range. */
function ticks(low, high, n) {
  const raw = (high - low) / n;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= raw - 1e-12);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9; k += 1) found.push(+(k * step).toPrecision(12));
  return found;
}

function logTicks(low, high) {
  const found = [];
  const steps = high - low > 3 ? [1] : high - low > 1.2 ? [1, 3] : [1, 2, 5];
  for (let k = Math.floor(low); k <= Math.ceil(high); k += 1) {
    for (const step of steps) if (Math.log10(step) + k >= low - 1e-9 && Math.log10(step) + k <= high + 1e-9) found.push(step * 10 ** k);
  }
  return found;
}

/** The quantities that at least two shown models have. */
function knownQuantities() {
  return Object.keys(QUANTITIES).filter((name) => scatterPoints(name).length > 1);
}

function scatterPoints(quantity) {
  const { overall, complete, costs, ranked } = board.standings;
  const amounts = costs[QUANTITIES[quantity][0]];
  return ranked.filter((model) => complete[model] && amounts[model] > 0 && !Number.isNaN(overall[model])).map((model) => ({ model, x: amounts[model], y: overall[model] }));
}

/** Which points no other beats in both. */
function paretoFront(points) {
  let best = -Infinity;
  return [...points].sort((a, b) => a.x - b.x || b.y - a.y).filter((point) => point.y > best && ((best = point.y), true));
}

function drawScatter(quantity) {
  const points = scatterPoints(quantity);
  const write = QUANTITIES[quantity][1];
  const { low, high } = board.standings;
  const logs = points.map((point) => Math.log10(point.x));
  const pad = Math.max(0.06, (Math.max(...logs) - Math.min(...logs)) * 0.06);
  const [x0, x1] = [Math.min(...logs) - pad, Math.max(...logs) + pad];
  const few = points.length <= 60;
  const ys = points.flatMap(({ model, y }) => (few && !Number.isNaN(low[model]) ? [low[model], high[model]] : [y]));
  let [y0, y1] = [Math.max(-1, Math.min(...ys)), Math.min(1, Math.max(...ys))];
  if (y1 - y0 < 0.05) [y0, y1] = [y0 - 0.03, y1 + 0.03];
  const x = (value) => +(BOX.left + ((Math.log10(value) - x0) / (x1 - x0)) * (BOX.right - BOX.left)).toFixed(1);
  const y = (value) => +(BOX.bottom - ((Math.max(y0, Math.min(y1, value)) - y0) / (y1 - y0)) * (BOX.bottom - BOX.top)).toFixed(1);
  const front = paretoFront(points);
  const onFront = new Set(front.map((point) => point.model));
  const taken = points.map((point) => ({ l: x(point.x) - 7, r: x(point.x) + 7, t: y(point.y) - 7, b: y(point.y) + 7 }));
  const ordered = [...points].sort((a, b) => onFront.has(b.model) - onFront.has(a.model) || b.y - a.y);
  const labels = new Map();
  ordered.forEach((point, index) => { if (index < MAX_LABELS) labels.set(point.model, placeLabel(data.models[point.model], x(point.x), y(point.y), taken, onFront.has(point.model))); });
  const crowd = few ? [] : ordered.filter(({ model }) => !onFront.has(model) && !labels.get(model));
  const alone = few ? ordered : ordered.filter(({ model }) => onFront.has(model) || labels.get(model));
  const dots = [...alone].reverse().map(({ model, x: amount, y: value }) => {
    const title = `${visible(data.models[model])}: ${formatScore(value, "fraction")} (${bounds(low[model], high[model], "fraction")}), ${write(amount)}`;
    const label = labels.get(model);
    const go = () => flash(model);
    return svg("g", { class: `dot${onFront.has(model) ? " on-front" : ""}`, role: "button", tabindex: onFront.has(model) || few ? 0 : -1, "aria-label": title, onclick: go, onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); go(); } } },
      few || onFront.has(model) ? svg("title", {}, title) : null,
      few && !Number.isNaN(low[model]) ? svg("line", { class: "whisker", x1: x(amount), x2: x(amount), y1: y(low[model]), y2: y(high[model]) }) : null,
      svg("circle", { cx: x(amount), cy: y(value), r: few ? 5.5 : 3.5 }),
      label ? svg("text", { x: label.x, y: label.y, "text-anchor": label.anchor }, label.text) : null);
  });
  return svg("svg", { class: "scatter", viewBox: `0 0 ${BOX.width} ${BOX.height}`, role: "group", "aria-label": t(`scatter.title.${quantity}`) },
    ticks(y0, y1, 6).map((tick) => [svg("line", { class: "grid", x1: BOX.left, x2: BOX.right, y1: y(tick), y2: y(tick) }), svg("text", { class: "tick", x: BOX.left - 8, y: y(tick) + 4, "text-anchor": "end" }, formatScore(tick, "fraction").replace(/\.0$/, ""))]),
    logTicks(x0, x1).map((tick) => [svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: BOX.top, y2: BOX.bottom }), svg("text", { class: "tick", x: x(tick), y: BOX.bottom + 18, "text-anchor": "middle" }, write(tick))]),
    svg("text", { class: "axis", x: BOX.right, y: BOX.bottom + 38, "text-anchor": "end" }, t(`scatter.x.${quantity}`)),
    svg("text", { class: "axis", x: BOX.left, y: BOX.top - 12 }, t("scatter.y")),
    crowd.length ? drawCrowd(crowd.map(({ model, x: amount, y: value }) => [model, x(amount), y(value), amount]), write) : null,
    front.length > 1 ? svg("polyline", { class: "front", points: front.map((point) => `${x(point.x)},${y(point.y)}`).join(" ") }) : null,
    dots);
}

/** Very many points, one picture: each tells its name to a pointer; the table has them for everybody else. */
function drawCrowd(points, write) {
  const { overall, low, high } = board.standings;
  const group = svg("g", { class: "crowd", "aria-hidden": "true", onclick: (event) => { if (event.target.dataset.model) flash(Number(event.target.dataset.model)); }, onpointerover: ({ target }) => {
    const { model, amount } = target.dataset;
    if (model && !target.firstChild) target.append(svg("title", {}, `${visible(data.models[model])}: ${formatScore(overall[model], "fraction")} (${bounds(low[model], high[model], "fraction")}), ${write(Number(amount))}`));
  } });
  for (const [model, cx, cy, amount] of points) {
    const dot = svg("circle", { class: "dot", cx, cy, r: 3.5 });
    Object.assign(dot.dataset, { model, amount });
    group.append(dot);
  }
  return group;
}

/** Where a label goes: the first free place around its point; nowhere when none is free and it may be left out. */
function placeLabel(name, px, py, taken, must) {
  const whole = visible(name);
  const text = whole.length > 28 ? `${whole.slice(0, 27)}…` : whole;
  const width = [...text].reduce((sum, character) => sum + (character.codePointAt(0) < 0x2e80 ? LETTER : 2 * LETTER), 0);
  const spots = [[10, 4, "start"], [-10, 4, "end"], [0, -12, "middle"], [0, 20, "middle"], [10, -10, "start"], [-10, -10, "end"], [10, 18, "start"], [-10, 18, "end"]];
  for (const [dx, dy, anchor] of spots) {
    const left = px + dx - { start: 0, end: width, middle: width / 2 }[anchor];
    const box = { l: left, r: left + width, t: py + dy - 11, b: py + dy + 3 };
    if (box.l < BOX.left || box.r > BOX.width - 4 || box.t < 4 || box.b > BOX.bottom + 6) continue;
    if (taken.some((other) => box.l < other.r && other.l < box.r && box.t < other.b && other.t < box.b)) continue;
    taken.push(box);
    return { text, x: px + dx, y: py + dy, anchor };
  }
  return must ? { text, x: px > BOX.width / 2 ? px - 10 : px + 10, y: py + 4, anchor: px > BOX.width / 2 ? "end" : "start" } : null;
}

/* A model over time. */

const LINE = { width: 320, height: 150, left: 40, right: 306, top: 14, bottom: 118 };

/** One task of a model, run by run, with the interval as a band. */
function drawTrend(title, points, scale) {
  const known = points.flatMap(({ v, lo, hi }) => [v, lo ?? v, hi ?? v]);
  let [y0, y1] = [Math.min(...known), Math.max(...known)];
  const least = scale === "percent" ? 4 : scale === "fraction" ? 0.04 : Math.abs(y1) * 0.04 || 1;
  if (y1 - y0 < least) [y0, y1] = [y0 - least / 2, y1 + least / 2];
  const x = (index) => LINE.left + (points.length > 1 ? (index / (points.length - 1)) * (LINE.right - LINE.left) : 0);
  const y = (value) => +(LINE.bottom - ((value - y0) / (y1 - y0)) * (LINE.bottom - LINE.top)).toFixed(1);
  const band = points.every((point) => point.lo !== null && point.lo !== undefined)
    ? [...points.map((point, index) => `${x(index)},${y(point.hi)}`), ...points.map((point, index) => `${x(index)},${y(point.lo)}`).reverse()].join(" ") : null;
  const label = points.map((point) => `${point.run.created}: ${formatScore(point.v, scale)}`).join("; ");
  return h("figure", { class: "trend" }, h("figcaption", {}, title), svg("svg", { viewBox: `0 0 ${LINE.width} ${LINE.height}`, role: "img", "aria-label": label },
    ticks(y0, y1, 3).map((tick) => [svg("line", { class: "grid", x1: LINE.left, x2: LINE.right, y1: y(tick), y2: y(tick) }), svg("text", { class: "tick", x: LINE.left - 6, y: y(tick) + 4, "text-anchor": "end" }, formatScore(tick, scale))]),
    band ? svg("polygon", { class: "trend-band", points: band }) : null,
    svg("polyline", { class: "trend-line", points: points.map((point, index) => `${x(index)},${y(point.v)}`).join(" ") }),
    points.map((point, index) => svg("circle", { cx: x(index), cy: y(point.v), r: 3.5 }, svg("title", {}, `${visible(point.run.id)} · ${point.run.created} · ${formatScore(point.v, scale)} (${bounds(point.lo, point.hi, scale)})`))),
    svg("text", { class: "tick", x: LINE.left, y: LINE.height - 12 }, points[0].run.created),
    svg("text", { class: "tick", x: LINE.right, y: LINE.height - 12, "text-anchor": "end" }, points.at(-1).run.created)));
}
