// The service as the pages ask it: the token, requests, NPY arrays, and structures kept once decoded.

const KEY = "latentopt-token";
const MOST_ROWS = 64; // of a request, as the service limits it
const MOST_VOXELS = 2 ** 24;
const KEPT_BYTES = 64 * 2 ** 20; // of decoded structures
const TRIES = 6; // where the service says "come back later"

/** A request that was refused, with the reason that the service gave. */
export class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

/** Keep the token of the address for this tab, and take it out of the address: links are shared. */
export function takeToken() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const token = parts.get("token");
  if (token === null) return;
  giveToken(token);
  parts.delete("token");
  const rest = parts.toString();
  history.replaceState(null, "", location.pathname + location.search + (rest ? `#${rest}` : ""));
}

/** Keep a token for this tab. */
export function giveToken(token) {
  sessionStorage.setItem(KEY, token);
}

/** Whether there is a token. */
export function hasToken() {
  return sessionStorage.getItem(KEY) !== null;
}

/** Forget the token, which is of another start of the service. */
export function dropToken() {
  sessionStorage.removeItem(KEY);
}

/** The answer to a request; `Refused` if it is not served. */
export async function ask(path, { json, body, accept = "application/json", signal } = {}) {
  const headers = { Accept: accept, Authorization: `Bearer ${sessionStorage.getItem(KEY) ?? ""}` };
  const options = { headers, signal, cache: "no-store" };
  if (json !== undefined) {
    headers["Content-Type"] = "application/json";
    Object.assign(options, { method: "POST", body: JSON.stringify(json) });
  } else if (body !== undefined) {
    headers["Content-Type"] = "application/octet-stream";
    Object.assign(options, { method: "POST", body });
  }
  for (let tries = 1; ; tries += 1) {
    const answer = await fetch(path, options);
    if (answer.ok) return answer;
    if (answer.status === 503 && tries < TRIES) {
      const seconds = Number(answer.headers.get("Retry-After")) || 1;
      await new Promise((done) => setTimeout(done, 1000 * seconds));
      continue;
    }
    throw new Refused(answer.status, await reasonOf(answer));
  }
}

/** The JSON answer to a request. */
export async function askJson(path, options) {
  return (await ask(path, options)).json();
}

async function reasonOf(answer) {
  try {
    const { detail } = await answer.json();
    return typeof detail === "string" ? detail : `the service answered ${answer.status}`;
  } catch {
    return `the service answered ${answer.status}`;
  }
}

const KINDS = {
  "|u1": Uint8Array, "|b1": Uint8Array, "|i1": Int8Array, "<i8": BigInt64Array,
  "<f4": Float32Array, "<f8": Float64Array,
};

/** An array of the bytes of an NPY file: `{shape, data}`. */
export function parseNpy(buffer) {
  const view = new DataView(buffer);
  const long = view.getUint8(6) > 1;
  const start = long ? 12 : 10;
  const length = long ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder("latin1").decode(new Uint8Array(buffer, start, length));
  const kind = /'descr': *'([^']+)'/.exec(header)?.[1];
  const shape = /'shape': *\(([^)]*)\)/.exec(header)?.[1].split(",").map((s) => s.trim());
  if (!(kind in KINDS) || !shape || /'fortran_order': *True/.test(header)) {
    throw new Error("the service sent an array that this page cannot read");
  }
  const data = new KINDS[kind](buffer.slice(start + length));
  return { shape: shape.filter((s) => s !== "").map(Number), data };
}

/** Structures `{shape, data}` of an array (n, *space) of phases. */
export function structuresOf({ shape, data }) {
  const sides = shape.slice(1);
  const voxels = sides.reduce((a, b) => a * b, 1);
  return Array.from({ length: shape[0] }, (_, i) => ({
    shape: sides,
    data: data.subarray(i * voxels, (i + 1) * voxels),
  }));
}

/** One space of the service: its routes, and the structures that were decoded lately. */
export class Space {
  constructor(about) {
    Object.assign(this, { about, id: about.id, dim: about.latent_dim });
    this.sides = about.image_shape.slice(1);
    this.phases = Math.max(2, about.image_shape[0]);
    this.solid = this.sides.length === 3;
    const voxels = about.image_shape.reduce((a, b) => a * b, 1);
    this.rows = Math.max(1, Math.min(MOST_ROWS, Math.floor(MOST_VOXELS / voxels)));
    // A space that keeps no training structures has a map of samples.
    this.point = about.references > 1 ? "training structure" : "sample";
    this.kept = new Map();
    this.keptBytes = 0;
  }

  route(name) {
    return `/v1/spaces/${this.id}/${name}`;
  }

  /** JSON of a route for points, a request for as many rows as one may have. */
  async post(name, z, more = {}, signal = undefined) {
    return askJson(this.route(name), { json: { z, ...more }, signal });
  }

  /** Phases of the structures of points, each decoded once. */
  async decode(points, signal) {
    const keys = points.map((z) => z.join());
    const missing = points.filter((_, i) => !this.kept.has(keys[i]));
    const found = new Map();
    for (let i = 0; i < missing.length; i += this.rows) {
      const part = missing.slice(i, i + this.rows);
      const json = { z: part, phases: true };
      const answer = await ask(this.route("decode"), { json, accept: "application/x-npy", signal });
      const structures = structuresOf(parseNpy(await answer.arrayBuffer()));
      structures.forEach((one, k) => found.set(part[k].join(), one));
    }
    return keys.map((key) => this.keep(key, found.get(key) ?? this.kept.get(key)));
  }

  /** Phases of the structure of a point, refined as `{strength, seed}` says. */
  async refine(z, refined, signal) {
    const key = `${z.join()} ${refined.strength} ${refined.seed}`;
    const query = new URLSearchParams(refined);
    const asked = { json: { z: [z], phases: true }, accept: "application/x-npy", signal };
    const found = this.kept.get(key)
      ?? structuresOf(parseNpy(await (await ask(`${this.route("refine")}?${query}`, asked)).arrayBuffer()))[0];
    return this.keep(key, found);
  }

  keep(key, structure) {
    if (this.kept.delete(key)) this.keptBytes -= structure.data.length;
    this.kept.set(key, structure); // what was asked for last is forgotten last
    this.keptBytes += structure.data.length;
    for (const [old, one] of this.kept) {
      if (this.keptBytes <= KEPT_BYTES || old === key) break;
      this.kept.delete(old);
      this.keptBytes -= one.data.length;
    }
    return structure;
  }
}

/** A function of which only the last call counts: earlier ones are given up and answer undefined. */
export function latest(work) {
  let running = null;
  return async (...given) => {
    running?.abort();
    const mine = new AbortController();
    running = mine;
    try {
      const found = await work(mine.signal, ...given);
      return running === mine ? found : undefined;
    } catch (error) {
      if (mine.signal.aborted) return undefined;
      throw error;
    }
  };
}
