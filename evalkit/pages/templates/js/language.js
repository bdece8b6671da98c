/* Words in two languages, and light or dark. */

const texts = JSON.parse($("#texts").textContent);
const data = JSON.parse($("#data").textContent);
let language = document.documentElement.dataset.language;
const languageListeners = [];

/** The words for a key in the language of the page, its {placeholders} filled in. */
function t(key, values = {}) {
  let words = texts[language][key] ?? key;
  for (const [name, value] of Object.entries(values)) words = words.replaceAll(`{${name}}`, name === "reason" ? texts[language][`reason.${value}`] ?? String(value) : String(value));
  return words;
}

/** An element whose text follows the language. */
function words(key, values) {
  const element = h("span", { data: { t: key } }, t(key, values));
  if (values) element.dataset.tArgs = JSON.stringify(values);
  return element;
}

/** The translated name of a metric, role or mode; the term itself where there is none. */
function term(kind, name) {
  const key = `${kind}.${name}`;
  if (!(key in texts.en)) return h("span", {}, visible(name));
  const element = words(key);
  element.title = name;
  return element;
}

/** The same for names that may be written with spaces. */
function termOf(kind, name) {
  const key = `${kind}.${name.replaceAll(" ", "_")}`;
  return key in texts.en ? Object.assign(words(key), { title: visible(name) }) : h("code", {}, visible(name));
}

/* The sentences that evalkit writes into runs, longest first, as Translator.said knows them. */
const sentences = Object.entries(texts.en)
  .filter(([key]) => key.startsWith("said."))
  .sort(([a, one], [b, other]) => other.length - one.length || (a < b ? -1 : 1))
  .map(([key, text]) => {
    const names = [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    const pattern = text.split(/\{\w+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("(.+?)");
    return { key, names, pattern: new RegExp(`^${pattern}$`) };
  });

/** A sentence of evalkit in the language of the page; what others said as it is. */
function said(text) {
  for (const { key, names, pattern } of sentences) {
    const match = pattern.exec(text);
    if (match) return words(key, Object.fromEntries(names.map((name, index) => [name, visible(match[index + 1])])));
  }
  return h("span", {}, visible(text));
}

function setLanguage(next) {
  language = next;
  const root = document.documentElement;
  root.lang = next === "zh" ? "zh-Hans" : "en";
  root.dataset.language = next;
  for (const element of $$("[data-t]")) {
    element.textContent = t(element.dataset.t, JSON.parse(element.dataset.tArgs ?? "{}"));
  }
  for (const attribute of ["title", "placeholder", "aria-label"]) {
    for (const element of $$(`[data-t-${attribute}]`)) {
      const values = JSON.parse(element.getAttribute(`data-t-${attribute}-args`) ?? "{}");
      element.setAttribute(attribute, t(element.getAttribute(`data-t-${attribute}`), values));
    }
  }
  for (const listener of languageListeners) listener();
}

/* What the reader chose is remembered where the browser allows it; a page from disk may have no store. */
const memory = {
  get(key) {
    try {
      return localStorage.getItem(`evalkit.${key}`);
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(`evalkit.${key}`, value);
    } catch {
      /* The choice then holds for this page only. */
    }
  },
};

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
}

function startPreferences() {
  if ("followsReader" in document.documentElement.dataset) {
    const wanted = memory.get("language") ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
    if (wanted !== language && wanted in texts) setLanguage(wanted);
  }
  const theme = memory.get("theme");
  if (theme === "dark" || theme === "light") setTheme(theme);
  $('[data-action="language"]').addEventListener("click", () => {
    setLanguage(language === "en" ? "zh" : "en");
    memory.set("language", language);
  });
  $('[data-action="theme"]').addEventListener("click", () => {
    const next = isDark() ? "light" : "dark";
    setTheme(next);
    memory.set("theme", next);
  });
  for (const element of $$("[data-needs-script]")) element.hidden = false;
  $(".no-script").remove();
}

/* Numbers, as formats.py writes them. */
const UNKNOWN = "–";

function formatScore(value, scale) {
  if (value === null || value === undefined) return UNKNOWN;
  if (scale === "unbounded") return formatNumber(value, Math.abs(value) >= 100 ? 4 : 3);
  return (scale === "fraction" ? value * 100 : value).toFixed(1).replace(/^-(?=0\.0$)/, "").replace("-", "−");
}

function formatNumber(value, digits) {
  if (value === 0) return "0";
  const exponent = Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= 9) return value.toExponential(digits - 1).replace("-", "−");
  const places = Math.min(12, Math.max(0, digits - 1 - exponent));
  return grouped(value, places, places).replace("-", "−");
}

function formatSeconds(value) {
  if (value < 0.9995) return value >= 0.0005 ? `${(value * 1000).toFixed(0)} ms` : "<1 ms";
  return value < 9.995 ? `${value.toFixed(2)} s` : `${value.toFixed(1)} s`;
}

/** A duration, from milliseconds to hours. */
function formatDuration(value) {
  if (value < 99.95) return formatSeconds(value);
  const minutes = Math.round(value) / 60;
  const pad = (n) => String(Math.floor(n)).padStart(2, "0");
  if (minutes < 60) return `${Math.floor(minutes)} min ${pad(Math.round(value) % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}

/** A number of tokens: 940, 12.3k, 4.56M. */
function formatTokens(n) {
  if (n < 10000) return formatCount(n);
  if (n < 999950) return n < 99950 ? `${(n / 1000).toFixed(1)}k` : `${(n / 1000).toFixed(0)}k`;
  return `${(n / 1e6).toFixed(2)}M`;
}

function formatDollars(value) {
  if (value === 0) return "$0";
  return Math.abs(value) >= 1 ? `$${value.toFixed(2)}` : `$${formatNumber(value, 2)}`;
}

function formatCount(value) {
  return value === null ? UNKNOWN : grouped(value, 0, 3);
}

/* A format takes a hundred times as long to make as to use. */
const formats = new Map();

/** A number with commas between its thousands and so many decimal places. */
function grouped(value, least, most) {
  const key = `${least},${most}`;
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat("en-US", { minimumFractionDigits: least, maximumFractionDigits: most }));
  return formats.get(key).format(value);
}
