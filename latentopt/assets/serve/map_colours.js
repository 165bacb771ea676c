// What the points of the map are coloured by.

import { Classes } from "./classes.js";
import { gradient } from "./colours.js";
import { attempt, button, el, field, number, say, select, unitText } from "./dom.js";
import { norm } from "./geometry.js";

const BATCH = 8; // points of a request: the colours come in as they are computed
const PROPERTIES = [
  ["effective_conductivity", "conductivity"],
  ["effective_stiffness", "stiffness"],
  ["manufacturability", "manufacturability"],
];

/** The choice of a colour, its scale, and properties that are computed for all points. */
export class Colouring {
  constructor({ map, store, properties, isolation, onchange }) {
    Object.assign(this, { map, store, properties, onchange, computed: {}, units: {} });
    this.known = {
      volume_fraction: map.volume_fraction,
      distance: isolation,
      norm: map.z.map(norm),
    };
    this.classes = new Classes(map, () => this.onchange());
    this.choice = select([
      ...(this.classes.known ? [["class", "class"]] : []),
      ["volume_fraction", "volume fraction"],
      ["distance", "distance to the nearest other"],
      ["norm", "norm"],
      ...PROPERTIES.map(([kind, text]) => [kind, `${text} (computed)`]),
    ], "volume_fraction", (colour) => store.put({ colour }));
    this.metric = select([], "", () => this.onchange());
    this.metricField = field("Value", this.metric);
    this.compute = button("Compute for all points", () => this.run());
    this.stop = button("Stop", () => this.running?.abort());
    this.tools = [field("Colour", this.choice), this.metricField, this.compute, this.stop];
    this.bar = el("span", { class: "bar" });
    this.low = el("span", {});
    this.high = el("span", {});
    this.title = el("span", { class: "title" });
    this.scale = el("div", { class: "scale" }, this.title, this.low, this.bar, this.high);
    this.key = el("div", {}, this.scale, this.classes.legend);
  }

  show(colour) {
    this.colour = [...this.choice.options].some((option) => option.value === colour) ? colour : "volume_fraction";
    this.choice.value = this.colour;
    const isComputed = PROPERTIES.some(([kind]) => kind === this.colour);
    const names = Object.keys(this.computed[this.colour] ?? {});
    this.metricField.hidden = names.length < 2;
    if ([...this.metric.options].map((option) => option.value).join() !== names.join()) {
      this.metric.replaceChildren(...names.map((name) => el("option", { value: name }, name)));
    }
    this.compute.hidden = !isComputed || Boolean(this.running);
    this.stop.hidden = !this.running;
  }

  /** Values of the points and the ends of the scale; of classes how a point is drawn. */
  colours() {
    this.classes.legend.hidden = this.colour !== "class";
    if (this.colour === "class") {
      this.scale.hidden = true;
      return { draw: (...given) => this.classes.draw(...given) };
    }
    const metrics = this.computed[this.colour];
    const name = metrics && (this.metric.value in metrics ? this.metric.value : Object.keys(metrics)[0]);
    const values = this.known[this.colour] ?? metrics?.[name] ?? [];
    const finite = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
    const at = (share) => finite[Math.round(share * (finite.length - 1))];
    const [low, high] = [at(0.01), at(0.99)]; // a few outliers do not use up the colours
    this.bar.style.background = gradient();
    this.scale.hidden = finite.length === 0;
    const unit = unitText(this.units[name]) && `, ${unitText(this.units[name])}`;
    this.title.textContent = `${name ?? this.choice.selectedOptions[0].textContent}${unit}`;
    this.low.textContent = number(low, 3);
    this.high.textContent = number(high, 3);
    return { values, low, high };
  }

  /** Compute a property for every point, those in the middle of the map first come first. */
  async run() {
    const kind = this.colour;
    const mine = new AbortController();
    this.running = mine;
    this.computed[kind] = {};
    this.show(kind);
    await attempt(async () => {
      for (let i = 0; i < this.map.z.length && !mine.signal.aborted; i += BATCH) {
        const part = this.map.z.slice(i, i + BATCH);
        const { rows, units } = await this.properties.score(part, [kind], mine.signal);
        this.take(kind, i, rows, units);
        say(`Computed for ${Math.min(i + BATCH, this.map.z.length)} of ${this.map.z.length} points.`);
      }
    }).catch(() => {});
    if (mine.signal.aborted) say("Stopped. The points computed so far keep their colour.");
    this.running = null;
    this.show(this.store.state.colour);
    this.onchange();
  }

  take(kind, start, rows, units) {
    Object.assign(this.units, units);
    rows.forEach(({ metrics }, k) => {
      for (const [name, value] of Object.entries(metrics)) {
        this.computed[kind][name] ??= new Array(this.map.z.length).fill(null);
        this.computed[kind][name][start + k] = value;
      }
    });
    this.show(this.colour);
    this.onchange();
  }
}
