/* The table as it is shown, as CSV, JSON, Markdown or LaTeX; and the files beside the page. */

function headTexts() {
  return board.columns.map((column) => (column.kind === "group" ? column.group.name : column.place ? column.place.column.id : t(column.label)));
}

/** The shown table as rows of texts, whether or not the document has them. */
function shownTexts() {
  const rows = board.rows.map((model) => board.columns.map((column) => {
    const cell = cellOf(column, model);
    if (column.kind === "model") return visible(data.models[model]);
    const strong = $("b", cell);
    if (!strong) return cell.textContent;
    const small = $("small", cell)?.textContent;
    return small && board.on.intervals ? `${strong.textContent} (${small})` : strong.textContent;
  }));
  return [headTexts().map(visible), ...rows];
}

/** The shown table as numbers, each with its interval and n. */
function shownRecords() {
  const { standings } = board;
  return board.rows.map((model) => {
    const rank = standings.ranks[model];
    const record = { model: data.models[model], rank, overall: orNull(standings.overall[model]), overall_low: orNull(standings.low[model]), overall_high: orNull(standings.high[model]), tasks_covered: standings.covered[model], tasks_averaged: standings.common.size };
    for (const name of FACT_COLUMNS) if (facts[name][model] !== null) record[name] = facts[name][model];
    HEALTH.forEach((name, index) => { record[name] = orNull(standings.health[index][model]); });
    COSTS.forEach((name, index) => { record[{ cost: "usd_per_1000_samples", latency: "latency_mean_s", latency_p95: "latency_p95_s", output_tokens: "output_tokens_per_sample" }[name]] = orNull(standings.costs[index][model]); });
    const rated = arena?.of.get(model);
    if (rated) record.arena = { rating: rated.rating, low: rated.lo, high: rated.hi, rank: rated.rank, win_rate: rated.rate, group: rated.group };
    record.tasks = {};
    for (const { kind, place, group, values } of board.columns) {
      if (kind === "task" && place.held[model]) record.tasks[place.column.id] = { variant: place.variant, metric: place.column.metric, value: orNull(place.v[model]), low: orNull(place.lo[model]), high: orNull(place.hi[model]), n: orNull(place.n[model]), comparable: !place.apart[model], run: data.runs[place.run[model]].id };
      if (kind === "group" && values.get(model)) record.tasks[group.name] = { group: true, metric: group.metric, value: values.get(model).v, low: values.get(model).lo, high: values.get(model).hi, n: values.get(model).n };
    }
    return record;
  });
}

/** A text with its controls written out, which a spreadsheet takes for text. */
const safeText = (text) => (/^[=+\-@\t\r\n]/.test(text) ? `'${visible(text)}` : visible(text));
const quoteCsv = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function shownCsv() {
  const fixed = ["model", "rank_low", "rank_high", "overall", "overall_low", "overall_high"];
  const tasks = board.columns.filter((column) => column.kind === "task" || column.kind === "group").map((column) => (column.group ? column.group.name : column.place.column.id));
  const lines = [[...fixed, ...tasks.flatMap((name) => [name, `${name} low`, `${name} high`, `${name} n`])]];
  for (const record of shownRecords()) {
    const cells = tasks.flatMap((name) => {
      const found = record.tasks[name] ?? {};
      return [found.value, found.low, found.high, found.n];
    });
    lines.push([record.model, record.rank?.[0], record.rank?.[1], record.overall, record.overall_low, record.overall_high, ...cells]);
  }
  return lines.map((line) => line.map((value) => (value === null || value === undefined ? "" : typeof value === "number" ? String(value) : quoteCsv(safeText(value)))).join(",")).join("\r\n") + "\r\n";
}

const LATEX = { "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", $: "\\$", "&": "\\&", "#": "\\#", _: "\\_", "%": "\\%", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "–": "--", "−": "$-$", "↑": "$\\uparrow$", "↓": "$\\downarrow$", "<": "\\textless{}", ">": "\\textgreater{}" };
const latex = (text) => text.replace(/[\\{}$&#_%~^–−↑↓<>\r\n]/g, (character) => LATEX[character] ?? " ");

/** A table for booktabs; the best of a column, and what cannot be told from it, in bold. */
function shownLatex() {
  const [heads, ...rows] = shownTexts();
  const lines = rows.map((row, index) => row.map((text, at) => {
    const { place } = board.columns[at];
    return place && bestIn(place).has(board.rows[index]) ? `\\textbf{${latex(text)}}` : latex(text);
  }).join(" & "));
  return [`\\begin{tabular}{${board.columns.map((column) => (column.kind === "model" || column.kind === "fact" ? "l" : "r")).join("")}}`, "\\toprule", `${heads.map(latex).join(" & ")} \\\\`, "\\midrule", ...lines.map((line) => `${line} \\\\`), "\\bottomrule", "\\end{tabular}", ""].join("\n");
}

async function exportAs(kind) {
  if (kind === "copy") return copy(asTsv(shownTexts()));
  if (kind === "markdown") return copy(asMarkdown(shownTexts()));
  if (kind === "latex") return copy(shownLatex());
  if (kind === "link") return copy(location.href);
  if (kind === "shown-csv") return save("leaderboard-shown.csv", `\ufeff${shownCsv()}`, "text/csv");
  if (kind === "shown-json") return save("leaderboard-shown.json", `${JSON.stringify({ score: board.mode, weights: Object.fromEntries([...board.weights].map(([index, weight]) => [columns[index].id, weight])), averaged: [...board.standings.common].map((index) => columns[index].id), models: shownRecords() }, null, 2)}\n`, "application/json");
  const name = `leaderboard.${kind}`;
  return save(name, (kind === "csv" ? "\ufeff" : "") + (await readFile(name)), kind === "csv" ? "text/csv" : "application/json");
}
