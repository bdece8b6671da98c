/* Menus, switches and the chips that say what was chosen. */

function checkbox(label, checked, onchange, extra = null) {
  const input = h("input", { type: "checkbox", onchange: (event) => onchange(event.target.checked) });
  input.checked = checked;
  return h("label", { class: "check" }, input, h("span", {}, label), extra === null ? null : h("span", { class: "dim" }, extra));
}

/** How a value of a facet reads. */
function facetWords(name, value) {
  if (value === UNKNOWN_FACT) return words("unknown");
  if (name === "size" || name === "weights") return words(`${name}.${value}`);
  return nameOf(value);
}

function facetBox(name) {
  const choices = facetChoices(name);
  if (!choices.length) return null;
  return h("fieldset", {}, h("legend", {}, words(`facet.${name}`)), choices.map(([value, n]) => checkbox(facetWords(name, value), board.facets[name].has(value), (on) => {
    board.facets[name][on ? "add" : "delete"](value);
    redraw();
  }, formatCount(n))));
}

const MOST_LISTED = 300;

function pickList(legend, items, isOn, onchange) {
  const list = h("div", { class: "picks" }, items.slice(0, MOST_LISTED).map(([id, label]) => checkbox(label, isOn(id), (on) => onchange(id, on))));
  return h("fieldset", {}, h("legend", {}, words(legend)), list);
}

const MENUS = {
  models: () => [
    MODEL_FACETS.map(facetBox),
    pickList("menu.pick_models", board.standings.order.map((model) => [model, nameOf(data.models[model])]), (model) => !board.models.has(model), (model, on) => {
      board.models[on ? "delete" : "add"](model);
      redraw();
    }),
  ],
  tasks: () => [
    TASK_FACETS.map(facetBox),
    pickList("menu.pick_tasks", columns.map((column) => [column.index, nameOf(column.id)]), (index) => !board.without.has(index), (index, on) => {
      board.without[on ? "delete" : "add"](index);
      redraw();
    }),
  ],
  score: scoreMenu,
  columns: () => [
    h("fieldset", {}, h("legend", {}, words("menu.density")), ["comfortable", "compact", "heat"].map((name) => {
      const input = h("input", { type: "radio", name: "density", value: name, onchange: () => { board.density = name; redraw(false); } });
      input.checked = board.density === name;
      return h("label", { class: "check" }, input, words(`density.${name}`));
    })),
    h("fieldset", {}, h("legend", {}, words("board.columns")), [["answered", "column.answered"], ...(arena ? ["arena_rank", "arena_rating"].map((name) => [name, `column.${name}`]) : []), ...FACT_COLUMNS.map((name) => [name, `fact.${name}`]), ...HEALTH.map((name) => [name, `column.${name}`]), ...COSTS.map((name) => [name, `column.${name}`])].map(([key, label]) =>
      checkbox(words(label), !board.away.has(key) && (HEALTH.includes(key) ? board.on.health : COSTS.includes(key) ? board.on.cost : true), (on) => {
        if (on && HEALTH.includes(key)) switchOn("health", HEALTH, key);
        else if (on && COSTS.includes(key)) switchOn("cost", COSTS, key);
        board.away[on ? "delete" : "add"](key);
        redraw(false);
      }))),
  ],
};

/** A single column of a block that is off: the block comes on with this column alone. */
function switchOn(block, keys, key) {
  if (board.on[block]) return;
  board.on[block] = true;
  for (const other of keys) if (other !== key) board.away.add(other);
}

function scoreMenu() {
  const modes = ["norm", "mean", "wins"].map((mode) => {
    const input = h("input", { type: "radio", name: "score", value: mode, onchange: () => { board.mode = mode; redraw(); } });
    input.checked = board.mode === mode;
    return h("label", { class: "check tall" }, input, h("span", {}, words(`score.${mode}`), h("small", {}, words(`overall.help.${mode}`))));
  });
  const set = (entries) => { board.weights = new Map(entries); redraw(); fillMenu("score"); };
  const averaged = board.places.filter((place) => place.column.averaged);
  const sliders = averaged.map((place) => {
    const { index, id } = place.column;
    const output = h("output", {}, String(board.weights.get(index) ?? 1));
    const label = visible(id);
    const input = h("input", { type: "range", min: 0, max: 4, step: 0.5, "aria-label": label });
    input.value = board.weights.get(index) ?? 1;
    input.addEventListener("input", () => {
      const weight = Number(input.value);
      if (weight === 1) board.weights.delete(index);
      else board.weights.set(index, weight);
      output.textContent = String(weight);
      redraw();
    });
    return h("div", { class: "weight" }, nameOf(id), input, output);
  });
  const inside = new Set(groups.flatMap((group) => group.inner ?? []));
  const once = () => set(groups.filter((group) => !inside.has(group.index)).flatMap((group) => group.columns.map((index, place) => [index, +(group.shares?.[place] ?? 1 / group.columns.length).toFixed(6)])));
  return [
    h("fieldset", {}, h("legend", {}, words("menu.score")), modes),
    h("fieldset", {}, h("legend", {}, words("menu.weights")), h("div", { class: "picks" }, sliders),
      h("p", { class: "buttons" }, h("button", { type: "button", class: "button", data: { weights: "equal" }, onclick: () => set([]) }, words("weights_equal")),
        groups.length ? h("button", { type: "button", class: "button", data: { weights: "groups" }, onclick: once }, words("weights_groups")) : null)),
  ];
}

function fillMenu(name) {
  const menu = $(`[data-menu="${name}"]`);
  $("div", menu).replaceChildren(...MENUS[name]().flat(Infinity).filter(Boolean));
}

function startControls() {
  for (const menu of $$("[data-menu]")) {
    menu.addEventListener("toggle", () => {
      menu.classList.toggle("placed", menu.open);
      if (!menu.open) return;
      for (const other of $$("details.menu[open]")) if (other !== menu) other.open = false;
      if (MENUS[menu.dataset.menu]) fillMenu(menu.dataset.menu);
      const box = $("div", menu);
      box.classList.remove("flip");
      if (box.getBoundingClientRect().right > document.documentElement.clientWidth - 8) box.classList.add("flip");
    });
  }
  document.addEventListener("pointerdown", (event) => {
    for (const menu of $$("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    showCard(null);
    const menu = event.target.closest?.("details.menu[open]");
    if (menu) {
      menu.open = false;
      $("summary", menu).focus();
    }
  });
  $("#search").addEventListener("input", (event) => {
    board.query = event.target.value;
    select();
    scrollTo_(null, 0);
    drawRows(true);
    drawChips();
    remember();
    announce(t("board.shown", { n: formatCount(board.rows.length), total: formatCount(N_MODELS) }));
  });
  $("#view")?.addEventListener("change", (event) => { board.view = data.views[Number(event.target.value)]; redraw(); });
  for (const button of $$("[data-toggle]")) {
    button.addEventListener("click", () => {
      const name = button.dataset.toggle;
      board.on[name] = !board.on[name];
      if (board.on[name]) for (const key of { health: HEALTH, cost: COSTS }[name] ?? []) board.away.delete(key);
      redraw(false);
    });
  }
  for (const button of $$("[data-export]")) button.addEventListener("click", () => { exportAs(button.dataset.export); button.closest("details").open = false; });
  $("#reset").addEventListener("click", reset);
}

function forget() {
  Object.assign(board, { view: "", query: "", sort: null, mode: "norm", weights: new Map(), without: new Set(), models: new Set() });
  for (const name of Object.keys(board.facets)) board.facets[name] = new Set();
}

function reset() {
  forget();
  redraw();
  $("#search").focus();
}

/** What was chosen, each with a way to take it back, and what it means for the ranks. */
function drawChips() {
  $("#search").value = board.query;
  if ($("#view")) $("#view").value = data.views.indexOf(board.view);
  for (const name of SWITCHES) $(`[data-toggle="${name}"]`).setAttribute("aria-pressed", String(board.on[name]));
  const chips = [];
  const add = (label, undo) => chips.push(h("li", {}, h("button", { type: "button", class: "chip-button", onclick: () => { undo(); redraw(); } }, label, h("span", { "aria-hidden": "true" }, " ×"), h("span", { class: "unseen" }, words("chips.remove")))));
  for (const [name, chosen] of Object.entries(board.facets)) {
    for (const value of chosen) add([words(`facet.${name}`), ": ", facetWords(name, value)], () => chosen.delete(value));
  }
  if (board.models.size) add(words("chips.models", { n: formatCount(board.models.size) }), () => board.models.clear());
  if (board.without.size) add(words("chips.tasks", { n: formatCount(board.without.size) }), () => board.without.clear());
  if (board.mode !== "norm") add(words(`score.${board.mode}`), () => { board.mode = "norm"; });
  if (board.weights.size) add(words("chips.weights", { n: formatCount(board.weights.size) }), () => board.weights.clear());
  const { standings } = board;
  const n = standings.ranked.length;
  const notes = [];
  if (board.query || board.rows.length < N_MODELS) notes.push(words("board.shown", { n: formatCount(board.rows.length), total: formatCount(N_MODELS) }));
  if (standings.hidden) notes.push(words(board.mode === "wins" ? "ranks.none_wins" : "ranks.none"));
  else if (board.subset || chips.length) notes.push(words("ranks.among", { n: formatCount(n), tasks: formatCount(standings.common.size) }));
  $("#chips").replaceChildren(...chips);
  $("#chosen").replaceChildren(...joinedBy(notes));
  $("#choice").hidden = !chips.length && !notes.length;
  $("#reset").hidden = !chips.length && !board.query && !board.view;
}

/** Everything again, after a choice; without new standings where only columns come and go. */
function redraw(anew = true) {
  if (anew) derive();
  else arrange();
  grid.table.className = `board ${board.density}${board.on.intervals ? "" : " no-intervals"}`;
  drawHeads();
  drawRows(true);
  drawChips();
  if (anew) {
    drawLeaders();
    drawPanels();
  }
  remember();
}
