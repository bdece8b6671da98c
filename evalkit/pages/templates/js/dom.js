/* Elements from text. Nothing here or elsewhere ever parses a text as markup. */

const SVG = "http://www.w3.org/2000/svg";
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

const CONTROL_NAMES = { 0: "NUL", 7: "BEL", 8: "BS", 13: "CR", 27: "ESC", 127: "DEL" };

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/* What the modules of a page do at its start. */
const starters = [];

/** An element with properties and children; texts become text nodes, null and false nothing. */
function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className = value;
    else if (key === "data") Object.assign(element.dataset, value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A control character or reordering mark as something one can see. */
function picture(character) {
  const code = character.codePointAt(0);
  return `‹${CONTROL_NAMES[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`}›`;
}

/** The text with its controls written out. */
function visible(text) {
  return text.replace(CONTROL, picture);
}

/** Nodes for a text whose controls are shown as marks. */
function shown(text) {
  if (text.startsWith("[redacted: ")) return [said(text)];
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(CONTROL)) {
    if (match.index > from) nodes.push(text.slice(from, match.index));
    const code = match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    nodes.push(h("span", { class: "control", title: `U+${code}` }, picture(match[0])));
    from = match.index + match[0].length;
  }
  if (from < text.length) nodes.push(text.slice(from));
  return nodes;
}

/** A name that may break after its separators. */
function nameOf(text) {
  const long = text.length > 80;
  const element = h("bdi", { class: long ? "name long" : "name", title: long ? visible(text.slice(0, 2000)) : null });
  visible(text).split(/(?<=[_/:@.-])(?=[^_/:@.-])/).forEach((part, index) => {
    if (index) element.append(h("wbr"));
    element.append(part);
  });
  return element;
}

/** Say something to those who cannot see the change. */
function announce(text) {
  $("#live").textContent = text;
}

/** Save a content under a name. */
function save(name, content, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** Put a text on the clipboard, also where the page was opened from disk. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { class: "unseen", readonly: true });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  announce(t("copied"));
}

/* The address of what is shown: #key=value&key=value. */
const address = {
  read() {
    const found = {};
    for (const pair of location.hash.slice(1).split("&")) {
      const at = pair.indexOf("=");
      if (at > 0) found[pair.slice(0, at)] = pair.slice(at + 1);
    }
    return found;
  },
  /** The text of a value; the raw text where it is not well quoted. */
  text(value) {
    try {
      return decodeURIComponent(value);
    } catch {
      return value;
    }
  },
  quote(text) {
    return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  },
  write(pairs, replace = true) {
    const hash = Object.entries(pairs)
      .filter(([, value]) => value !== "" && value !== null && value !== undefined)
      .map(([key, value]) => `${key}=${value}`)
      .join("&");
    const url = hash ? `#${hash}` : location.pathname + location.search;
    try {
      history[replace ? "replaceState" : "pushState"](null, "", url);
    } catch {
      location.hash = hash;
    }
  },
};
