// The live view of a campaign.

import { ask, askJson, latest, parseNpy } from "./api.js";
import { gradient } from "./colours.js";
import { attempt, button, byId, count, duration, el, facts, field, number, say, select, unitText } from "./dom.js";
import { DataMap } from "./map.js";
import { described, draw, legend, section } from "./pictures.js";
import { RunControl } from "./run_control.js";
import { RunModel } from "./run_model.js";
import { bestSoFar, front, metricsChart } from "./run_charts.js";
import { TrialTable } from "./run_table.js";
import { begin } from "./shell.js";
import { addressOfState } from "./store.js";
import { Watched } from "./stream.js";
import { driver, failures, objectivesOf, verdict } from "./verdict.js";

const COMPARED = 3; // campaigns at a time: a browser keeps few connections to one server
const MOST_PAUSE_MS = 800; // between two drawings, so that what is told is shown within two seconds
const KEPT = 300; // structures of trials

begin(async () => {
  const [runs, spaces] = await Promise.all([askJson("/v1/runs"), askJson("/v1/spaces")]);
  if (spaces.length) byId("tools").append(el("a", { href: "/" }, "Explore the space"));
  if (!runs.length) {
    say("There is no campaign yet. Name a folder of campaigns: latentopt serve --runs DIR", true);
    return;
  }
  await new CampaignPage(runs.map((run) => run.id), spaces).begin();
});

class CampaignPage {
  constructor(ids, spaces) {
    const wanted = new URLSearchParams(location.hash.slice(1));
    const id = ids.includes(wanted.get("run")) ? wanted.get("run") : ids[0];
    const others = wanted.getAll("with").filter((other) => ids.includes(other) && other !== id);
    Object.assign(this, { ids, spaces, id, others: others.slice(0, COMPARED - 1), watched: [], kept: new Map() });
    this.table = new TrialTable((index) => this.showTrial(index, true));
    this.structure = latest((signal, index) => this.structureOf(index, signal));
    this.handlers = {
      onpoint: (point, event) => this.tip(point, event),
      onpick: (point) => this.showTrial(point.index, true),
    };
  }

  async begin() {
    byId("tools").append(field("Campaign", select(this.ids.map((id) => [id, id]), this.id, (id) => this.go(id, []))));
    byId("campaign").hidden = false;
    byId("trials").append(this.table.element);
    this.beginComparing();
    this.control = new RunControl(this.id, byId("control"));
    this.model = new RunModel(this.id, byId("model"));
    byId("shown").append(el("p", { class: "note" }, "Choose a trial in a chart, on the map or in the table."));
    await this.beginMap();
    this.watched = [this.id, ...this.others].map((id) => new Watched(id, () => this.queue(), (text) => say(text, text !== "")));
    await Promise.all(this.watched.map((one) => one.begin()));
    setInterval(() => this.showNow(), 1000);
  }

  go(id, others) {
    const parts = new URLSearchParams({ run: id });
    others.forEach((other) => parts.append("with", other));
    history.replaceState(null, "", `#${parts}`);
    location.reload();
  }

  beginComparing() {
    const others = this.ids.filter((id) => id !== this.id);
    if (!others.length) return;
    const boxes = others.map((id) => el("label", { class: "check" },
      el("input", { type: "checkbox", value: id, checked: this.others.includes(id) }), id));
    const chosen = () => boxes.map((box) => box.firstElementChild).filter((box) => box.checked).map((box) => box.value);
    const apply = button("Compare", () => this.go(this.id, chosen().slice(0, COMPARED - 1)));
    byId("compare").append(el("details", { open: this.others.length > 0 },
      el("summary", {}, "Compare with other campaigns"),
      el("fieldset", { class: "row" }, el("legend", {}, `Up to ${COMPARED - 1} others`), ...boxes, apply)));
  }

  /** Draw once for many events: of thousands of trials drawing takes a while, and so has a pause. */
  queue() {
    if (this.queued || this.watched.some((one) => !one.told)) return;
    this.queued = true;
    setTimeout(() => {
      this.queued = false;
      const began = performance.now();
      this.draw();
      this.pause = Math.min(MOST_PAUSE_MS, 4 * (performance.now() - began));
    }, this.pause ?? 0);
  }

  get main() {
    return this.watched[0];
  }

  draw() {
    const { told } = this.main;
    const trials = this.main.all;
    const campaigns = this.watched.map((one) => ({ id: one.id, told: one.told, trials: one.all }));
    document.title = `latentopt: ${told.status.name}`;
    byId("title").textContent = told.status.name;
    const goal = told.status.constraints.length ? `, subject to ${told.status.constraints.join(", ")}` : "";
    byId("about").textContent = `Maximize ${told.status.objective}${goal}. Strategy: ${told.status.strategy}.`;
    this.showVerdict(told);
    this.control.show(told);
    this.showNow();
    byId("best-section").hidden = !campaigns.some((one) => one.trials.some((trial) => trial.values));
    const alike = campaigns.filter((one) => one.told.status.objective === told.status.objective);
    const others = campaigns.filter((one) => !alike.includes(one)).map((one) => one.id);
    byId("best").replaceChildren(bestSoFar(alike, { ...this.handlers, onpick: null }),
      ...(others.length ? [el("p", { class: "note" }, `Not drawn, as it has another objective: ${others.join(", ")}.`)] : []));
    const several = objectivesOf(told.status.objective).length > 1;
    byId("front-section").hidden = !several;
    if (several) redrawn(byId("front"), front(alike, this.handlers));
    this.showFailures(trials);
    const done = trials.filter((trial) => trial.status === "completed");
    byId("metrics-section").hidden = done.length < 2;
    byId("metrics-section").classList.toggle("wide", Object.keys(done[0]?.metrics ?? {}).length > 4);
    if (done.length > 1) byId("metrics").replaceChildren(metricsChart({ told, trials }));
    redrawn(byId("trials"), null, () => this.table.show(told, trials));
    this.showMap(told, trials);
    if (this.picked === undefined) {
      const best = told.status.best[0]?.trial;
      const shown = best ?? done.at(-1)?.index ?? trials.at(-1)?.index;
      const text = best === undefined ? "the last one"
        : several ? `the best in ${objectivesOf(told.status.objective)[0]}` : "the best so far";
      if (shown !== undefined && shown !== this.offered) this.showTrial(this.offered = shown, false, text);
    }
  }

  showVerdict(told) {
    setText(byId("verdict"), this.watched.length > 1
      ? this.watched.map((one) => `${one.id}: ${verdict(one.told)}`).join("\n") : verdict(told));
    const [text, bad] = driver(told);
    setText(byId("driver"), text);
    byId("driver").classList.toggle("warn", bad);
    byId("driver").hidden = !text;
    byId("missed").replaceChildren(...told.status.missed.map((line) => el("li", {}, line)));
    byId("missed").hidden = !told.status.missed.length;
    const { completed, failed, pending, screened, imported, copied } = told.status;
    byId("counts").replaceChildren(facts([
      ["Completed", `${completed} of ${told.status.trials}`], ["Failed", String(failed), failed ? "bad" : ""],
      ["Under way", String(pending)],
      ...[["Screened out", screened], ["Imported", imported], ["Structure known", copied]]
        .filter(([, n]) => n).map(([name, n]) => [name, String(n)]),
    ]));
  }

  /** What runs now and since when; the seconds go on between events. */
  showNow() {
    const { told, toldAt } = this.main ?? {};
    if (!told) return;
    const since = (Date.now() - toldAt) / 1000;
    const { running, queued, choosing_seconds: choosing, driver: process } = told.status;
    const parts = running.map(({ trial, seconds }) => `trial ${trial} for ${duration(Math.round(seconds + since))}`);
    if (queued.length) parts.push(`${count(queued.length, "trial")} ${process ? "queued" : "not running"}`);
    if (process && !parts.length && choosing !== null) parts.push(`choosing the next points for ${duration(Math.round(choosing + since))}`);
    byId("now").replaceChildren(...(parts.length ? [el("p", {}, `${process ? "Now" : "Pending"}: ${parts.join("; ")}.`)] : []));
  }

  showFailures(trials) {
    const rows = failures(trials);
    byId("failures-section").hidden = !rows.length;
    const region = { class: "scroll low", tabindex: "0", role: "region", "aria-label": "Table of failures" };
    byId("failures").replaceChildren(el("div", region,
      el("table", {}, el("thead", {}, el("tr", {}, ...["How", "Trials", "Reason"].map((text) => el("th", { scope: "col" }, text)))),
        el("tbody", {}, ...rows.map(({ state, reason, trials: indices }) => el("tr", {},
          el("th", { scope: "row" }, state ?? "failed"),
          el("td", {}, `${indices.length} (${indices.slice(0, 5).join(", ")}${indices.length > 5 ? ", \u2026" : ""})`),
          el("td", { class: "reason" }, reason ?? "")))))));
  }

  async structureOf(index, signal) {
    if (!this.kept.has(index)) {
      const answer = await ask(`${this.main.path}/trials/${index}/structure`, { accept: "application/x-npy", signal });
      this.kept.set(index, parseNpy(await answer.arrayBuffer()));
      if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value);
    }
    return this.kept.get(index);
  }

  async tip(point, event) {
    const tip = byId("tip");
    tip.hidden = true;
    this.pointed = point?.index;
    if (!point) return;
    const box = event.target.getBoundingClientRect();
    let found;
    try {
      found = await this.structure(point.index);
    } catch {
      return; // a trial without a structure shows none
    }
    if (!found || this.pointed !== point.index) return;
    draw(tip.firstElementChild, section(found));
    tip.lastElementChild.textContent = point.label;
    tip.hidden = false;
    tip.style.left = `${Math.max(4, Math.min(box.right + 8, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${Math.max(4, Math.min(box.top, innerHeight - tip.offsetHeight - 8))}px`;
  }

  async showTrial(index, chosen, text = "") {
    this.picked = chosen ? index : this.picked;
    const trial = this.main.trials.get(index);
    const found = await this.structureOf(index).catch((error) => { say(error.message, chosen); return null; });
    if (!found || (this.picked !== undefined && this.picked !== index)) return;
    const { told } = this.main;
    const phases = Math.max(2, found.data.reduce((a, b) => Math.max(a, b), 0) + 1);
    const names = told.phase_names ?? Array.from({ length: phases }, (_, k) => `phase ${k}`);
    const axes = found.shape.length === 3 ? [0, 1, 2] : [0];
    const planes = axes.map((axis) => {
      const which = axes.length > 1 ? `, middle section across ${"zyx"[axis]}` : "";
      const label = `Trial ${index}${which}: ${described(found, names)}`;
      return draw(el("canvas", { class: "structure", role: "img", "aria-label": label }), section(found, axis));
    });
    byId("shown").replaceChildren(
      el("div", { class: "row" }, el("h3", {}, `Trial ${index}${text && `, ${text}`}`),
        this.isServed(told) && trial.z ? el("a", { href: `/${addressOfState(told.space_id, { plane: "axes",
          colour: "volume_fraction", a: trial.z, names: told.phase_names })}` }, "Explore from here") : ""),
      el("div", { class: axes.length > 1 ? "planes" : "one" }, ...planes), legend(found, names),
      trial.reason ? el("p", { class: "warn" }, `It failed: ${trial.reason}`) : "",
      facts(figuresOf(trial, told)));
    if (chosen) byId("shown").scrollIntoView({ block: "nearest" });
  }

  isServed(told) {
    return this.spaces.some((space) => space.id === told.space_id);
  }

  async beginMap() {
    byId("place-section").hidden = true;
    if (!this.spaces.length) return;
    this.board = new DataMap(byId("map"), {
      onhover: (row, place) => this.hoverMap(row, place),
      onpick: ({ index }) => index !== null && this.showTrial(this.placedTrials[index].index, true),
    });
  }

  hoverMap(row) {
    const trial = row === null ? null : this.placedTrials[row];
    if (trial?.index === this.pointed) return;
    const objectives = objectivesOf(this.main.told.status.objective);
    const [x, y] = trial ? [this.board.across(trial.z[0]), this.board.down(trial.z[1])] : [0, 0];
    const box = byId("map").getBoundingClientRect();
    const target = { getBoundingClientRect: () => new DOMRect(box.left + x, box.top + y, 8, 8) };
    const text = trial?.values ? `: ${objectives[0]} = ${number(trial.values[0])}` : `, ${trial?.status}`;
    this.tip(trial && { index: trial.index, label: `Trial ${trial.index}${text}` }, { target });
  }

  async showMap(told, trials) {
    const served = this.spaces.find((space) => space.id === told.space_id);
    byId("place-section").hidden = !served;
    if (!served) return;
    if (this.mapOf !== served.id) {
      this.mapOf = served.id;
      this.data = await attempt(() => askJson(`/v1/spaces/${served.id}/map`));
      if (!byId("place-scale")) byId("map-help").before(this.scale());
    }
    if (!this.data) return;
    this.placedTrials = trials.filter((trial) => trial.z?.length === served.latent_dim);
    const values = this.placedTrials.map((trial) => trial.values?.[0] ?? null);
    const finite = values.filter((value) => value !== null);
    const [low, high] = [Math.min(...finite), Math.max(...finite)];
    byId("place-scale").querySelector(".bar").style.background = gradient();
    byId("place-scale").firstElementChild.textContent = objectivesOf(told.status.objective)[0];
    byId("place-scale").children[1].textContent = finite.length ? number(low, 3) : "";
    byId("place-scale").lastElementChild.textContent = finite.length ? number(high, 3) : "";
    const best = this.placedTrials.find((trial) => trial.index === told.status.best[0]?.trial);
    this.board.show({ plane: "axes", ground: this.data.axes, map: { axes: this.placedTrials.map((trial) => trial.z.slice(0, 2)) },
      colours: { values, low, high }, marks: best ? [{ place: best.z.slice(0, 2), text: String(best.index), kind: "point" }] : [] });
  }

  scale() {
    return el("div", { id: "place-scale", class: "scale" }, el("span", { class: "title" }), el("span", {}),
      el("span", { class: "bar" }), el("span", {}));
  }
}

/** Objectives, metrics and constraints of a trial, as names and values. */
function figuresOf(trial, { status, units }) {
  const values = objectivesOf(status.objective).map((name, i) => [name, number(trial.values?.[i])]);
  return [
    ...values.filter(([name]) => trial.values && !(name in trial.metrics)),
    ...Object.entries(trial.metrics).map(([name, value]) => [name, `${number(value)} ${unitText(units[name])}`]),
    ...Object.entries(trial.margins).map(([name, value]) => (value >= 0
      ? [name, "met"] : [name, `missed by ${number(-value, 3)}`, "bad"])),
  ];
}

/** Text that is set only where it differs, so that a live region speaks once. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Draw something again, and keep the keyboard's place in it by the label of what had it. */
function redrawn(container, content, work = () => container.replaceChildren(content)) {
  const label = container.contains(document.activeElement) && document.activeElement.getAttribute("aria-label");
  work();
  if (label && !container.contains(document.activeElement)) {
    [...container.querySelectorAll("[aria-label]")].find((one) => one.getAttribute("aria-label") === label)?.focus();
  }
}
