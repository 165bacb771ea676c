// A campaign in words: what came of it, what runs, what failed.

import { count, duration, number, sentence, unitText } from "./dom.js";

/** The objectives of a string, parted at the commas outside of brackets. */
export function objectivesOf(text) {
  const parts = [""];
  let depth = 0;
  for (const character of text) {
    if ("()".includes(character)) depth += character === "(" ? 1 : -1;
    if (character === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.trim());
}

/** Evaluations that are left of the budget. */
export function left({ trials, completed, failed }) {
  return Math.max(0, trials - completed - failed);
}

/** The unit of an objective that is one metric; "" if it is another form. */
export function unitOf(objective, units) {
  return unitText(units[objective.replace(/^-\s*/, "")]);
}

/** One line on what has come of a campaign. */
export function verdict({ status, front, units }) {
  const objectives = objectivesOf(status.objective);
  const of = `${status.completed} of ${count(status.trials, "trial")} completed`;
  if (objectives.length > 1) {
    return front.length
      ? `${count(front.length, "trial")} on the Pareto front of ${objectives.join(" and ")}; ${of}.`
      : `${without(status)}; ${of}.`;
  }
  const best = status.best[0];
  if (!best) return `${without(status)}; ${of}.`;
  const unit = unitOf(objectives[0], units);
  const error = best.error ? ` \u00b1 ${number(best.error, 2)}` : "";
  const meets = status.constraints.length ? ", meeting every constraint" : "";
  return `Best ${objectives[0]} is ${number(best.value)}${error}${unit && ` ${unit}`} (trial ${best.trial})${meets}; ${of}.`
    + compared(best, status.baseline);
}

function without(status) {
  const over = status.driver === null && left(status) === 0;
  if (status.completed) return `No trial meets the constraints${over ? "" : " yet"}`;
  if (!status.failed) return "No trial has completed yet";
  const [last] = status.failures;
  return `No trial has completed; ${count(status.failed, "trial")} failed, the last one because ${last?.reason ?? "of an unknown reason"}`;
}

function compared(best, baseline) {
  if (!baseline || baseline.value === null) return "";
  return ` Best of ${baseline.name}: ${number(baseline.value)}.`;
}

/** What runs it, or that nothing does: `[text, whether that is a problem]`. */
export function driver({ status }) {
  const rest = left(status);
  if (status.ended_early !== null) {
    return [`It ended early: further points are expected to gain ${number(status.ended_early, 3)} only.`, false];
  }
  if (status.driver === null) {
    return rest
      ? [`The process that ran it has gone, with ${count(rest, "evaluation")} left. latentopt optimize goes on.`, true]
      : ["It is finished: its budget is spent.", false];
  }
  const pace = status.evaluations_per_hour === null ? "" : `, ${number(status.evaluations_per_hour, 3)} evaluations an hour`;
  const end = status.seconds_left === null ? "" : `, about ${duration(status.seconds_left)} left`;
  return [`${sentence(status.driver)} runs it (engine: ${status.engine})${pace}${end}.`, false];
}

/** Failures by how, with each reason once and how often it came, most often first. */
export function failures(trials) {
  const found = new Map();
  for (const trial of trials.filter((one) => one.status === "failed")) {
    const key = `${trial.state}\n${trial.reason}`;
    const row = found.get(key) ?? { state: trial.state, reason: trial.reason, trials: [] };
    row.trials.push(trial.index);
    found.set(key, row);
  }
  return [...found.values()].sort((a, b) => b.trials.length - a.trials.length);
}
