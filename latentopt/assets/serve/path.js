// The path from A to B as a film strip, each structure with its figures.

import { askJson, latest } from "./api.js";
import { attempt, distance, el, field, number, select } from "./dom.js";
import { described, picture } from "./pictures.js";

const FRAMES = 9;

/** The strip. `onpoints` is told the points of the path, for the map. */
export class PathPanel {
  constructor({ space, names, store, onpoints }) {
    Object.assign(this, { space, names, store, onpoints, how: "slerp" });
    this.strip = el("ol", { class: "strip", tabindex: "0", "aria-label": "Structures from A to B" });
    const choice = select([["slerp", "arc (norm kept)"], ["linear", "straight line"]], "slerp", (how) => {
      this.how = how;
      this.show(store.state, true);
    });
    this.hint = el("p", { class: "note" }, "Choose A with a click and B with Shift and a click, or with the button \u201cSet as B\u201d.");
    this.element = el("div", {}, this.hint, el("div", { class: "row" }, field("Way", choice)), this.strip);
    this.find = latest(async (signal, a, b, how) => {
      const json = { a, b, n: FRAMES, how };
      const { z } = await askJson(space.route("interpolate"), { json, signal });
      const structures = await space.decode(z, signal);
      const placed = [];
      for (let i = 0; i < z.length; i += space.rows) {
        const part = await space.post("map", z.slice(i, i + space.rows), {}, signal);
        placed.push(...part.volume_fraction.map((fraction, k) => ({
          fraction, far: part.distance_from_data?.[k], axes: part.axes[k], structure: part.structure[k],
        })));
      }
      return { z, structures, placed };
    });
  }

  async show({ a, b }, changed) {
    this.element.parentElement.classList.toggle("idle", !b);
    this.hint.hidden = Boolean(b);
    if (!a || !b) {
      this.strip.replaceChildren();
      this.onpoints([]);
      return;
    }
    if (!changed) return;
    const found = await attempt(() => this.find(a, b, this.how));
    if (!found) return;
    this.onpoints(found.placed);
    this.strip.replaceChildren(...found.z.map((z, i) => this.frame(z, found.structures[i], found.placed[i], i)));
  }

  frame(z, structure, { fraction, far }, i) {
    const name = i === 0 ? "A" : i === FRAMES - 1 ? "B" : `${i + 1} of ${FRAMES}`;
    const figures = [`fraction ${number(fraction, 3)}`, ...(far === null || far === undefined ? [] : [`distance ${distance(far)}`])];
    return el("li", {}, el("button", { type: "button", class: "frame", title: "Make it structure A",
      onclick: () => this.store.put({ a: z }) },
    picture(structure, described(structure, this.names())),
    el("span", {}, name), ...figures.map((text) => el("small", {}, text))));
  }
}
