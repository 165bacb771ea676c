// Classes of the points of a map: a colour and a shape for each, and a legend that names them.

import { button, dark, el, ink } from "./dom.js";

// Six colours that people with any colour vision tell apart (CIE76 differences of 25 at least, also
// simulated by Machado 2009), each with a contrast of 3 to the page. A test measures both.
export const CLASS_COLOURS = {
  light: ["#d55e00", "#648fff", "#00695c", "#cc79a7", "#1b1b1b", "#5c2a9d"],
  dark: ["#ffb000", "#785ef0", "#009e73", "#aa4499", "#f4f8fb", "#cc3311"],
};

// Seven shapes of about one area around 0, 0: with six colours, 42 classes look different.
export const SHAPES = [
  "M-3.4 0A3.4 3.4 0 1 1 3.4 0A3.4 3.4 0 1 1-3.4 0Z",
  "M-3-3H3V3H-3Z",
  "M0-4.2L4.2 3.2H-4.2Z",
  "M0-4.4L4.4 0L0 4.4L-4.4 0Z",
  "M0 4.2L4.2-3.2H-4.2Z",
  "M-1.4-4.4H1.4V-1.4H4.4V1.4H1.4V4.4H-1.4V1.4H-4.4V-1.4H-1.4Z",
  "M-4.2-2.2L-2.2-4.2L0-2L2.2-4.2L4.2-2.2L2 0L4.2 2.2L2.2 4.2L0 2L-2.2 4.2L-4.2 2.2L-2 0Z",
];

const UNKNOWN = -1; // label of a point without a class

/** The classes of a map's points. `legend` names them; by its buttons one of them is shown alone. */
export class Classes {
  constructor({ labels, class_names: names }, onchange) {
    Object.assign(this, { labels, names: names ?? [], onchange, alone: null });
    this.legend = el("ul", { class: "legend classes" });
    this.paths = new Map(SHAPES.map((outline) => [outline, new Path2D(outline)]));
    dark.addEventListener("change", () => this.fill());
    this.fill();
  }

  /** Whether the points have classes. */
  get known() {
    return this.names.length > 0 && Boolean(this.labels);
  }

  /** Name of a point's class; none of a point without one. */
  nameOf(index) {
    return this.known ? this.names[this.labels[index]] : undefined;
  }

  colourOf(label) {
    const colours = CLASS_COLOURS[dark.matches ? "dark" : "light"];
    return label === UNKNOWN ? ink("muted") : colours[label % colours.length];
  }

  outlineOf(label) {
    return SHAPES[label === UNKNOWN ? 0 : label % SHAPES.length];
  }

  /** Draw a point; those of other classes than the one that is shown alone are faint. */
  draw(pen, index, x, y) {
    const label = this.labels[index];
    const faint = this.alone !== null && this.alone !== label;
    pen.save();
    pen.translate(x, y);
    pen.globalAlpha = faint ? 0.08 : 1;
    pen.fillStyle = this.colourOf(label);
    pen.fill(this.paths.get(this.outlineOf(label)));
    pen.restore();
  }

  /** Name the classes that points have, with their colour, shape and number of points. */
  fill() {
    if (!this.known) return;
    const counts = new Map();
    this.labels.forEach((label) => counts.set(label, 1 + (counts.get(label) ?? 0)));
    const present = [...this.names.keys(), UNKNOWN].filter((label) => counts.has(label));
    this.buttons = present.map((label) => button(this.sign(label), () => this.show(label), {
      class: "class", "data-label": label, "aria-pressed": String(this.alone === label),
      title: "Show this class alone, or all again" }));
    this.buttons.forEach((one, i) => one.append(
      `${this.names[present[i]] ?? "class not known"} (${counts.get(present[i])})`));
    this.legend.replaceChildren(...this.buttons.map((one) => el("li", {}, one)));
  }

  sign(label) {
    return el("svg", { class: "point", viewBox: "-5 -5 10 10", "aria-hidden": "true" },
      el("path", { d: this.outlineOf(label), fill: this.colourOf(label) }));
  }

  show(label) {
    this.alone = this.alone === label ? null : label;
    this.buttons.forEach((one) => one.setAttribute("aria-pressed",
      String(Number(one.dataset.label) === this.alone)));
    this.onchange();
  }
}
