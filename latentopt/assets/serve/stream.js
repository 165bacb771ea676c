// A campaign as it runs: server-sent events, read from a fetch because they need the token's header.

import { ask, askJson } from "./api.js";

const AGAIN_MS = 1000; // until the next try where the connection broke, longer each time
const MOST_MS = 10000;

/** Events `{id, event, data}` of the bytes of a stream, as they come. */
export async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value.replaceAll("\r\n", "\n");
      let end = text.indexOf("\n\n");
      while (end >= 0) {
        const found = eventOf(text.slice(0, end));
        if (found) yield found;
        text = text.slice(end + 2);
        end = text.indexOf("\n\n");
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function eventOf(block) {
  const found = { event: "message", data: [] };
  for (const line of block.split("\n")) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (name === "data") found.data.push(value);
    else if (name === "id" || name === "event") found[name] = value;
  }
  return found.data.length ? { ...found, data: found.data.join("\n") } : null;
}

/** One campaign: its trials by index, and what was told of it last. */
export class Watched {
  constructor(id, onchange, onproblem) {
    Object.assign(this, { id, onchange, onproblem, trials: new Map(), told: null, since: 0, journal: "" });
    this.ended = new AbortController();
  }

  get path() {
    return `/v1/runs/${encodeURIComponent(this.id)}`;
  }

  /** All there is now, then what is new, until `stop`. */
  async begin() {
    this.take(await askJson(`${this.path}?points=true`));
    this.follow();
  }

  stop() {
    this.ended.abort();
  }

  async follow() {
    let pause = AGAIN_MS;
    while (!this.ended.signal.aborted) {
      const { signal } = this.ended;
      const query = `points=true&since=${this.since}&journal=${this.journal}`;
      try {
        const answer = await ask(`${this.path}/events?${query}`, { accept: "text/event-stream", signal });
        this.onproblem("");
        pause = AGAIN_MS;
        for await (const { event, data } of eventsOf(answer.body)) {
          if (event === "problem") throw new Error(JSON.parse(data).detail);
          if (event === "run") this.take(JSON.parse(data));
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error.status === 401) {
          this.onproblem("The server has been started again. Open the address that it printed.");
          return;
        }
        if (error.status === 429) await this.look(query); // many watch: this page asks now and then
        else this.onproblem(error.status ? error.message : "The server does not answer; trying again.");
      }
      await new Promise((done) => setTimeout(done, pause));
      pause = Math.min(MOST_MS, 1.5 * pause);
    }
  }

  async look(query) {
    try {
      this.take(await askJson(`${this.path}?${query}`));
    } catch {
      // The next try says what is wrong.
    }
  }

  take(told) {
    if (told.journal !== this.journal) this.trials.clear(); // another campaign under the same name
    this.journal = told.journal;
    this.since = told.events;
    this.told = told;
    this.toldAt = Date.now();
    for (const trial of told.trials) this.trials.set(trial.index, trial);
    this.onchange(this);
  }

  /** Trials in order. */
  get all() {
    return [...this.trials.values()].sort((a, b) => a.index - b.index);
  }
}
