// Structures as pictures: a section on a canvas, every voxel a pixel that the page enlarges.

import { PHASE_BYTES, PHASE_COLOURS } from "./colours.js";
import { el } from "./dom.js";

/** A plane of a structure: itself in 2-D, the section `index` across an axis in 3-D. */
export function section({ shape, data }, axis = 0, index = undefined) {
  if (shape.length === 2) return { height: shape[0], width: shape[1], at: (i, j) => data[i * shape[1] + j] };
  const [depth, height, width] = shape;
  const k = index ?? Math.floor(shape[axis] / 2);
  if (axis === 0) return { height, width, at: (i, j) => data[(k * height + i) * width + j] };
  if (axis === 1) return { height: depth, width, at: (i, j) => data[(i * height + k) * width + j] };
  return { height: depth, width: height, at: (i, j) => data[(i * height + j) * width + k] };
}

/** Draw a plane on a canvas. */
export function draw(canvas, plane) {
  canvas.width = plane.width;
  canvas.height = plane.height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(plane.width, plane.height);
  let place = 0;
  for (let i = 0; i < plane.height; i += 1) {
    for (let j = 0; j < plane.width; j += 1) {
      const [red, green, blue] = PHASE_BYTES[plane.at(i, j) % PHASE_BYTES.length];
      image.data.set([red, green, blue, 255], place);
      place += 4;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** A picture of a structure (the middle section of a volume) with its text alternative. */
export function picture(structure, text) {
  return draw(el("canvas", { class: "structure", role: "img", "aria-label": text }), section(structure));
}

/** Share of each phase. */
export function shares(structure, phases) {
  const counts = new Array(phases).fill(0);
  for (const phase of structure.data) counts[phase] += 1;
  return counts.map((n) => n / structure.data.length);
}

/** Phases with their colours, names and shares. */
export function legend(structure, names) {
  const found = shares(structure, names.length);
  return el("ul", { class: "legend", "aria-label": "Phases" },
    ...names.map((name, i) => el("li", {},
      el("span", { class: "key", style: `background:${PHASE_COLOURS[i % PHASE_COLOURS.length]}` }),
      `${name}: ${(100 * found[i]).toFixed(1)} %`)));
}

/** Text alternative of a structure. */
export function described(structure, names) {
  const parts = shares(structure, names.length).map((s, i) => `${(100 * s).toFixed(0)} % ${names[i]}`);
  return `${structure.shape.join(" by ")} voxels, ${parts.join(", ")}`;
}
