// A structure moved towards those that a diffusion model was trained on.

import { askJson } from "./api.js";
import { attempt, button, el, field, number } from "./dom.js";
import { described, picture } from "./pictures.js";

/** The panel of a space that refines. */
export class Refining {
  constructor({ space, names, store }) {
    Object.assign(this, { space, names, store });
    this.strength = el("input", { type: "range", min: 0, max: 1, step: 0.05, value: 0.1 });
    this.go = button("Refine A", () => this.run());
    this.found = el("div", { class: "pair", "aria-live": "polite" });
    this.element = el("div", {},
      el("div", { class: "row" }, field("Strength of refining", this.strength), this.go), this.found);
    store.follow((state, old) => { if (state.a !== old.a) this.found.replaceChildren(); });
  }

  async run() {
    const { a } = this.store.state;
    this.go.disabled = true;
    await attempt(async () => {
      const query = new URLSearchParams({ strength: this.strength.value });
      const { images } = await askJson(`${this.space.route("refine")}?${query}`, { json: { z: [a] } });
      const [before] = await this.space.decode([a]);
      const refined = { shape: this.space.sides, data: phasesOf(images[0]) };
      const same = refined.data.reduce((n, phase, i) => n + (phase === before.data[i]), 0);
      if (this.store.state.a !== a) return;
      this.found.replaceChildren(el("figure", {},
        picture(refined, `Structure A, refined: ${described(refined, this.names())}`),
        el("figcaption", {}, `Refined; ${number((100 * same) / refined.data.length, 3)} % of the voxels keep their phase`)));
    });
    this.go.disabled = false;
  }
}

/** Phases of a decoded image (c, *space): above one half, or the channel that is largest. */
function phasesOf(channels) {
  const values = channels.map((channel) => channel.flat(Infinity));
  if (values.length === 1) return Uint8Array.from(values[0], (value) => (value > 0.5 ? 1 : 0));
  return Uint8Array.from(values[0], (_, i) =>
    values.reduce((best, channel, k) => (channel[i] > values[best][i] ? k : best), 0));
}
