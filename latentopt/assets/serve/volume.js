// A volume: three sections with sliders, and a view that is turned, drawn by WebGL2.
// The ray of each pixel goes from voxel to voxel (Amanatides and Woo 1987), so faces stay sharp.

import { PHASE_BYTES } from "./colours.js";
import { el } from "./dom.js";
import { draw, section } from "./pictures.js";

const CORNERS = `#version 300 es
in vec2 corner; out vec2 place;
void main() { place = corner; gl_Position = vec4(corner, 0.0, 1.0); }`;

const RAYS = `#version 300 es
precision highp float; precision highp int; precision highp usampler3D;
in vec2 place; out vec4 shown;
uniform usampler3D voxels; uniform ivec3 sides; uniform mat3 turn; uniform vec4 phases[10];
void main() {
  vec3 size = vec3(sides); float longest = max(size.x, max(size.y, size.z));
  vec3 ray = turn * vec3(0.0, 0.0, -1.0);
  vec3 start = turn * vec3(place * 0.9 * longest, 2.0 * longest) + 0.5 * size;
  vec3 inverse = 1.0 / (ray + vec3(equal(ray, vec3(0.0))) * 1e-9);
  vec3 one = -start * inverse, two = (size - start) * inverse;
  vec3 near = min(one, two), far = max(one, two);
  float enter = max(near.x, max(near.y, near.z)), leave = min(far.x, min(far.y, far.z));
  if (enter >= leave) { shown = vec4(0.0); return; }
  vec3 at = start + ray * (enter + 1e-3);
  ivec3 voxel = clamp(ivec3(floor(at)), ivec3(0), sides - 1);
  ivec3 way = ivec3(sign(inverse));
  vec3 next = (vec3(voxel) + max(vec3(way), 0.0) - start) * inverse;
  vec3 apart = abs(inverse);
  vec3 face = vec3(equal(near, vec3(enter)));
  vec3 colour = vec3(0.0); float left = 1.0; uint before = 255u;
  for (int i = 0; i < 2048; i++) {
    uint phase = texelFetch(voxels, voxel, 0).r;
    if (phase != before) {
      vec4 paint = phases[int(phase) % 10];
      float light = dot(face, vec3(0.74, 1.0, 0.86));
      colour += left * paint.a * light * paint.rgb; left *= 1.0 - paint.a;
      before = phase;
      if (left < 0.02) break;
    }
    if (next.x < next.y && next.x < next.z) { voxel.x += way.x; next.x += apart.x; face = vec3(1, 0, 0); }
    else if (next.y < next.z) { voxel.y += way.y; next.y += apart.y; face = vec3(0, 1, 0); }
    else { voxel.z += way.z; next.z += apart.z; face = vec3(0, 0, 1); }
    if (any(lessThan(voxel, ivec3(0))) || any(greaterThanEqual(voxel, sides))) break;
  }
  shown = vec4(colour, 1.0 - left);
}`;

/** The program that draws; null where there is no WebGL2. */
function painter(canvas) {
  const gl = canvas.getContext("webgl2", { alpha: true, antialias: false });
  if (!gl) return null;
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, CORNERS], [gl.FRAGMENT_SHADER, RAYS]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.bindAttribLocation(program, 0, "corner");
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null;
  gl.useProgram(program);
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 3, -1, -1, 3]), gl.STATIC_DRAW);
  gl.enableVertexAttribArray(0);
  gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
  const place = (name) => gl.getUniformLocation(program, name);
  gl.bindTexture(gl.TEXTURE_3D, gl.createTexture());
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) {
    gl.texParameteri(gl.TEXTURE_3D, name, gl.NEAREST);
  }
  return {
    fill({ shape: [depth, height, width], data }) {
      const bytes = new Uint8Array(data);
      gl.texImage3D(gl.TEXTURE_3D, 0, gl.R8UI, width, height, depth, 0, gl.RED_INTEGER, gl.UNSIGNED_BYTE, bytes);
      gl.uniform3i(place("sides"), width, height, depth);
    },
    paint(turn, opacities) {
      gl.viewport(0, 0, canvas.width, canvas.height);
      gl.uniformMatrix3fv(place("turn"), false, turn);
      const colours = PHASE_BYTES.flatMap((c, i) => [...c.map((v) => v / 255), opacities[i] ?? 1]);
      gl.uniform4fv(place("phases"), new Float32Array(colours));
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    },
  };
}

/** Columns of a rotation. Without any, the section z = 0 is in front, x to the right, y down. */
function turned(yaw, pitch) {
  const [c, s, d, t] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  return new Float32Array([c, 0, s, -s * t, -d, c * t, s * d, -t, -c * d]);
}

/** The view that is turned by the mouse or the arrow keys; `show(structure)` draws another one. */
export function volumeView(names) {
  const canvas = el("canvas", { width: 360, height: 360, class: "volume", tabindex: "0", role: "img",
    "aria-label": "The volume. Turn it with the arrow keys, or drag it." });
  const paint = painter(canvas);
  if (!paint) {
    const text = "This browser has no WebGL2, so the volume is shown by its sections only.";
    return { element: el("p", { class: "note" }, text), show() {} };
  }
  let [yaw, pitch, waiting] = [0.6, 0.5, false];
  const opacities = names.map((_, i) => (i ? 1 : 0));
  const redraw = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; paint.paint(turned(yaw, pitch), opacities); });
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
  const sliders = names.map((name, i) => el("label", { class: "slider" }, el("span", {}, `Opacity, ${name}`),
    el("input", { type: "range", min: 0, max: 1, step: 0.05, value: opacities[i],
      oninput: (event) => { opacities[i] = Number(event.target.value); redraw(); } })));
  const element = el("div", { class: "turned" }, canvas, el("div", { class: "sliders" }, ...sliders));
  return { element, show(structure) { paint.fill(structure); redraw(); } };
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
