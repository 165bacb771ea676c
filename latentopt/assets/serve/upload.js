// A user's own image: read and encoded by the service, placed on the map, beside its reconstruction.

import { ask } from "./api.js";
import { attempt, count, el, field, number, say, select } from "./dom.js";
import { described, picture } from "./pictures.js";

const GREY = [
  ["auto", "told from the values"],
  ["otsu", "two phases, cut by Otsu's threshold"],
  ["labels", "labels of phases"],
  ["keep", "share of phase 1"],
];

/** The panel to choose a file, or to drop one anywhere on the page. */
export class Upload {
  constructor({ space, names, store }) {
    Object.assign(this, { space, names, store });
    this.file = el("input", { type: "file", onchange: () => this.read(this.file.files[0]) });
    this.grey = select(GREY, "auto", () => {});
    this.found = el("div", { class: "pair" });
    const shape = space.sides.join(" by ");
    this.element = el("div", {},
      el("p", { class: "note" }, space.about.encodes
        ? `Choose an image of ${shape} voxels, or drop it on the page: PNG, TIFF, NPY, HDF5, VTI and others.`
        : "This space has no encoder, so it reads no images."),
      el("div", { class: "row" }, field("File", this.file), field("Grey values are", this.grey)),
      this.found);
    this.file.disabled = !space.about.encodes;
    document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
    document.addEventListener("dragleave", () => document.body.classList.remove("dropping"));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      document.body.classList.remove("dropping");
      if (event.dataTransfer.files.length) this.read(event.dataTransfer.files[0]);
    });
  }

  async read(file) {
    if (!file) return;
    say(`Reading ${file.name}\u2026`);
    await attempt(async () => {
      const query = new URLSearchParams({ grey: this.grey.value, phases: "true" });
      const answer = await ask(`${this.space.route("encode")}?${query}`, { body: await file.arrayBuffer() });
      const { z, phases } = await answer.json();
      const original = { shape: this.space.sides, data: Uint8Array.from(phases[0].flat(Infinity)) };
      const [again] = await this.space.decode([z[0]]);
      this.compare(original, again);
      say(`${file.name} is structure A now${z.length > 1 ? `, the first of ${count(z.length, "image")}` : ""}.`);
      this.store.put({ a: z[0] });
    });
  }

  compare(original, again) {
    const other = original.data.reduce((n, phase, i) => n + (phase !== again.data[i]), 0);
    const share = other / original.data.length;
    const figure = (structure, text) => el("figure", {},
      picture(structure, `${text}: ${described(structure, this.names())}`), el("figcaption", {}, text));
    this.found.replaceChildren(figure(original, "Your image"), figure(again, "Its reconstruction"),
      el("p", {}, `${number(100 * (1 - share), 3)} % of the voxels have the same phase.`));
  }
}
