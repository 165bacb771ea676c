// Candidates that a user keeps: shown again, exported, or the start of a campaign. Each is a point, and
// how its structure was refined, if it was.

import { ask } from "./api.js";
import { attempt, button, count, download, el, field, number, say, select } from "./dom.js";
import { described, picture } from "./pictures.js";

/** Points as CSV that `start:` of a campaign reads: a header z00, z01, ..., one row a point. */
export function csvOfPoints(points) {
  const names = points[0].map((_, i) => `z${String(i).padStart(2, "0")}`);
  return `${[names, ...points].map((row) => row.join(",")).join("\n")}\n`;
}

/** What was kept for a tab, as far as it makes sense. */
function itemOf({ z, refined } = {}, dim) {
  const isPoint = Array.isArray(z) && z.length === dim && z.every((value) => Number.isFinite(value));
  const isRefined = Number.isFinite(refined?.strength) && Number.isFinite(refined?.seed);
  return isPoint && (isRefined || !refined) ? { z, refined: refined ?? null } : null;
}

/** The cart, kept for this tab. `onchange` is called when it has other candidates. */
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
    this.note = el("p", { class: "note" }, "Points are those before refining: a campaign decodes them anew.");
    this.element = el("div", {}, this.empty, this.list,
      el("div", { class: "row" }, field("Format", this.format), this.export, this.csv,
        this.clear),
      el("p", { class: "note" }, "A campaign begins with these points if its settings have ",
        el("code", {}, "start: points.csv"), "."), this.note);
    this.show();
  }

  kept() {
    try {
      return JSON.parse(sessionStorage.getItem(this.key) ?? "[]")
        .map((kept) => itemOf(kept ?? {}, this.space.dim)).filter(Boolean);
    } catch {
      return [];
    }
  }

  add(z, refined = null) {
    const [text, item] = [JSON.stringify({ z, refined }), { z, refined }];
    if (this.items.some((one) => JSON.stringify(one) === text)) {
      say("The cart has this structure already.");
      return;
    }
    this.set([...this.items, item]);
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
    this.note.hidden = !this.items.some((item) => item.refined);
    this.onchange();
    const { items } = this;
    const found = await attempt(() => this.structures(items));
    if (!found || this.items !== items) return;
    this.list.replaceChildren(...found.map((structure, i) => this.card(structure, items[i], i)));
  }

  async structures(items) {
    await this.space.decode(items.filter((item) => !item.refined).map((item) => item.z)); // together
    const found = [];
    for (const { z, refined } of items) {
      found.push(refined ? await this.space.refine(z, refined) : (await this.space.decode([z]))[0]);
    }
    return found;
  }

  card(structure, item, i) {
    const name = `Candidate ${i + 1}`;
    const how = item.refined ? `, refined by ${number(item.refined.strength)}` : "";
    return el("li", { class: "card" }, picture(structure, `${name}${how}: ${described(structure, this.names())}`),
      el("span", {}, `${name}${how}`), el("div", { class: "row" },
        button("Show", () => this.store.put({ a: item.z }), { "aria-label": `Show ${name}` }),
        button("Remove", () => this.set(this.items.filter((one) => one !== item)), { "aria-label": `Remove ${name}` })));
  }

  savePoints() {
    download("points.csv", csvOfPoints(this.items.map((item) => item.z)), "text/csv");
  }

  async saveFiles() {
    this.export.disabled = true;
    await attempt(async () => {
      const format = this.format.value;
      for (let i = 0; i < this.items.length; i += this.space.rows) {
        const part = this.items.slice(i, i + this.space.rows);
        const json = { z: part.map((item) => item.z), format, phase_names: this.names(), ...this.properties.grid() };
        if (part.some((item) => item.refined)) json.refine = part.map((item) => item.refined);
        const answer = await ask(this.space.route("export"), { json, accept: "application/zip" });
        const which = this.items.length > this.space.rows ? `-${i / this.space.rows + 1}` : "";
        download(`latentopt-${this.space.id}-${format}${which}.zip`, await answer.arrayBuffer(), "application/zip");
      }
      say(`Exported ${count(this.items.length, "structure")} as ${format}.`);
    });
    this.export.disabled = this.items.length === 0;
  }
}
