// Telling a campaign to end or to go on, where the service was started with --control.

import { askJson } from "./api.js";
import { attempt, button, count, el, field, say, sentence } from "./dom.js";

/** The panel of one campaign. */
export class RunControl {
  constructor(id, element) {
    Object.assign(this, { id, element, shown: "" });
  }

  /** Show what may be told now; nothing is drawn anew while it stays the same. */
  show({ control, problem, status }) {
    const running = status.driver !== null;
    const state = JSON.stringify([control, problem, running, status.trials]);
    if (state === this.shown) return;
    this.shown = state;
    this.element.replaceChildren();
    if (!control) return;
    if (problem) this.element.append(el("p", { class: "bad", role: "alert" }, `It could not go on: ${problem}`));
    this.element.append(running ? this.ending() : this.goingOn(status.trials));
  }

  ending() {
    return button("End when what is under way has ended", async () => {
      if (!confirm(`Have ${this.id} finish what is under way, and end? It can go on later.`)) return;
      const told = await this.tell("drain", {});
      if (told) say(`${sentence(told.told)} was told to end.`);
    });
  }

  goingOn(trials) {
    const more = el("input", { type: "number", min: 1, step: 1, value: trials + 10, required: true });
    return el("form", { class: "row", onsubmit: async (event) => {
      event.preventDefault();
      const wanted = more.valueAsNumber;
      if (!confirm(`Start a process here that goes on with ${this.id} to ${count(wanted, "evaluation")} in all?`)) return;
      if (await this.tell("trials", { trials: wanted })) say("A process was started; its first points may take a while.");
    } }, field("Evaluations in all", more), el("button", {}, "Go on"));
  }

  tell(what, content) {
    const path = `/v1/runs/${encodeURIComponent(this.id)}/${what}`;
    return attempt(() => askJson(path, { json: { confirm: this.id, ...content } }));
  }
}
