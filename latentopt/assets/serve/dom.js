// Elements, numbers as text, and messages. Text from outside is set as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";
const SAID_MS = 8000; // for which a message that is no error is shown
const OF_SVG = new Set(["svg", "g", "path", "line", "circle", "rect", "text", "title", "desc",
  "polyline", "polygon"]);

/** An element with attributes, listeners (`onclick`) and children: elements or text. */
export function el(name, attributes = {}, ...children) {
  const made = OF_SVG.has(name)
    ? document.createElementNS(SVG, name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "class") made.setAttribute("class", value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** The element of an id, which the page has. */
export function byId(id) {
  return document.getElementById(id);
}

/** A number for people: four digits, no exponent where it can be helped. */
export function number(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "none";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(digits - 2).replace("-", "\u2212");
  const text = Number(value.toPrecision(digits)).toString();
  return text.replace("-", "\u2212");
}

/** A distance for people: what is left of rounding is none. */
export function distance(value) {
  return number(value < 1e-6 ? 0 : value, 3);
}

/** A unit for people: none for a number without one. */
export function unitText(unit) {
  return !unit || unit === "1" ? "" : unit.replace(/\bum\b/g, "\u00b5m");
}

/** Seconds for people. */
export function duration(seconds) {
  if (seconds < 1) return `${number(seconds, 2)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

/** "1 trial", "2 trials". */
export function count(n, one, many = `${one}s`) {
  return `${n} ${n === 1 ? one : many}`;
}

let silence;

/** Say something in the page's message line; an error stays until the next message, or Escape. */
export function say(text, isError = false) {
  const line = byId("message");
  line.textContent = text;
  line.classList.toggle("error", isError);
  clearTimeout(silence);
  if (!isError && !text.endsWith("\u2026")) silence = setTimeout(() => { line.textContent = ""; }, SAID_MS);
}

/** Let a message be put away. */
export function beginMessages() {
  byId("message").addEventListener("click", () => say(""));
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") say(""); });
}

/** Do something, and say what went wrong if it did. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    say(error.status === 401 ? "The token does not fit. Open the address that the server printed."
      : sentence(error.message), true);
    return undefined;
  }
}

/** Text that begins with a capital letter. */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Have the browser save bytes under a name. */
export function download(name, content, type) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** A labelled field. */
export function field(label, control, note = "") {
  return el("label", { class: "field" }, el("span", {}, label), control,
    note ? el("small", {}, note) : null);
}

/** A button. */
export function button(text, onclick, attributes = {}) {
  return el("button", { type: "button", onclick, ...attributes }, text);
}

/** A select of `[value, text]` pairs. */
export function select(options, chosen, onchange, attributes = {}) {
  const made = el("select", { onchange: (event) => onchange(event.target.value), ...attributes },
    ...options.map(([value, text]) => el("option", { value }, text)));
  made.value = chosen;
  return made;
}

/** A list of names and values. */
export function facts(pairs) {
  return el("dl", { class: "facts" },
    ...pairs.map(([name, value, note]) => el("div", {}, el("dt", {}, name),
      el("dd", { class: note ?? "" }, value))));
}

/** A table of one group of rows. */
export function table(head, rows, caption) {
  return el("table", {}, el("caption", { class: "unseen" }, caption),
    el("thead", {}, el("tr", {}, ...head.map((text, i) =>
      el("th", { scope: "col", class: i ? "number" : "" }, text)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((cell, i) => (i
      ? el("td", { class: "number" }, cell)
      : el("th", { scope: "row" }, cell)))))));
}

/** Whether the page is shown in dark colours. */
export const dark = matchMedia("(prefers-color-scheme: dark)");

/** The colour of a CSS variable of the page. */
export function ink(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
