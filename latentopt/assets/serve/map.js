// The map of the data: density, training structures as points, and what is shown, on a canvas.
// By mouse and by keyboard: arrows move a cross, Enter takes what lies under it.

import { scaled } from "./colours.js";
import { dark, el, ink, number } from "./dom.js";
import { range, ticks } from "./charts.js";

const NEAR = 9; // pixels within which a point is meant
const CELLS = 72; // of the density, along each side
const EDGE = { left: 46, right: 12, top: 12, bottom: 34 };

const LABELS = {
  axes: ["principal axis 1", "principal axis 2"],
  structure: ["structure score 1", "structure score 2"],
};

/** The map. `onhover(index, place)`, `onpick({index, place}, second)` tell what a user points at. */
export class DataMap {
  constructor(canvas, { onhover, onpick }) {
    Object.assign(this, { canvas, onhover, onpick, plane: "axes", colours: null, marks: [] });
    this.points = [];
    this.waiting = null;
    this.cross = null;
    this.hovered = null;
    new ResizeObserver(() => this.draw()).observe(canvas);
    dark.addEventListener("change", () => this.draw()); // its colours are others
    canvas.addEventListener("pointermove", (event) => this.hover(this.placeOf(event)));
    canvas.addEventListener("pointerleave", () => this.hover(null));
    canvas.addEventListener("click", (event) => this.pick(this.placeOf(event), event.shiftKey));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => { this.cross = null; this.hover(null); this.draw(); });
  }

  /** Show the data of a plane; colours are `{values, low, high}`, or `{draw}` points by themselves.
   * On a ground, points are others. */
  show({ map, plane, colours, marks = [], ground = null }) {
    Object.assign(this, { plane, colours, marks, ground });
    const points = map[plane];
    if (points !== this.points) {
      this.points = points;
      const all = [...points, ...(ground ?? [])];
      this.span = [range(all.map((p) => p[0]), 0.06), range(all.map((p) => p[1]), 0.06)];
      this.density = densityOf(ground ?? points, this.span);
    }
    this.draw();
  }

  get size() {
    return [this.canvas.clientWidth, this.canvas.clientHeight];
  }

  across(value) {
    const [low, high] = this.span[0];
    return EDGE.left + ((value - low) / (high - low)) * (this.size[0] - EDGE.left - EDGE.right);
  }

  down(value) {
    const [low, high] = this.span[1];
    return this.size[1] - EDGE.bottom - ((value - low) / (high - low)) * (this.size[1] - EDGE.top - EDGE.bottom);
  }

  /** Where a pixel lies in the plane. */
  plain([x, y]) {
    const [[left, right], [low, high]] = this.span;
    return [
      left + ((x - EDGE.left) / (this.size[0] - EDGE.left - EDGE.right)) * (right - left),
      low + ((this.size[1] - EDGE.bottom - y) / (this.size[1] - EDGE.top - EDGE.bottom)) * (high - low),
    ];
  }

  placeOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** Index of the training structure nearest to a pixel, and how far it is. */
  nearest([x, y]) {
    let [best, far] = [null, Infinity];
    this.points.forEach((point, i) => {
      const away = Math.hypot(this.across(point[0]) - x, this.down(point[1]) - y);
      if (away < far) [best, far] = [i, away];
    });
    return [best, far];
  }

  hover(place) {
    if (!this.points.length) return;
    const [index, far] = place ? this.nearest(place) : [null, Infinity];
    const found = far <= NEAR ? index : null;
    if (found !== this.hovered) {
      this.hovered = found;
      this.draw();
    }
    this.onhover(found, place);
  }

  pick(place, second) {
    if (!this.points.length) return;
    const [index, far] = this.nearest(place);
    const meant = far <= NEAR || this.plane === "structure" ? index : null;
    this.onpick({ index: meant, place: this.plain(place) }, second);
  }

  key(event) {
    const step = event.shiftKey ? 2 : 12;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const [width, height] = this.size;
    this.cross ??= [width / 2, height / 2];
    if (moves[event.key]) {
      const [x, y] = moves[event.key];
      this.cross = [
        Math.min(width - EDGE.right, Math.max(EDGE.left, this.cross[0] + x)),
        Math.min(height - EDGE.bottom, Math.max(EDGE.top, this.cross[1] + y)),
      ];
      this.hover(this.cross);
    } else if (event.key === "n") { // onto the nearest training structure
      const [index] = this.nearest(this.cross);
      this.cross = [this.across(this.points[index][0]), this.down(this.points[index][1])];
      this.hover(this.cross);
    } else if (event.key === "Enter") {
      this.pick(this.cross, event.shiftKey);
    } else if (event.key === "b") {
      this.pick(this.cross, true);
    } else {
      return;
    }
    event.preventDefault();
    this.draw();
  }

  /** Paint it with the next frame, once, however often this is called until then. */
  draw() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.paint();
    });
  }

  paint() {
    const [width, height] = this.size;
    if (!width || !this.points.length) return;
    const fine = window.devicePixelRatio || 1;
    this.canvas.width = width * fine;
    this.canvas.height = height * fine;
    const pen = this.canvas.getContext("2d");
    pen.scale(fine, fine);
    this.drawDensity(pen);
    this.drawAxes(pen, width, height);
    this.drawPoints(pen);
    this.drawMarks(pen);
    if (this.cross) cross(pen, this.cross);
  }

  drawDensity(pen) {
    const [width, height] = this.size;
    const image = densityImage(this.density, ink("accent"));
    pen.imageSmoothingEnabled = true;
    pen.drawImage(image, EDGE.left, EDGE.top, width - EDGE.left - EDGE.right, height - EDGE.top - EDGE.bottom);
  }

  drawAxes(pen, width, height) {
    pen.strokeStyle = ink("line");
    pen.fillStyle = ink("muted");
    pen.font = "12px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.strokeRect(EDGE.left, EDGE.top, width - EDGE.left - EDGE.right, height - EDGE.top - EDGE.bottom);
    for (const t of ticks(...this.span[0], 5)) pen.fillText(number(t), this.across(t), height - EDGE.bottom + 14);
    pen.fillText(LABELS[this.plane][0], (EDGE.left + width - EDGE.right) / 2, height - 4);
    pen.textAlign = "right";
    for (const t of ticks(...this.span[1], 5)) pen.fillText(number(t), EDGE.left - 5, this.down(t) + 4);
    pen.save();
    pen.translate(11, (height - EDGE.bottom + EDGE.top) / 2);
    pen.rotate(-Math.PI / 2);
    pen.textAlign = "center";
    pen.fillText(LABELS[this.plane][1], 0, 0);
    pen.restore();
  }

  drawPoints(pen) {
    const { values, low, high, draw } = this.colours ?? {};
    pen.fillStyle = ink("muted");
    pen.globalAlpha = 0.25;
    for (const [x, y] of this.ground ?? []) pen.fillRect(this.across(x) - 1, this.down(y) - 1, 2, 2);
    const size = this.ground ? 4.5 : 2.6;
    this.points.forEach((point, i) => {
      if (draw) {
        draw(pen, i, this.across(point[0]), this.down(point[1]));
        return;
      }
      const value = values?.[i];
      const known = value !== undefined && value !== null && Number.isFinite(value);
      pen.fillStyle = known ? scaled((value - low) / (high - low || 1)) : ink("muted");
      pen.globalAlpha = known ? 0.9 : 0.35;
      pen.beginPath();
      pen.arc(this.across(point[0]), this.down(point[1]), size, 0, 2 * Math.PI);
      pen.fill();
    });
    pen.globalAlpha = 1;
    if (this.hovered === null || this.hovered >= this.points.length) return;
    const [x, y] = this.points[this.hovered];
    ring(pen, this.across(x), this.down(y), 7, ink("text"));
  }

  drawMarks(pen) {
    for (const { place, text, kind } of this.marks) {
      const [x, y] = [this.across(place[0]), this.down(place[1])];
      if (kind === "path") {
        pen.fillStyle = ink("strong");
        pen.fillRect(x - 2, y - 2, 4, 4);
        continue;
      }
      if (kind === "nearest") {
        ring(pen, x, y, 6, ink("strong"));
        continue;
      }
      pen.fillStyle = ink(kind === "cart" ? "accent" : "strong");
      pen.beginPath();
      pen.arc(x, y, kind === "cart" ? 6 : 9, 0, 2 * Math.PI);
      pen.fill();
      pen.strokeStyle = ink("card");
      pen.lineWidth = 2;
      pen.stroke();
      pen.lineWidth = 1;
      pen.fillStyle = ink("card");
      pen.font = `bold ${kind === "cart" ? 8 : 11}px system-ui, sans-serif`;
      pen.textAlign = "center";
      pen.fillText(text, x, y + 4);
    }
  }
}

function ring(pen, x, y, size, colour) {
  pen.strokeStyle = colour;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.arc(x, y, size, 0, 2 * Math.PI);
  pen.stroke();
  pen.lineWidth = 1;
}

function cross(pen, [x, y]) {
  pen.strokeStyle = ink("strong");
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.moveTo(x - 12, y); pen.lineTo(x + 12, y);
  pen.moveTo(x, y - 12); pen.lineTo(x, y + 12);
  pen.stroke();
  pen.lineWidth = 1;
}

/** Points a cell, smoothed thrice by a mean of three, which is nearly Gaussian; 1 is the highest. */
function densityOf(points, [[left, right], [low, high]]) {
  let cells = new Float64Array(CELLS * CELLS);
  for (const [x, y] of points) {
    const i = Math.floor(((high - y) / (high - low)) * CELLS);
    const j = Math.floor(((x - left) / (right - left)) * CELLS);
    if (i >= 0 && j >= 0 && i < CELLS && j < CELLS) cells[i * CELLS + j] += 1;
  }
  for (let k = 0; k < 4; k += 1) cells = smoothed(smoothed(cells, 1), CELLS);
  const most = cells.reduce((a, b) => Math.max(a, b), 1e-12);
  return cells.map((value) => value / most);
}

function smoothed(cells, step) {
  return cells.map((_, i) => {
    const at = step === 1 ? i % CELLS : Math.floor(i / CELLS);
    let sum = 0;
    for (let k = -2; k <= 2; k += 1) if (at + k >= 0 && at + k < CELLS) sum += cells[i + k * step];
    return sum / 5;
  });
}

function densityImage(density, colour) {
  const canvas = el("canvas", { width: CELLS, height: CELLS });
  const pen = canvas.getContext("2d");
  pen.fillStyle = colour;
  pen.fillRect(0, 0, CELLS, CELLS);
  const image = pen.getImageData(0, 0, CELLS, CELLS);
  density.forEach((value, i) => { image.data[4 * i + 3] = 110 * Math.sqrt(value); });
  pen.putImageData(image, 0, 0);
  return canvas;
}
