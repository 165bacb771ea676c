// What the strategy's model has learned: computed on demand, as it takes seconds.

import { askJson } from "./api.js";
import { scatter } from "./charts.js";
import { attempt, button, el, number, table } from "./dom.js";

const INPUTS = 8; // with the largest shares

/** The panel of one campaign. */
export class RunModel {
  constructor(id, element) {
    this.id = id;
    this.answer = el("div", {});
    this.ask = button("Fit the model to the trials so far", () => this.fit());
    element.replaceChildren(this.ask, this.answer);
  }

  async fit() {
    this.ask.disabled = true;
    this.answer.replaceChildren(el("p", { class: "note", role: "status" }, "The model is being fitted\u2026"));
    const found = await attempt(() => askJson(`/v1/runs/${encodeURIComponent(this.id)}/model`));
    this.ask.disabled = false;
    this.answer.replaceChildren(...(found ? contents(found) : []));
  }
}

function contents({ reason, fits, importances, gains }) {
  const parts = reason ? [el("p", { class: "note" }, reason)] : [];
  parts.push(el("div", { class: "fits" }, ...Object.entries(fits).map(([name, fit]) =>
    el("div", {}, el("h3", {}, name), fitChart(name, fit),
      importances[name] ? inputs(name, importances[name]) : null))));
  if (Object.keys(fits).length) {
    parts.push(el("p", { class: "note" }, "Each completed trial is predicted from all others. R2 is the share of variance "
      + "that the predictions explain: 1 is exact, 0 no better than the mean."));
  }
  if (gains.length) parts.push(el("h3", {}, "Expected gain"), gainChart(gains));
  return parts;
}

function fitChart(name, { observed, predicted, trials, explained }) {
  const ends = [Math.min(...observed), Math.max(...observed)];
  const points = observed.map((x, i) => ({ x, y: predicted[i], kind: "", index: trials[i],
    label: `Trial ${trials[i]}: ${number(x)}, predicted ${number(predicted[i])}` }));
  const text = `R2 is ${number(explained, 2)} over ${points.length} trials`;
  return el("figure", {}, scatter({ title: `Predicted over measured ${name}`, text, points,
    lines: [{ kind: "thin", points: ends.map((value) => [value, value]) }], xLabel: "measured", yLabel: "predicted" }),
  el("figcaption", {}, `${text}.`));
}

function inputs(name, shares) {
  const ranked = Object.entries(shares).sort((a, b) => b[1] - a[1]);
  const rows = ranked.slice(0, INPUTS).map(([input, share]) => [input, `${number(100 * share, 2)} %`]);
  const rest = ranked.slice(INPUTS).reduce((sum, [, share]) => sum + share, 0);
  if (rest > 0) rows.push([`${ranked.length - INPUTS} others`, `${number(100 * rest, 2)} %`]);
  return table(["Input of the model", "Share"], rows, `Importance of inputs for ${name}`);
}

function gainChart(gains) {
  const points = gains.map(({ trial, gain }) => ({ x: trial, y: gain, kind: "", index: trial,
    label: `Before trial ${trial}: ${number(gain)}` }));
  const text = `The last one is ${number(gains.at(-1).gain, 3)}`;
  return el("figure", {}, scatter({ title: "Gain that was expected of new points", text, points, whole: true,
    lines: [{ kind: "", points: points.map((p) => [p.x, p.y]) }], xLabel: "trial", yLabel: "expected gain" }));
}
