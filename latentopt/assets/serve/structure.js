// The structure of A: its picture, its figures, its nearest training structure, its statistics.

import { latest } from "./api.js";
import { lineChart } from "./charts.js";
import { attempt, distance, el, facts, number } from "./dom.js";
import { nearest, norm } from "./geometry.js";
import { described, draw, legend, picture, section } from "./pictures.js";
import { sections, volumeView } from "./volume.js";

const FAR = 1.5; // times the spacing of the data: beyond, a decoder guesses

/** A structure at full resolution: itself in 2-D, sections and a view that is turned in 3-D. */
export class StructureView {
  constructor({ space, names, store }) {
    this.names = names;
    this.canvas = el("canvas", { class: "structure large", role: "img", "aria-label": "No structure yet" });
    this.legend = el("div", {});
    this.turned = space.solid ? volumeView(names(), { shape: store.state.view, onshape: (view) => store.put({ view }) }) : null;
    this.parts = space.solid ? [this.turned, sections(space.sides)] : [];
    this.element = el("div", { class: space.solid ? "solid" : "plane" },
      ...(space.solid ? this.parts.map((part) => part.element) : [this.canvas]), this.legend);
  }

  show(structure) {
    this.structure = structure;
    this.legend.replaceChildren(legend(structure, this.names()));
    this.parts.forEach((part) => part.show(structure));
    if (!this.parts.length) {
      draw(this.canvas, section(structure));
      this.canvas.setAttribute("aria-label", `Structure A: ${described(structure, this.names())}`);
    }
  }
}

/** The panel of A. */
export class StructurePanel {
  constructor({ space, map, names, store }) {
    Object.assign(this, { space, map, names, store });
    this.view = new StructureView({ space, names, store });
    this.facts = el("div", {});
    this.near = el("figure", { class: "near" });
    this.charts = el("div", { class: "charts" });
    this.decode = latest((signal, z) => space.decode([z], signal));
    this.place = latest((signal, z) => space.post("map", [z], {}, signal));
    this.measure = latest((signal, z) => space.post("statistics", [z], {}, signal));
  }

  /** Draw the structure of a point; while a slider moves nothing else is computed. */
  async show(z, settled) {
    const found = await attempt(() => this.decode(z));
    if (!found) return;
    this.view.show(found[0]);
    if (!settled) {
      this.showFacts(z, null);
      return;
    }
    await Promise.all([this.showPlace(z), this.showNearest(z)]);
    await this.showStatistics(z);
  }

  async showPlace(z) {
    const placed = await attempt(() => this.place(z));
    if (placed) this.showFacts(z, placed);
  }

  showFacts(z, placed) {
    const size = norm(z);
    const { radius } = this.space.about;
    const far = placed?.distance_from_data?.[0] ?? null;
    const [index, away] = nearest(this.map.z, z);
    this.facts.replaceChildren(facts([
      [`Volume fraction${this.space.phases > 2 ? ` of ${this.names()[1]}` : ""}`, placed ? number(placed.volume_fraction[0], 3) : "\u2026"],
      ...(placed && far === null ? [] : [["Distance from the data (1: their spacing)",
        placed ? `${distance(far)}${far > FAR ? ", far" : ""}` : "\u2026", far > FAR ? "bad" : ""]]),
      ["Norm of the point, and radius", `${number(size, 3)} of ${number(radius, 3)}`, size > radius ? "bad" : ""],
      [`Nearest ${this.space.point}`, away < 1e-9 ? `this is ${index}` : `${index}`],
    ]));
  }

  async showNearest(z) {
    const [index] = nearest(this.map.z, z);
    if (index === null) return;
    const found = await attempt(() => this.space.decode([this.map.z[index]]));
    if (!found || this.store.state.a !== z) return;
    const text = `Nearest ${this.space.point}, ${index}`;
    this.near.replaceChildren(picture(found[0], `${text}: ${described(found[0], this.names())}`),
      el("figcaption", {}, text));
  }

  async showStatistics(z) {
    this.charts.classList.add("waiting");
    const found = await attempt(() => this.measure(z));
    if (!found || this.store.state.a !== z) return;
    this.charts.classList.remove("waiting");
    const band = (name) => found.data?.[name];
    const surface = band("specific_surface");
    const chart = (name, title, yLabel) => el("figure", {}, el("figcaption", {}, title),
      lineChart({ title, values: found[name][0], band: band(name), xLabel: "distance, voxels", yLabel,
        text: describedLine(found[name][0], band(name)) }));
    this.charts.replaceChildren(
      chart("two_point", "Two-point statistics", "probability"),
      chart("lineal_path", "Lineal path", "probability"),
      el("p", { class: "note" }, `Of ${this.names().at(-1)}. Line: structure A.`,
        band("two_point") ? " Band: 90 % of the data, with the median." : "",
        ` Interface: ${number(found.specific_surface[0], 3)} per voxel`,
        surface ? ` (data ${number(surface[0], 3)} to ${number(surface[2], 3)}).` : "."));
  }
}

function describedLine(values, band) {
  const outside = band ? values.filter((v, i) => v < band[0][i] - 1e-9 || v > band[2][i] + 1e-9).length : 0;
  const text = `From ${number(values[0], 3)} at distance 0 to ${number(values.at(-1), 3)} at ${values.length - 1} voxels`;
  return band ? `${text}; outside the band of the data at ${outside} of ${values.length} distances` : text;
}
