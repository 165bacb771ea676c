// Effective properties and manufacturability margins: computed when they are asked for.

import { attempt, button, el, field, number, say, select, table, unitText } from "./dom.js";

const PRESETS = [
  ["sizes", "walls and gaps of a least size"],
  ["laser_powder_bed", "laser powder bed (metal)"],
  ["vat_photopolymer", "vat photopolymer (resin)"],
  ["resin_transfer_fibre", "fibres for resin transfer"],
  ["sintered_ceramic", "sintered ceramic"],
];

const KINDS = {
  effective_conductivity: "effective conductivity",
  effective_stiffness: "effective stiffness",
  manufacturability: "manufacturability margins",
};

/** The form of what phases and process are, and the table of what was computed. */
export class Properties {
  constructor({ space, names, store }) {
    Object.assign(this, { space, names, store });
    const phases = Array.from({ length: space.phases }, (_, k) => k);
    const last = space.phases - 1;
    const each = (low, high) => phases.map((k) => low + ((high - low) * k) / last);
    this.voxel = numeric(1, { min: 0.001, step: "any" });
    this.least = numeric(3, { min: 0.001, step: "any" });
    this.conductivity = each(1, 50).map((v) => numeric(v, { min: 0, step: "any" }));
    this.young = each(3, 70).map((v) => numeric(v, { min: 0, step: "any" }));
    this.poisson = each(0.35, 0.22).map((v) => numeric(Number(v.toFixed(3)), { min: -0.9, max: 0.49, step: "any" }));
    this.preset = select(PRESETS, "sizes", () => { this.least.disabled = this.preset.value !== "sizes"; });
    this.periodic = el("input", { type: "checkbox", checked: true });
    this.kinds = Object.entries(KINDS).map(([kind, text]) => {
      const box = el("input", { type: "checkbox", value: kind, checked: true });
      return { kind, box, element: el("label", { class: "check" }, box, text) };
    });
    this.found = el("div", { "aria-live": "polite" });
    this.compute = button("Compute properties of A", () => this.run(), { class: "main" });
    this.element = el("div", {},
      el("div", { class: "row" }, ...this.kinds.map((kind) => kind.element), this.compute),
      el("details", {}, el("summary", {}, "Phases, voxel size and process"), this.form(phases)),
      this.found);
    store.follow((state, old) => { if (state.a !== old.a) this.forget(); });
  }

  form(phases) {
    const rows = phases.map((k) => el("tr", {}, el("th", { scope: "row", "data-phase": k }, this.names()[k]),
      ...[[this.conductivity, "Conductivity"], [this.young, "Young's modulus"], [this.poisson, "Poisson's ratio"]].map(
        ([inputs, text]) => { inputs[k].setAttribute("aria-label", `${text} of phase ${k}`); return el("td", {}, inputs[k]); })));
    const head = ["Phase", "Conductivity, W/(m K)", "Young's modulus, GPa", "Poisson's ratio"];
    return el("div", { class: "form" },
      el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Properties of the phases" },
        el("table", { class: "inputs" },
          el("thead", {}, el("tr", {}, ...head.map((text) => el("th", { scope: "col" }, text)))),
          el("tbody", {}, ...rows))),
      el("div", { class: "row" }, field("Voxel edge, \u00b5m", this.voxel),
        field("Process", this.preset), field("Least size, \u00b5m", this.least),
        el("label", { class: "check" }, this.periodic, "periodic")));
  }

  /** What a voxel measures, as requests say it. */
  grid() {
    return { voxel_size_um: Number(this.voxel.value), periodic: this.periodic.checked };
  }

  /** Objectives as requests list them. */
  specs(kinds) {
    const values = (inputs) => inputs.map((input) => Number(input.value));
    const least = Number(this.least.value);
    const all = {
      effective_conductivity: { conductivity: values(this.conductivity) },
      effective_stiffness: { young: values(this.young), poisson: values(this.poisson) },
      manufacturability: {
        rules: this.preset.value === "sizes"
          ? [{ kind: "min_solid", limit_um: least }, { kind: "min_void", limit_um: least }]
          : this.preset.value,
      },
    };
    return kinds.map((kind) => ({ kind, ...all[kind] }));
  }

  /** Rows of values of points, and units. */
  async score(z, kinds, signal) {
    return this.space.post("score", z, { objectives: this.specs(kinds), ...this.grid() }, signal);
  }

  async run() {
    const { a } = this.store.state;
    const kinds = this.kinds.filter((kind) => kind.box.checked).map((kind) => kind.kind);
    if (!a || !kinds.length) {
      say(a ? "Choose a property to compute." : "Choose a structure on the map first.");
      return;
    }
    this.compute.disabled = true;
    this.found.replaceChildren(el("p", { class: "note" }, "Computing\u2026"));
    const answer = await attempt(() => this.score([a], kinds));
    this.compute.disabled = false;
    if (this.store.state.a !== a) return;
    this.found.replaceChildren(...(answer ? this.shown(answer) : []));
  }

  shown({ rows: [{ metrics, problem }], units }) {
    const rows = Object.entries(metrics).map(([name, value]) => [
      name,
      el("span", { class: name.endsWith("_margin") && value < 0 ? "bad" : "" },
        number(value) + (name.endsWith("_margin") ? (value < 0 ? " missed" : " met") : "")),
      unitText(units[name]),
    ]);
    return [
      problem ? el("p", { class: "warn" }, problem) : null,
      rows.length ? table(["Property", "Value", "Unit"], rows, "Properties of structure A") : null,
    ].filter(Boolean);
  }

  forget() {
    this.found.replaceChildren();
  }
}

function numeric(value, attributes) {
  return el("input", { type: "number", value, ...attributes });
}
