// Small charts as SVG: lines with a band, points by two values, parallel coordinates.
// Each has a text alternative; colours come from the style sheet.

import { el, number } from "./dom.js";

const WIDTH = 420;
const HEIGHT = 240;
const NARROW = 860; // pixels of a window, below which everything is one column
const EDGE = { left: 58, right: 14, top: 12, bottom: 42 };

/** Numbers of an axis: about `n` round ones from low to high. */
export function ticks(low, high, n = 4) {
  if (!(high > low)) return [low];
  const rough = (high - low) / n;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * unit).find((k) => k >= rough);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Lowest and highest of numbers, with a little room, and never the same. */
export function range(values, room = 0.04) {
  const finite = values.filter((v) => Number.isFinite(v));
  let low = finite.reduce((a, b) => Math.min(a, b), Infinity);
  let high = finite.reduce((a, b) => Math.max(a, b), -Infinity);
  if (low > high) [low, high] = [0, 1];
  if (low === high) [low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  const more = room * (high - low);
  return [low - more, high + more];
}

function frame({ title, text, x, y, xLabel, yLabel, whole = false, large = false }) {
  // Text keeps its size: a chart that a wide window shows large has more room, not larger letters.
  const [width, height] = large && innerWidth > NARROW ? [600, 290] : [WIDTH, HEIGHT];
  const across = (value) =>
    EDGE.left + ((value - x[0]) / (x[1] - x[0])) * (width - EDGE.left - EDGE.right);
  const down = (value) =>
    height - EDGE.bottom - ((value - y[0]) / (y[1] - y[0])) * (height - EDGE.top - EDGE.bottom);
  const svg = el("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", class: "chart",
    "aria-label": `${title}. ${text}` });
  const xTicks = ticks(...x, 5).filter((t) => !whole || Number.isInteger(t));
  for (const t of ticks(...y)) {
    svg.append(el("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: down(t), y2: down(t) }),
      el("text", { class: "tick", x: EDGE.left - 6, y: down(t) + 4, "text-anchor": "end" }, number(t)));
  }
  for (const t of xTicks) {
    svg.append(el("text", { class: "tick", x: across(t), y: height - EDGE.bottom + 16,
      "text-anchor": "middle" }, number(t)));
  }
  const middle = (height - EDGE.bottom + EDGE.top) / 2;
  svg.append(
    el("line", { class: "axis", x1: EDGE.left, x2: width - EDGE.right, y1: height - EDGE.bottom,
      y2: height - EDGE.bottom }),
    el("text", { class: "label", x: (EDGE.left + width - EDGE.right) / 2, y: height - 6,
      "text-anchor": "middle" }, xLabel),
    el("text", { class: "label", x: 12, y: middle, "text-anchor": "middle",
      transform: `rotate(-90 12 ${middle})` }, yLabel),
  );
  return { svg, across, down };
}

const pathOf = (points) => points.map(([a, b], i) => `${i ? "L" : "M"}${a.toFixed(1)} ${b.toFixed(1)}`).join("");

/** A line over 0, 1, ..., beside the band [low, middle, high] of the data, if there is one. */
export function lineChart({ title, text, values, band, xLabel, yLabel, others = [] }) {
  const all = [...values, ...(band ?? []).flat(), ...others.flat(), 0];
  const { svg, across, down } = frame({ title, text, xLabel, yLabel,
    x: [0, Math.max(1, values.length - 1)], y: range(all, 0.02) });
  const points = (row) => row.map((v, i) => [across(i), down(v)]);
  if (band) {
    const shape = [...points(band[2]), ...points(band[0]).reverse()];
    svg.append(el("path", { class: "band", d: `${pathOf(shape)}Z` }),
      el("path", { class: "middle", d: pathOf(points(band[1])) }));
  }
  others.forEach((row) => svg.append(el("path", { class: "line second", d: pathOf(points(row)) })));
  svg.append(el("path", { class: "line", d: pathOf(points(values)) }));
  return svg;
}

/** Points `{x, y, kind, label}` and step lines `{points, kind}`; `onpoint(point, event)` on hover. */
export function scatter({ title, text, points, lines = [], xLabel, yLabel, whole, onpoint, onpick }) {
  const xs = [...points.map((p) => p.x), ...lines.flatMap((l) => l.points.map((p) => p[0]))];
  const ys = [...points.map((p) => p.y), ...lines.flatMap((l) => l.points.map((p) => p[1]))];
  const { svg, across, down } = frame({ title, text, xLabel, yLabel, whole,
    large: true, x: range(xs), y: range(ys) });
  for (const line of lines) {
    svg.append(el("path", { class: `line ${line.kind}`,
      d: pathOf(line.points.map(([a, b]) => [across(a), down(b)])) }));
  }
  for (const point of points) {
    const mark = markOf(point, across(point.x), down(point.y));
    mark.append(el("title", {}, point.label));
    if (onpoint) {
      mark.addEventListener("pointerenter", (event) => onpoint(point, event));
      mark.addEventListener("pointerleave", () => onpoint(null));
    }
    if (onpick && point.focus) {
      mark.setAttribute("tabindex", "0");
      mark.setAttribute("role", "button");
      mark.setAttribute("aria-label", point.label);
      mark.addEventListener("click", () => onpick(point));
      mark.addEventListener("focus", (event) => onpoint?.(point, event));
      mark.addEventListener("blur", () => onpoint?.(null));
      mark.addEventListener("keydown", (event) => { if (event.key === "Enter") onpick(point); });
    }
    svg.append(mark);
  }
  if (onpick && points.some((p) => p.focus)) {
    svg.setAttribute("role", "group"); // its points are buttons
  }
  return svg;
}

// Kinds are told apart by shape too, not by colour alone.
function markOf(point, x, y) {
  const kind = `mark ${point.kind}`;
  if (point.kind.includes("broken")) {
    return el("path", { class: kind, d: `M${x - 4} ${y - 4}L${x + 4} ${y + 4}M${x - 4} ${y + 4}L${x + 4} ${y - 4}` });
  }
  if (point.kind.includes("best") || point.kind.includes("front")) {
    return el("path", { class: kind, d: `M${x} ${y - 6}L${x + 6} ${y}L${x} ${y + 6}L${x - 6} ${y}Z` });
  }
  return el("circle", { class: kind, cx: x, cy: y, r: 4 });
}

/** One line a row over axes of their own: `axes` are names, `rows` are `{values, kind, label}`. */
export function parallel({ title, text, axes, rows }) {
  const width = Math.max(WIDTH, 150 * axes.length);
  const svg = el("svg", { viewBox: `0 0 ${width} 260`, role: "img", class: "chart", style: `width:${width}px`,
    "aria-label": `${title}. ${text}` });
  const across = (i) => 75 + (i * (width - 150)) / Math.max(1, axes.length - 1);
  const ranges = axes.map((_, i) => range(rows.map((row) => row.values[i]), 0));
  const down = (i, v) => 216 - ((v - ranges[i][0]) / (ranges[i][1] - ranges[i][0])) * 180;
  for (const row of rows) {
    const places = row.values.map((v, i) => [across(i), Number.isFinite(v) ? down(i, v) : NaN]);
    if (places.some((place) => Number.isNaN(place[1]))) continue;
    svg.append(el("path", { class: `line thin ${row.kind}`, d: pathOf(places) },
      el("title", {}, row.label)));
  }
  axes.forEach((name, i) => svg.append(
    el("line", { class: "axis", x1: across(i), x2: across(i), y1: 36, y2: 216 }),
    el("text", { class: "tick", x: across(i), y: 28, "text-anchor": "middle" }, number(ranges[i][1], 3)),
    el("text", { class: "tick", x: across(i), y: 232, "text-anchor": "middle" }, number(ranges[i][0], 3)),
    el("text", { class: "label", x: across(i), y: 251, "text-anchor": "middle" },
      name.length > 20 ? `${name.slice(0, 19)}\u2026` : name),
  ));
  return svg;
}
