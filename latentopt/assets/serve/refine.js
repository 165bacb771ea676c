// A structure moved towards those that a diffusion model was trained on.

import { attempt, button, el, field, number } from "./dom.js";
import { described, picture } from "./pictures.js";

const SEED = 0; // of the noise that refining adds

/** The panel of a space that refines. `onkeep(z, refined)` is told what a user puts into the cart. */
export class Refining {
  constructor({ space, names, store, onkeep }) {
    Object.assign(this, { space, names, store, onkeep });
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
      const how = { strength: Number(this.strength.value), seed: SEED };
      const [before] = await this.space.decode([a]);
      const refined = await this.space.refine(a, how);
      const same = refined.data.reduce((n, phase, i) => n + (phase === before.data[i]), 0);
      if (this.store.state.a !== a) return;
      this.found.replaceChildren(el("figure", {},
        picture(refined, `Structure A, refined: ${described(refined, this.names())}`),
        el("figcaption", {}, `Refined; ${number((100 * same) / refined.data.length, 3)} % of the voxels keep their phase`)),
      button("Add the refined one to the cart", () => this.onkeep(a, how)));
    });
    this.go.disabled = false;
  }
}
