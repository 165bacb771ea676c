// Charts of campaigns: best so far, the trade-off between objectives, metrics side by side.

import { parallel, scatter } from "./charts.js";
import { count, el, number } from "./dom.js";
import { objectivesOf, unitOf } from "./verdict.js";

const LINES = ["", "second", "third"]; // of campaigns that are compared

function completed(trials) {
  return trials.filter((trial) => trial.status === "completed" && trial.values?.every((v) => v !== null));
}

function kindOf(trial) {
  return trial.feasible ? "" : "broken";
}

function labelOf(trial, objectives) {
  const values = trial.values.map((v, i) => `${objectives[i]} = ${number(v)}`).join(", ");
  return `Trial ${trial.index}: ${values}${trial.feasible ? "" : ", breaks a constraint"}`;
}

/** Values of the first objective, and the best feasible one up to each trial, of each campaign. */
export function bestSoFar(campaigns, handlers) {
  const [{ told, trials }] = campaigns;
  const [objective] = objectivesOf(told.status.objective);
  const unit = unitOf(objective, told.units);
  const objectives = objectivesOf(told.status.objective);
  const lines = campaigns.map((campaign, k) => ({ kind: LINES[k % LINES.length], points: steps(campaign.trials) }));
  const points = completed(trials).map((trial) => ({ x: trial.index, y: trial.values[0],
    kind: kindOf(trial), label: labelOf(trial, objectives), index: trial.index }));
  const best = lines[0].points.at(-1);
  if (!points.length) return el("p", { class: "note" }, "No trial has completed yet.");
  const text = best ? `Best feasible value ${number(best[1])} after ${count(trials.length, "trial")}`
    : "No trial meets every constraint";
  return el("figure", {}, scatter({ title: `Best so far of ${objective}`, text, points,
    lines: lines.filter((line) => line.points.length), xLabel: "trial",
    yLabel: unit ? `${objective}, ${unit}` : objective, whole: true, ...handlers }),
  key([["dot", "meets every constraint"], ["cross", "breaks a constraint"],
    ...campaigns.map((campaign, k) => [`line ${LINES[k % LINES.length]}`,
      campaigns.length > 1 ? `best of ${campaign.id}` : "best so far"])]));
}

function steps(trials) {
  const points = [];
  let best = -Infinity;
  for (const trial of completed(trials)) {
    if (trial.feasible && trial.values[0] > best) {
      if (points.length) points.push([trial.index, best]);
      best = trial.values[0];
      points.push([trial.index, best]);
    }
  }
  if (points.length) points.push([trials.at(-1).index, best]);
  return points;
}

/** The first two objectives of every trial, those of the front joined. */
export function front(campaigns, handlers) {
  const [{ told, trials }] = campaigns;
  const objectives = objectivesOf(told.status.objective);
  const members = new Set(told.front);
  const done = completed(trials);
  const points = done.map((trial) => ({ x: trial.values[0], y: trial.values[1], index: trial.index,
    kind: members.has(trial.index) ? "front" : kindOf(trial), focus: members.has(trial.index),
    label: `${labelOf(trial, objectives)}${members.has(trial.index) ? ", on the front" : ""}` }));
  const lines = campaigns.map((one, k) => ({ kind: LINES[k % LINES.length], points: lineOf(one) }));
  const axis = (i) => [objectives[i], unitOf(objectives[i], told.units)].filter(Boolean).join(", ");
  return el("figure", {}, scatter({ title: "Pareto front", text: `${count(members.size, "trial")} on the front`, points,
    lines: lines.filter((line) => line.points.length), xLabel: axis(0), yLabel: axis(1), ...handlers }),
  key([["diamond", "on the front"], ["dot", "surpassed"], ["cross", "breaks a constraint"],
    ...(campaigns.length > 1 ? campaigns.map((one, k) => [`line ${LINES[k % LINES.length]}`, `front of ${one.id}`]) : [])]),
  el("p", { class: "note" }, "Larger is better on both axes. Tab goes along the front; Enter shows a structure."));
}

/** The front of a campaign, by its first objective. */
function lineOf({ told, trials }) {
  const members = new Set(told.front);
  return completed(trials).filter((trial) => members.has(trial.index))
    .map((trial) => trial.values.slice(0, 2)).sort((a, b) => a[0] - b[0]);
}

/** One line a trial over its metrics. */
export function metricsChart({ told, trials }) {
  const done = completed(trials);
  const names = [...new Set(done.flatMap((trial) => Object.keys(trial.metrics)))];
  const best = new Set(told.front.length ? told.front : told.status.best.slice(0, 1).map((b) => b.trial));
  const rows = done.map((trial) => ({ values: names.map((name) => trial.metrics[name] ?? NaN), label: `Trial ${trial.index}`,
    kind: best.has(trial.index) ? "best" : kindOf(trial) }));
  rows.sort((a, b) => (a.kind === "best") - (b.kind === "best")); // the best are drawn on top
  const chart = parallel({ title: "Metrics of all trials", axes: names, rows,
    text: `${count(rows.length, "trial")} over ${names.join(", ")}. The table below has the numbers.` });
  const region = { class: "scroll", tabindex: "0", role: "region", "aria-label": "Chart of metrics" };
  return el("figure", {}, el("div", region, chart),
    key([["line thin best", best.size > 1 ? "on the front" : "best trial"],
      ["line", "meets every constraint"], ["line grey", "breaks a constraint"]]));
}

function key(entries) {
  const marks = {
    dot: () => el("circle", { class: "mark", cx: 12, cy: 7, r: 4 }),
    cross: () => el("path", { class: "mark broken", d: "M8 3L16 11M8 11L16 3" }),
    diamond: () => el("path", { class: "mark front", d: "M12 1L18 7L12 13L6 7Z" }),
  };
  const mark = (kind) => marks[kind]?.() ?? el("path", { class: kind, d: "M0 7L24 7" });
  return el("ul", { class: "legend" }, ...entries.map(([kind, text]) => el("li", {},
    el("svg", { class: "chart sign", width: 24, height: 14, "aria-hidden": "true" }, mark(kind)), ` ${text}`)));
}
