// Ways to move: the principal axes as sliders, and new points with what a space can be asked for.

import { askJson } from "./api.js";
import { attempt, button, el, field, number, select } from "./dom.js";

const AXES = 12;
const REACH = 4; // standard deviations to each side

/** Sliders of the first principal axes of A, and of what a model learned to control. */
export class Axes {
  constructor({ space, store }) {
    Object.assign(this, { store });
    this.start = Array.from({ length: space.dim }, () => 0);
    const controls = space.about.controls ?? [];
    const [named, kinds] = [controls.filter((one) => !one.categories), controls.filter((one) => one.categories)];
    const names = new Map(named.map((one) => [one.numbers[0], `${one.name}${meaningOf(one)}`]));
    const first = Array.from({ length: Math.min(AXES, space.dim) }, (_, i) => i);
    const places = [...names.keys(), ...first.filter((i) => !names.has(i) && !kinds.some((one) => one.numbers.includes(i)))];
    this.sliders = places.map((i) => this.slider(i, names.get(i) ?? `Axis ${i + 1}`));
    this.kinds = kinds.map((one) => this.kind(one));
    this.element = el("div", {},
      kinds.length ? el("div", { class: "row" }, ...this.kinds.map((kind) => kind.element)) : null,
      el("div", { class: "sliders" }, ...this.sliders.map((slider) => slider.element)));
  }

  slider(place, name) {
    const value = el("span", {});
    const input = el("input", { type: "range", min: -REACH, max: REACH, step: 0.02, value: 0,
      oninput: () => this.move(place, Number(input.value), false),
      onchange: () => this.move(place, Number(input.value), true) });
    return { place, input, value, element: el("label", { class: "slider" }, el("span", {}, `${name}: `, value), input) };
  }

  /** A category is that of the largest of its numbers, so another one exchanges two of them. */
  kind({ name, numbers }) {
    const chosen = select(numbers.map((_, k) => [String(k), String(k + 1)]), "0", (text) => {
      const z = [...(this.store.state.a ?? this.start)];
      const [from, to] = [numbers[largest(numbers, z)], numbers[Number(text)]];
      [z[from], z[to]] = [z[to], z[from]];
      this.store.put({ a: z });
    });
    return { numbers, chosen, element: field(name, chosen) };
  }

  move(place, value, settled) {
    const z = [...(this.store.state.a ?? this.start)];
    z[place] = value;
    if (settled) this.store.put({ a: z });
    else this.store.preview({ a: z });
  }

  show(z) {
    for (const { place, input, value } of this.sliders) {
      const far = Math.ceil(Math.abs(z[place]));
      if (far > Number(input.max)) [input.min, input.max] = [-far, far];
      // Chromium sends no "change" for a value that a script has set while it was dragged.
      if (Number(input.value) !== z[place]) input.value = z[place];
      value.textContent = number(z[place], 3);
    }
    for (const { numbers, chosen } of this.kinds) chosen.value = String(largest(numbers, z));
  }
}

function largest(numbers, z) {
  return numbers.reduce((best, place, k) => (z[place] > z[numbers[best]] ? k : best), 0);
}

/** The property that a control changes most, if it was measured. */
function meaningOf({ spearman }) {
  const [name, value] = Object.entries(spearman ?? {}).filter(([, rank]) => rank !== null)
    .sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]))[0] ?? [];
  return value === undefined || Math.abs(value) < 0.3 ? ""
    : ` (${name.replaceAll("_", " ")} ${value > 0 ? "rises" : "falls"})`;
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
