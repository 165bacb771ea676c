// Colours of phases, as in the pictures and reports of latentopt, and a scale for numbers.

import { dark } from "./dom.js";

/** Of phase 0, 1, ... (latentopt.pictures.PHASE_COLOURS; a test compares them). */
export const PHASE_COLOURS = [
  "#26364a", "#ecdfc6", "#c8553d", "#6fa58f", "#f2a541",
  "#7d5a86", "#8cc1cf", "#5d6b2f", "#d98cb3", "#9a9a9a",
];

/** The same as red, green, blue from 0 to 255. */
export const PHASE_BYTES = PHASE_COLOURS.map(bytesOf);

// Viridis at nine places: its lightness grows evenly, so it survives grey printing.
const SCALE = [
  "#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c",
  "#28ae80", "#5ec962", "#addc30", "#fde725",
].map(bytesOf);

/** The colour of a share from 0 to 1, without the end of the scale that the page swallows. */
export function scaled(share) {
  const [from, to] = dark.matches ? [0.2, 1] : [0, 0.93];
  const place = (from + (to - from) * Math.min(1, Math.max(0, share))) * (SCALE.length - 1);
  const i = Math.min(SCALE.length - 2, Math.floor(place));
  const mixed = SCALE[i].map((low, k) => Math.round(low + (place - i) * (SCALE[i + 1][k] - low)));
  return `rgb(${mixed.join()})`;
}

/** The scale as a CSS gradient. */
export function gradient() {
  return `linear-gradient(to right, ${SCALE.map((_, i) => scaled(i / (SCALE.length - 1))).join()})`;
}

/** Red, green and blue of "#rrggbb". */
export function bytesOf(colour) {
  return [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
}
