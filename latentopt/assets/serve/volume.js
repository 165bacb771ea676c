// A volume: three sections with sliders, and a view that is turned, drawn by WebGL2: all voxels, or
// the interface of one phase as a shaded surface.

import { PHASE_BYTES } from "./colours.js";
import { el, field, select } from "./dom.js";
import { draw, section } from "./pictures.js";
import { CORNERS, SURFACE, VOXELS } from "./volume_shaders.js";

/** A program of two shaders that knows its uniforms by name; null where it cannot be had. */
function programOf(gl, fragments) {
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, CORNERS], [gl.FRAGMENT_SHADER, fragments]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.bindAttribLocation(program, 0, "corner");
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null;
  return { use: () => gl.useProgram(program), place: (name) => gl.getUniformLocation(program, name) };
}

/** A 3-D texture of one byte a voxel, in a unit of its own. */
function textureOf(gl, unit, filter) {
  const texture = gl.createTexture();
  const bind = () => { gl.activeTexture(gl.TEXTURE0 + unit); gl.bindTexture(gl.TEXTURE_3D, texture); };
  bind();
  for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_3D, name, filter);
  for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T, gl.TEXTURE_WRAP_R]) {
    gl.texParameteri(gl.TEXTURE_3D, name, gl.CLAMP_TO_EDGE);
  }
  return (inside, outside, { shape: [depth, height, width] }, bytes) => {
    bind();
    gl.texImage3D(gl.TEXTURE_3D, 0, inside, width, height, depth, 0, outside, gl.UNSIGNED_BYTE, bytes);
  };
}

/** What draws on a canvas; null where there is no WebGL2. */
function painter(canvas) {
  const gl = canvas.getContext("webgl2", { alpha: true, antialias: false });
  const [voxels, surface] = gl ? [programOf(gl, VOXELS), programOf(gl, SURFACE)] : [];
  if (!voxels || !surface) return null;
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 3, -1, -1, 3]), gl.STATIC_DRAW);
  gl.enableVertexAttribArray(0);
  gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  const putVoxels = textureOf(gl, 0, gl.NEAREST);
  const putInside = textureOf(gl, 1, gl.LINEAR);
  let [shown, inside] = [null, null]; // the structure, and the phase whose voxels are in the other texture
  const begin = ({ use, place }, turn) => {
    const [depth, height, width] = shown.shape;
    use();
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.uniformMatrix3fv(place("turn"), false, turn);
    gl.uniform3i(place("sides"), width, height, depth);
  };
  return {
    fill(structure) {
      [shown, inside] = [structure, null];
      putVoxels(gl.R8UI, gl.RED_INTEGER, shown, new Uint8Array(shown.data));
    },
    paint(turn, opacities) {
      begin(voxels, turn);
      gl.uniform1i(voxels.place("voxels"), 0);
      const colours = PHASE_BYTES.flatMap((c, i) => [...c.map((v) => v / 255), opacities[i] ?? 1]);
      gl.uniform4fv(voxels.place("phases"), new Float32Array(colours));
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    },
    paintSurface(turn, phase) {
      if (inside !== phase) {
        putInside(gl.R8, gl.RED, shown, Uint8Array.from(shown.data, (one) => (one === phase ? 255 : 0)));
        inside = phase;
      }
      begin(surface, turn);
      gl.uniform1i(surface.place("share"), 1);
      gl.uniform3f(surface.place("paint"), ...PHASE_BYTES[phase % PHASE_BYTES.length].map((v) => v / 255));
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    },
  };
}

/** Columns of a rotation. Without any, the section z = 0 is in front, x to the right, y down. */
function turned(yaw, pitch) {
  const [c, s, d, t] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  return new Float32Array([c, 0, s, -s * t, -d, c * t, s * d, -t, -c * d]);
}

/**
 * The view that is turned by the mouse or the arrow keys; `show(structure)` draws another one.
 * It begins with `shape`: "voxels", or "surface-1" of phase 1. A user's choice is told to `onshape`.
 */
export function volumeView(names, { shape = "voxels", onshape = () => {} } = {}) {
  const canvas = el("canvas", { width: 360, height: 360, class: "volume", tabindex: "0", role: "img",
    "aria-label": "The volume. Turn it with the arrow keys, or drag it." });
  const paint = painter(canvas);
  if (!paint) {
    const text = "This browser has no WebGL2, so the volume is shown by its sections only.";
    return { element: el("p", { class: "note" }, text), show() {}, choose() {}, rename() {} };
  }
  const phaseOf = (text) => (/^surface-\d+$/.test(text) && Number(text.slice(8)) < names.length ? Number(text.slice(8)) : null);
  let [yaw, pitch, waiting, filled, phase] = [0.6, 0.5, false, false, null];
  const opacities = names.map((_, i) => (i ? 1 : 0));
  const redraw = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      if (!filled) return;
      if (phase === null) paint.paint(turned(yaw, pitch), opacities);
      else paint.paintSurface(turned(yaw, pitch), phase);
    });
  };
  const turn = (across, up) => {
    yaw += across;
    pitch = Math.min(1.5, Math.max(-1.5, pitch + up));
    redraw();
  };
  const keys = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, 0.15], ArrowDown: [0, -0.15] };
  canvas.addEventListener("keydown", (event) => {
    if (!keys[event.key]) return;
    event.preventDefault();
    turn(...keys[event.key]);
  });
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons) turn(-event.movementX / 120, event.movementY / 120);
  });
  const sliders = names.map((name, i) => el("label", { class: "slider" },
    el("span", {}, "Opacity, ", el("span", { "data-phase": i }, name)),
    el("input", { type: "range", min: 0, max: 1, step: 0.05, value: opacities[i],
      oninput: (event) => { opacities[i] = Number(event.target.value); redraw(); } })));
  const opaque = el("div", { class: "sliders" }, ...sliders);
  const shapes = select([["voxels", "all voxels"], ...names.map((name, i) => [`surface-${i}`, `surface of ${name}`])],
    "voxels", (value) => { choose(value); onshape(value); });
  const choose = (value) => {
    phase = phaseOf(value);
    shapes.value = phase === null ? "voxels" : value;
    opaque.hidden = phase !== null;
    canvas.setAttribute("aria-label", `${phase === null ? "The volume" : `The ${shapes.selectedOptions[0].textContent}`}. `
      + "Turn it with the arrow keys, or drag it.");
    redraw();
  };
  const rename = (texts) => texts.forEach((name, i) => { shapes.options[i + 1].textContent = `surface of ${name}`; });
  choose(shape);
  const element = el("div", { class: "turned" }, canvas, el("div", { class: "row" }, field("Shown as", shapes)), opaque);
  return { element, choose, rename, show(structure) { filled = true; paint.fill(structure); redraw(); } };
}

/** Three sections, each with a slider; `show(structure)` draws another one. */
export function sections(sides) {
  let shown = null;
  const planes = ["z", "y", "x"].map((name, axis) => {
    const canvas = el("canvas", { class: "structure", role: "img" });
    const output = el("span", {});
    const paint = () => {
      const index = Number(slider.value);
      output.textContent = index;
      canvas.setAttribute("aria-label", `Section at ${name} = ${index}`);
      if (shown) draw(canvas, section(shown, axis, index));
    };
    const slider = el("input", { type: "range", min: 0, max: sides[axis] - 1,
      value: Math.floor(sides[axis] / 2), oninput: paint });
    const label = el("label", { class: "slider" }, el("span", {}, `${name} = `, output), slider);
    return { element: el("div", { class: "plane" }, canvas, label), paint };
  });
  const element = el("div", { class: "planes" }, ...planes.map((plane) => plane.element));
  return { element, show(structure) { shown = structure; planes.forEach((plane) => plane.paint()); } };
}
