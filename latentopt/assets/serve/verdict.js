// A campaign in words: how it stands, what runs it, what failed.

import { duration, number, sentence, unitText } from "./dom.js";

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

/** How a campaign stands, in the words of the service, beside what it is compared with. */
export function verdict({ status: { verdict: text, baseline } }) {
  const known = baseline && baseline.value !== null;
  return known ? `${text} Best of ${baseline.name}: ${number(baseline.value)}.` : text;
}

/** What runs it and how fast, or that nothing does though something is left: `[text, is a problem]`. */
export function driver({ status }) {
  if (status.driver === null) {
    const unfinished = left(status) > 0 && status.ended_early === null;
    return unfinished ? ["The process that ran it has gone. latentopt optimize goes on.", true] : ["", false];
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
