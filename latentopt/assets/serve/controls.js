// Ways to move: the principal axes as sliders, and new points with what a space can be asked for.

import { askJson } from "./api.js";
import { attempt, button, el, field, number, select } from "./dom.js";

const AXES = 12;
const REACH = 4; // standard deviations to each side

/** Sliders of the first principal axes of A. */
export class Axes {
  constructor({ space, store }) {
    Object.assign(this, { store });
    this.sliders = Array.from({ length: Math.min(AXES, space.dim) }, (_, i) => {
      const output = el("span", {});
      const input = el("input", { type: "range", min: -REACH, max: REACH, step: 0.02, value: 0,
        oninput: () => this.move(i, false), onchange: () => this.move(i, true) });
      return { input, output, element: el("label", { class: "slider" },
        el("span", {}, `Axis ${i + 1}: `, output), input) };
    });
    this.start = Array.from({ length: space.dim }, () => 0);
    this.element = el("div", { class: "sliders" }, ...this.sliders.map((slider) => slider.element));
  }

  move(i, settled) {
    const z = [...(this.store.state.a ?? this.start)];
    z[i] = Number(this.sliders[i].input.value);
    if (settled) this.store.put({ a: z });
    else this.store.preview({ a: z });
  }

  show(z) {
    this.sliders.forEach(({ input, output }, i) => {
      const value = z?.[i] ?? 0;
      if (Math.abs(value) > Number(input.max)) [input.min, input.max] = [-Math.ceil(Math.abs(value)), Math.ceil(Math.abs(value))];
      // Chromium sends no "change" for a value that a script has set while it was dragged.
      if (Number(input.value) !== value) input.value = value;
      output.textContent = number(value, 3);
    });
  }
}

/** New points, of a class and with properties where the space knows any. */
export class Sampling {
  constructor({ space, store }) {
    Object.assign(this, { space, store, seed: Math.floor(Math.random() * 1e6) });
    const { classes, properties } = space.about;
    this.kind = classes.length
      ? select([["", "any"], ...classes.map((name) => [name, name])], "", () => {}) : null;
    this.properties = Object.entries(properties).map(([name, { low, high }]) => {
      const middle = (low + high) / 2;
      const output = el("span", {}, "any");
      const input = el("input", { type: "range", min: low, max: high, step: (high - low) / 100, value: middle,
        disabled: true, oninput: () => { output.textContent = number(Number(input.value), 3); } });
      const box = el("input", { type: "checkbox", "aria-label": `Ask for ${name}`, onchange: () => {
        input.disabled = !box.checked;
        output.textContent = box.checked ? number(Number(input.value), 3) : "any";
      } });
      return { name, box, input, element: el("div", { class: "wish" }, box,
        el("label", { class: "slider" }, el("span", {}, `${name.replaceAll("_", " ")}: `, output), input)) };
    });
    const asks = this.kind !== null || this.properties.length > 0;
    this.element = el("div", { class: "row" },
      this.kind ? field("Class", this.kind) : null,
      ...this.properties.map((property) => property.element),
      button(asks ? "Draw a structure with these" : "Draw a random structure", () => this.draw()));
  }

  async draw() {
    const wish = Object.fromEntries(this.properties.filter(({ box }) => box.checked)
      .map(({ name, input }) => [name, Number(input.value)]));
    this.seed += 1;
    const json = { n: 1, seed: this.seed, class_name: this.kind?.value || null, properties: wish };
    const found = await attempt(() => askJson(this.space.route("sample"), { json }));
    if (found) this.store.put({ a: found.z[0] });
  }
}
