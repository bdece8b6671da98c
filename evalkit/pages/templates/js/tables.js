/* Tables that sort. Unknown values stand last in either direction; equal ones keep their order. */

function sortKey(cell) {
  const raw = cell.dataset.s ?? cell.textContent.trim();
  if (raw === "") return null;
  const number = Number(raw);
  return Number.isNaN(number) ? raw : number;
}

function compareKeys(a, b, sign) {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
}

function sorted(rows, index, direction) {
  const sign = direction === "ascending" ? 1 : -1;
  const keyed = rows.map((row, order) => ({ row, order, key: sortKey(row.cells[index]) }));
  keyed.sort((a, b) => compareKeys(a.key, b.key, sign) || a.order - b.order);
  return keyed.map(({ row }) => row);
}

function markSorted(table, index, direction) {
  const heads = table.tHead.rows[table.tHead.rows.length - 1].cells;
  for (const head of heads) head.removeAttribute("aria-sort");
  heads[index].setAttribute("aria-sort", direction);
}

/** Sort each body of a table in itself. */
function sortBodies(table, index, direction) {
  for (const body of table.tBodies) {
    if (body.className !== "variant-head") body.append(...sorted([...body.rows], index, direction));
  }
}

/** Let the heads of a table sort it; `sort` does it, given the column and the direction. */
function makeSortable(table, sort = (index, direction) => sortBodies(table, index, direction)) {
  const heads = table.tHead.rows[table.tHead.rows.length - 1];
  for (const button of $$("button.sort", heads)) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const now = head.getAttribute("aria-sort");
      const first = button.dataset.first;
      const other = first === "ascending" ? "descending" : "ascending";
      const direction = now === first ? other : first;
      sort(head.cellIndex, direction);
      markSorted(table, head.cellIndex, direction);
      announce(t("board.sorted", { column: button.textContent, direction: t(`board.${direction}`) }));
    });
  }
}

/** Show at the right edge of a frame whether there is more to the right. */
function watchFrame(frame) {
  const scroll = $(".scroll", frame);
  const look = () => frame.classList.toggle("more-right", scroll.scrollLeft + scroll.clientWidth < scroll.scrollWidth - 2);
  scroll.addEventListener("scroll", look, { passive: true });
  new ResizeObserver(look).observe(scroll);
  new ResizeObserver(look).observe($("table", scroll));
}

/** Some rows of a table under its heads, as rows of texts; only the columns that are shown. */
function tableTexts(table, rows) {
  const heads = table.tHead.rows[table.tHead.rows.length - 1];
  const shown = [...heads.cells].map((head) => head.offsetParent !== null);
  return [heads, ...rows].map((row) => [...row.cells].filter((_, index) => shown[index]).map((cell) => cellText(cell)));
}

function cellText(cell) {
  const strong = $("b", cell);
  if (cell.tagName === "TD" && strong) {
    const small = $("small", cell)?.textContent;
    return small ? `${strong.textContent} (${small})` : strong.textContent;
  }
  const main = $("button.sort, .name", cell);
  return (main ?? cell).textContent.trim().replace(/\s+/g, " ");
}

function asTsv(rows) {
  return rows.map((row) => row.map((text) => text.replace(/[\t\r\n]+/g, " ")).map(neutral).join("\t")).join("\n");
}

/** A text that a spreadsheet takes for text. */
function neutral(text) {
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}

function asMarkdown(rows) {
  const line = (row) => `| ${row.map((text) => text.replace(/[\\|`*_<>[\]]/g, "\\$&")).join(" | ")} |`;
  return [line(rows[0]), `|${rows[0].map((_, i) => (i === 1 ? " --- " : " ---: ")).join("|")}|`, ...rows.slice(1).map(line)].join("\n");
}
