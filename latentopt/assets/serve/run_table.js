// The table of trials: sorted by a click on a heading, filtered by text and status, saved as CSV.

import { button, download, el, field, number, select } from "./dom.js";
import { objectivesOf } from "./verdict.js";

const SHOWN = 200; // rows at a time

/** The table. `onpick(index)` is called for the trial whose row is chosen. */
export class TrialTable {
  constructor(onpick) {
    Object.assign(this, { onpick, by: "trial", falling: false, limit: SHOWN, trials: [], columns: [] });
    this.text = el("input", { type: "search", oninput: () => this.draw() });
    this.status = select(["all", "completed", "feasible", "failed", "pending", "screened"].map((s) => [s, s]),
      "all", () => this.draw());
    this.head = el("tr", {});
    this.body = el("tbody", {});
    this.note = el("p", { class: "note", role: "status" });
    this.more = button("Show more", () => { this.limit += SHOWN; this.draw(); });
    this.element = el("div", {},
      el("div", { class: "row" }, field("Filter", this.text), field("Status", this.status),
        button("Download CSV", () => this.save())),
      el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of trials" },
        el("table", {}, el("thead", {}, this.head), this.body)), this.note, this.more);
  }

  show(told, trials) {
    const metrics = [...new Set(trials.flatMap((trial) => Object.keys(trial.metrics)))];
    const { constraints, objective } = told.status;
    const objectives = objectivesOf(objective);
    this.trials = trials;
    this.columns = [
      ["trial", (t) => t.index], ["status", statusOf],
      ...objectives.map((name, i) => [`objective: ${name}`, (t) => t.values?.[i] ?? null]),
      ...(constraints.length ? [["feasible", (t) => (t.feasible === null ? null : t.feasible ? "yes" : "no")]] : []),
      ...constraints.map((name) => [`margin: ${name}`, (t) => t.margins[name] ?? null]),
      ...metrics.map((name) => [name, (t) => t.metrics[name] ?? null]),
      ["seconds", (t) => t.seconds], ["strategy", (t) => t.strategy],
      ...(trials.some((t) => t.reason) ? [["reason", (t) => t.reason]] : []),
    ];
    this.draw();
  }

  get rows() {
    const wanted = this.text.value.trim().toLowerCase();
    const { value } = this.status;
    const found = this.trials
      .filter((trial) => value === "all" || (value === "feasible" ? trial.feasible : trial.status === value))
      .map((trial) => ({ trial, cells: this.columns.map(([, of]) => of(trial)) }))
      .filter(({ cells }) => !wanted || cells.some((cell) => String(cell ?? "").toLowerCase().includes(wanted)));
    const place = Math.max(0, this.columns.findIndex(([name]) => name === this.by));
    const way = this.falling ? -1 : 1;
    return found.sort((a, b) => order(a.cells[place], b.cells[place], way));
  }

  draw() {
    if (this.columns.map(([name]) => name).join("\n") !== this.drawnHead) this.drawHead();
    this.head.querySelectorAll("th").forEach((th, i) => {
      const mine = this.columns[i][0] === this.by;
      th.setAttribute("aria-sort", mine ? (this.falling ? "descending" : "ascending") : "none");
    });
    const { rows } = this;
    this.body.replaceChildren(...rows.slice(0, this.limit).map(({ trial, cells }) => this.row(trial, cells)));
    this.note.textContent = `${Math.min(rows.length, this.limit)} of ${this.trials.length} trials shown.`;
    this.more.hidden = rows.length <= this.limit;
  }

  drawHead() {
    this.drawnHead = this.columns.map(([name]) => name).join("\n");
    this.head.replaceChildren(...this.columns.map(([name]) =>
      el("th", { scope: "col" }, el("button", { type: "button", class: "sort", onclick: () => {
        this.falling = this.by === name ? !this.falling : name.startsWith("objective");
        this.by = name;
        this.draw();
      } }, name))));
  }

  row(trial, cells) {
    return el("tr", { class: trial.status }, ...cells.map((cell, i) => {
      if (i === 0) {
        return el("th", { scope: "row" }, button(String(cell), () => this.onpick(trial.index),
          { class: "plain", "aria-label": `Show the structure of trial ${cell}` }));
      }
      const isNumber = typeof cell === "number";
      const kind = this.columns[i][0] === "reason" ? "reason" : cell === "failed" || cell === "no" ? "bad" : "";
      return el("td", { class: isNumber ? "number" : kind },
        cell === null || cell === undefined ? "" : isNumber ? number(cell) : cell);
    }));
  }

  save() {
    const lines = [this.columns.map(([name]) => name), ...this.rows.map(({ cells }) => cells)];
    download("trials.csv", `${lines.map((line) => line.map(quoted).join(",")).join("\r\n")}\r\n`, "text/csv");
  }
}

function statusOf(trial) {
  return trial.state && trial.status === "failed" ? "failed" : trial.status;
}

/** Numbers by size, text by alphabet, and what is missing at the end either way. */
function order(a, b, way) {
  if (a === null || a === undefined || b === null || b === undefined) {
    return (a === null || a === undefined) - (b === null || b === undefined);
  }
  return way * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
}

/** A cell of a CSV file; a spreadsheet takes none for a formula. */
function quoted(cell) {
  if (cell === null || cell === undefined) return "";
  if (typeof cell === "number") return String(cell);
  const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
