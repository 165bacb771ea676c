// Candidates that a user keeps: shown again, exported, or the start of a campaign.

import { ask } from "./api.js";
import { attempt, button, count, download, el, field, say, select } from "./dom.js";
import { described, picture } from "./pictures.js";

/** Points as CSV that `start:` of a campaign reads: a header z00, z01, ..., one row a point. */
export function csvOfPoints(points) {
  const names = points[0].map((_, i) => `z${String(i).padStart(2, "0")}`);
  return `${[names, ...points].map((row) => row.join(",")).join("\n")}\n`;
}

/** The cart, kept for this tab. `onchange` is called with its points. */
export class Cart {
  constructor({ space, names, store, properties, onchange }) {
    Object.assign(this, { space, names, store, properties, onchange });
    this.key = `latentopt-cart-${space.id}`;
    this.items = this.kept();
    this.list = el("ul", { class: "cards" });
    this.empty = el("p", { class: "note" }, "Empty. Add structure A to keep it here.");
    this.format = select(space.about.formats.map((name) => [name, name]), "hdf5", () => {});
    this.csv = button("Download points (CSV)", () => this.savePoints());
    this.clear = button("Empty the cart", () => this.set([]));
    this.export = button("Export", () => this.saveFiles());
    this.element = el("div", {}, this.empty, this.list,
      el("div", { class: "row" }, field("Format", this.format), this.export, this.csv,
        this.clear),
      el("p", { class: "note" }, "A campaign begins with these points if its settings have ",
        el("code", {}, "start: points.csv"), "."));
    this.show();
  }

  kept() {
    try {
      return JSON.parse(sessionStorage.getItem(this.key) ?? "[]")
        .filter((z) => Array.isArray(z) && z.length === this.space.dim);
    } catch {
      return [];
    }
  }

  add(z) {
    if (this.items.some((item) => item.join() === z.join())) {
      say("The cart has this structure already.");
      return;
    }
    this.set([...this.items, z]);
    say(`The cart has ${count(this.items.length, "structure")}.`);
  }

  set(items) {
    this.items = items;
    sessionStorage.setItem(this.key, JSON.stringify(items));
    this.show();
  }

  async show() {
    this.empty.hidden = this.items.length > 0;
    for (const one of [this.csv, this.export, this.clear]) one.disabled = this.items.length === 0;
    this.onchange(this.items);
    const found = await attempt(() => this.space.decode(this.items));
    if (!found || found.length !== this.items.length) return;
    this.list.replaceChildren(...found.map((structure, i) => this.card(structure, this.items[i], i)));
  }

  card(structure, z, i) {
    const name = `Candidate ${i + 1}`;
    return el("li", { class: "card" }, picture(structure, `${name}: ${described(structure, this.names())}`),
      el("span", {}, name), el("div", { class: "row" },
        button("Show", () => this.store.put({ a: z }), { "aria-label": `Show ${name}` }),
        button("Remove", () => this.set(this.items.filter((item) => item !== z)), { "aria-label": `Remove ${name}` })));
  }

  savePoints() {
    download("points.csv", csvOfPoints(this.items), "text/csv");
  }

  async saveFiles() {
    this.export.disabled = true;
    await attempt(async () => {
      const format = this.format.value;
      for (let i = 0; i < this.items.length; i += this.space.rows) {
        const json = { z: this.items.slice(i, i + this.space.rows), format, phase_names: this.names(), ...this.properties.grid() };
        const answer = await ask(this.space.route("export"), { json, accept: "application/zip" });
        const part = this.items.length > this.space.rows ? `-${i / this.space.rows + 1}` : "";
        download(`latentopt-${this.space.id}-${format}${part}.zip`, await answer.arrayBuffer(), "application/zip");
      }
      say(`Exported ${count(this.items.length, "structure")} as ${format}.`);
    });
    this.export.disabled = this.items.length === 0;
  }
}
