// What the explorer shows: with a history to undo, and as a link to share.

const MOST_STEPS = 200;

/** A state that listeners follow. `put` is a step that can be undone, `preview` is none. */
export class Store {
  constructor(first) {
    this.state = first;
    this.before = [];
    this.after = [];
    this.settled = first;
    this.listeners = [];
  }

  follow(listener) {
    this.listeners.push(listener);
  }

  put(change) {
    this.before.push(this.settled);
    if (this.before.length > MOST_STEPS) this.before.shift();
    this.after = [];
    this.show({ ...this.state, ...change });
  }

  /** As while a slider is dragged: shown, and undone together with what it ends in. */
  preview(change) {
    this.show({ ...this.state, ...change }, false);
  }

  undo() {
    if (!this.before.length) return;
    this.after.push(this.settled);
    this.show(this.before.pop());
  }

  redo() {
    if (!this.after.length) return;
    this.before.push(this.settled);
    this.show(this.after.pop());
  }

  show(state, settled = true) {
    const old = this.state;
    this.state = state;
    if (settled) this.settled = state;
    this.listeners.forEach((listener) => listener(state, old));
  }
}

/** A point as text for an address: its 64-bit numbers, so that a link shows the same structure. */
export function textOfPoint(z) {
  const bytes = new Uint8Array(new Float64Array(z).buffer);
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The point of such a text; null if it is none, or of another width. */
export function pointOfText(text, dim) {
  try {
    const bytes = atob((text ?? "").replaceAll("-", "+").replaceAll("_", "/"));
    if (bytes.length !== 8 * dim) return null;
    const z = [...new Float64Array(Uint8Array.from(bytes, (c) => c.charCodeAt(0)).buffer)];
    return z.every((value) => Number.isFinite(value) && Math.abs(value) <= 1e6) ? z : null;
  } catch {
    return null;
  }
}

const LONGEST_NAME = 100;

/** Whether texts can be the names of phases: each has one, and no two have the same. */
export function areNames(texts, phases) {
  return texts.length === phases && new Set(texts).size === phases
    && texts.every((text) => text.trim() !== "" && text.length <= LONGEST_NAME);
}

/** The state of an address's fragment; what makes no sense in it is left out. */
export function stateOfAddress(fragment, { dim, phases }) {
  const parts = new URLSearchParams(fragment.replace(/^#/, ""));
  const names = parts.getAll("phase");
  return {
    view: parts.get("view") ?? "voxels",
    names: areNames(names, phases) ? names : null,
    plane: parts.get("plane") === "structure" ? "structure" : "axes",
    colour: parts.get("colour") ?? "volume_fraction",
    a: pointOfText(parts.get("a"), dim),
    b: pointOfText(parts.get("b"), dim),
  };
}

/** The fragment of a state. It has no token. */
export function addressOfState(space, { plane, colour, a, b, view = "voxels", names = null }) {
  const parts = new URLSearchParams({ space, plane, colour });
  if (view !== "voxels") parts.set("view", view);
  for (const name of names ?? []) parts.append("phase", name);
  if (a) parts.set("a", textOfPoint(a));
  if (b) parts.set("b", textOfPoint(b));
  return `#${parts}`;
}
