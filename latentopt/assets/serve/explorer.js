// The explorer of a space: its panels, and the state they share.

import { askJson, latest, Space } from "./api.js";
import { Cart } from "./cart.js";
import { Axes, Sampling } from "./controls.js";
import { attempt, button, byId, el, field, number, say, select, sentence } from "./dom.js";
import { isolation, nearest } from "./geometry.js";
import { DataMap } from "./map.js";
import { Colouring } from "./map_colours.js";
import { PathPanel } from "./path.js";
import { draw, section } from "./pictures.js";
import { Properties } from "./properties.js";
import { Refining } from "./refine.js";
import { begin } from "./shell.js";
import { addressOfState, stateOfAddress, Store } from "./store.js";
import { StructurePanel } from "./structure.js";
import { Upload } from "./upload.js";

begin(async () => {
  const [spaces, runs] = await Promise.all([askJson("/v1/spaces"), askJson("/v1/runs")]);
  if (runs.length) byId("tools").append(el("a", { href: "/pages/run.html" }, "Campaigns"));
  if (!spaces.length) {
    if (runs.length) location.replace("/pages/run.html");
    else say("No space is served. Name one: latentopt explore SPACE", true);
    return;
  }
  const wanted = new URLSearchParams(location.hash.slice(1)).get("space");
  const chosen = spaces.find((space) => space.id === wanted) ?? spaces[0];
  const space = new Space(await askJson(`/v1/spaces/${chosen.id}`));
  say("Reading the map of the data\u2026");
  const map = await askJson(space.route("map"));
  say("");
  new Explorer(space, map, spaces).begin();
});

class Explorer {
  constructor(space, map, spaces) {
    const store = new Store(stateOfAddress(location.hash, space.dim));
    Object.assign(this, { space, map, spaces, store, path: [] });
    this.names = () => this.phaseNames;
    this.phaseNames = Array.from({ length: space.phases }, (_, k) => `phase ${k}`);
    const shared = { space, map, store, names: this.names };
    this.shared = shared;
    this.properties = new Properties(shared);
    this.structure = new StructurePanel(shared);
    this.axes = new Axes(shared);
    this.sampling = new Sampling(shared);
    this.upload = new Upload(shared);
    this.trail = new PathPanel({ ...shared, onpoints: (points) => { this.path = points; this.showMap(); } });
    this.cart = new Cart({ ...shared, properties: this.properties, onchange: () => this.markCart() });
    this.colouring = new Colouring({ ...shared, properties: this.properties, isolation: isolation(map.z),
      onchange: () => this.showMap() });
    this.placed = new Map();
    this.tip = latest((signal, index) => space.decode([map.z[index]], signal));
    this.locate = latest((signal, points) => space.post("map", points, {}, signal));
  }

  begin() {
    const { about } = this.space;
    byId("explorer").hidden = false;
    byId("map").setAttribute("aria-label", `Map of the data. Each point is a ${this.space.point}.`);
    byId("about").textContent = `${about.name.split(/[\\/]/).at(-1)}: ${about.kind}, ${this.space.sides.join(" by ")} voxels in `
      + `${about.latent_dim} numbers, `
      + (about.references > 1 ? `${about.references} training structures kept` : "no training structures kept");
    this.board = new DataMap(byId("map"), {
      onhover: (index, place) => this.hover(index, place),
      onpick: (found, second) => this.pick(found, second),
    });
    this.fill();
    this.store.follow((state, old) => this.show(state, old));
    this.show(this.store.state, {});
    document.addEventListener("keydown", (event) => this.shortcut(event));
  }

  fill() {
    const { about } = this.space;
    const put = (id, ...elements) => byId(id).append(...elements);
    if (this.spaces.length > 1) {
      const names = this.spaces.map((one) => [one.id, one.name.split(/[\\/]/).at(-1)]);
      put("tools", field("Space", select(names, about.id, (id) => { location.hash = `#space=${id}`; })));
    }
    this.undo = button("Undo", () => this.store.undo(), { title: "Ctrl+Z" });
    this.redo = button("Redo", () => this.store.redo(), { title: "Ctrl+Y" });
    put("tools", this.undo, this.redo, button("Copy link", () => this.copyLink()));
    this.plane = select([["axes", "principal axes"], ["structure", "structure scores"]],
      this.store.state.plane, (plane) => this.store.put({ plane }));
    put("map-tools", field("Plane", this.plane), ...this.colouring.tools);
    put("map-scale", this.colouring.key);
    put("axes", this.axes.element);
    this.swap = button("Exchange A and B", () => {
      const { a, b } = this.store.state;
      this.store.put({ a: b, b: a });
    });
    this.second = button("Set as B", () => this.store.put({ b: this.store.state.a }));
    put("point-tools", button("Add to cart", () => this.cart.add(this.store.state.a), { class: "main" }),
      this.second, this.swap);
    put("structure", this.structure.view.element);
    put("near", this.structure.near);
    put("facts", this.structure.facts);
    put("charts", this.structure.charts);
    put("properties", this.properties.element);
    put("path", this.trail.element);
    put("sampling", this.sampling.element);
    put("upload", this.upload.element);
    put("cart", this.cart.element);
    this.fillNames();
    if (about.refines) put("refined", new Refining(this.shared).element);
  }

  fillNames() {
    const inputs = this.phaseNames.map((name, k) => el("input", { value: name, maxlength: 100,
      onchange: (event) => this.rename(k, event.target.value.trim() || `phase ${k}`) }));
    byId("naming").lastElementChild.append(...inputs.map((input, k) => field(`Phase ${k}`, input)));
  }

  rename(k, name) {
    this.phaseNames[k] = name;
    document.querySelectorAll(`[data-phase="${k}"]`).forEach((one) => { one.textContent = name; });
    const { structure } = this.structure.view;
    if (structure) this.structure.view.show(structure);
    this.cart.show();
  }

  show(state, old) {
    if (state.a === null) { // the middle of the data, which each space has
      this.store.show({ ...state, a: this.map.z[nearest(this.map.z, this.axes.start)[0]] });
      return;
    }
    const settled = state === this.store.settled;
    if (state.a !== old.a || (settled && this.shownSettled !== state.a)) {
      if (settled) this.shownSettled = state.a;
      this.structure.show(state.a, settled);
      this.axes.show(state.a);
    }
    this.plane.value = state.plane;
    this.colouring.show(state.colour);
    const moved = this.shownPath?.[0] !== state.a || this.shownPath?.[1] !== state.b;
    if (settled && moved) {
      this.shownPath = [state.a, state.b];
      this.trail.show(state, true);
    }
    this.swap.disabled = !state.b;
    this.undo.disabled = !this.store.before.length;
    this.redo.disabled = !this.store.after.length;
    if (settled) this.putAddress(state);
    this.showMap();
  }

  putAddress(state) {
    try {
      history.replaceState(null, "", addressOfState(this.space.id, state));
    } catch {
      // Safari refuses more than 100 in 30 s, as while a key is held. The next one will do.
    }
  }

  /** The map with marks of A, B, what the cart has, and the path. */
  async showMap() {
    if (!this.board) return;
    const { a, b, plane } = this.store.state;
    const wanted = [...this.cart.items.map((z, i) => [z, `${i + 1}`, "cart"]), [b, "B", "point"], [a, "A", "point"]]
      .filter(([z]) => z);
    const marks = this.path.map((point) => ({ place: point[plane], kind: "path" }));
    const unknown = [];
    for (const [z, text, kind] of wanted) {
      const place = plane === "axes" ? z.slice(0, 2) : this.placed.get(z.join());
      if (place) marks.push({ place, text, kind });
      else unknown.push(z);
    }
    this.board.show({ map: this.map, plane, colours: this.colouring.colours(), marks });
    if (!unknown.length || this.store.state !== this.store.settled) return;
    const found = await attempt(() => this.locate(unknown.slice(0, this.space.rows)));
    if (!found) return;
    found.structure.forEach((place, i) => this.placed.set(unknown[i].join(), place));
    this.showMap();
  }

  markCart() {
    if (this.cart) this.showMap();
  }

  pick({ index, place }, second) {
    const { a } = this.store.state;
    const z = index === null ? [...place, ...a.slice(2)] : this.map.z[index];
    this.store.put(second ? { b: z } : { a: z });
    byId("map-said").textContent = `${second ? "B" : "A"} is ${index === null ? "a new point" : `${this.space.point} ${index}`}`;
  }

  async hover(index, place) {
    const tip = byId("tip");
    if (index === null) {
      tip.hidden = true;
      this.tipped = null;
      return;
    }
    if (this.tipped === index) return;
    this.tipped = index;
    const ofClass = this.colouring.classes.nameOf(index);
    const text = `${sentence(this.space.point)} ${index}, fraction ${number(this.map.volume_fraction[index], 3)}`
      + (ofClass === undefined ? "" : `, ${ofClass}`);
    byId("map-said").textContent = text;
    const found = await attempt(() => this.tip(index));
    if (!found || this.tipped !== index) return;
    draw(tip.firstElementChild, section(found[0]));
    tip.lastElementChild.textContent = text;
    tip.hidden = false;
    const [width, height] = this.board.size;
    tip.style.left = `${Math.min(place[0] + 14, width - tip.offsetWidth)}px`;
    tip.style.top = `${place[1] + 14 + tip.offsetHeight > height ? place[1] - 14 - tip.offsetHeight : place[1] + 14}px`;
  }

  shortcut(event) {
    if (!(event.ctrlKey || event.metaKey) || event.target.matches("input:not([type=range]), select")) return;
    const key = event.key.toLowerCase();
    if (key === "z" && !event.shiftKey) this.store.undo();
    else if (key === "y" || key === "z") this.store.redo();
    else return;
    event.preventDefault();
  }

  async copyLink() {
    try {
      await navigator.clipboard.writeText(location.href);
      say("The link is copied. It holds what is shown, and no token.");
    } catch {
      say("The address of this page is the link: it holds what is shown, and no token.");
    }
  }
}
