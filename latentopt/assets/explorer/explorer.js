// Decodes points of a latent space in the page, without a server: nothing is fetched.
const part = (id) => document.getElementById(id);
const space = JSON.parse(part("space").textContent);
const bytes = (id) => Uint8Array.from(atob(part(id).textContent), (c) => c.charCodeAt(0));
const [height, width] = space.shape;
const z = new Float32Array(space.latent_dim);
const colours = space.colours.map((c) => [1, 3, 5].map((k) => parseInt(c.slice(k, k + 2), 16)));
// Of classes: the same as in the pages of `latentopt serve` (classes.js; a test compares them).
const CLASS_COLOURS = {
  light: ["#d55e00", "#648fff", "#00695c", "#cc79a7", "#1b1b1b", "#5c2a9d"],
  dark: ["#ffb000", "#785ef0", "#009e73", "#aa4499", "#f4f8fb", "#cc3311"],
};
const SHAPES = [
  "M-3.4 0A3.4 3.4 0 1 1 3.4 0A3.4 3.4 0 1 1-3.4 0Z",
  "M-3-3H3V3H-3Z",
  "M0-4.2L4.2 3.2H-4.2Z",
  "M0-4.4L4.4 0L0 4.4L-4.4 0Z",
  "M0 4.2L4.2-3.2H-4.2Z",
  "M-1.4-4.4H1.4V-1.4H4.4V1.4H1.4V4.4H-1.4V1.4H-4.4V-1.4H-1.4Z",
  "M-4.2-2.2L-2.2-4.2L0-2L2.2-4.2L4.2-2.2L2 0L4.2 2.2L2.2 4.2L0 2L-2.2 4.2L-4.2 2.2L-2 0Z",
];
const paths = SHAPES.map((outline) => new Path2D(outline));
const dark = matchMedia("(prefers-color-scheme: dark)");
let session, Tensor, reference, reach, decoding = false, waiting = false;

async function inflated(id) {
  const stream = new Blob([bytes(id)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function load() {
  const code = new Blob([bytes("runtime")], { type: "text/javascript" });
  const ort = await import(URL.createObjectURL(code));
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = await inflated("wasm");
  session = await ort.InferenceSession.create(await inflated("decoder"), {
    executionProviders: ["wasm"],
  });
  Tensor = ort.Tensor;
  reference = new Float32Array((await inflated("reference")).buffer);
  reach = 3.2;
  for (let i = 0; i < reference.length; i += z.length) {
    reach = Math.max(reach, Math.abs(reference[i]), Math.abs(reference[i + 1] ?? 0));
  }
  reach *= 1.05;
}

// -- points ---------------------------------------------------------------------------------------

function uniform(seed) { // mulberry32
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function sample(seed) { // standard normal (Box and Muller 1958), inside the radius
  const draw = uniform(seed);
  for (let i = 0; i < z.length; i++) {
    z[i] = Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
  }
  const factor = Math.min(1, space.radius / Math.max(norm(), 1e-12));
  for (let i = 0; i < z.length; i++) z[i] *= factor;
}

function norm() {
  return Math.sqrt(z.reduce((sum, value) => sum + value * value, 0));
}

function distance() {
  let least = Infinity;
  for (let row = 0; row < reference.length; row += z.length) {
    let sum = 0;
    for (let i = 0; i < z.length && sum < least; i++) sum += (reference[row + i] - z[i]) ** 2;
    least = Math.min(least, sum);
  }
  return Math.sqrt(least) / space.spacing;
}

// -- what is shown --------------------------------------------------------------------------------

async function show() {
  drawMap();
  for (const slider of document.querySelectorAll(".slider input")) {
    slider.value = z[slider.dataset.axis];
    slider.nextElementSibling.textContent = z[slider.dataset.axis].toFixed(2);
  }
  if (decoding) { // the latest point is decoded next
    waiting = true;
    return;
  }
  decoding = true;
  try {
    do {
      waiting = false;
      const point = new Tensor("float32", z.slice(), [1, z.length]);
      const { images } = await session.run({ z: point });
      draw(images.data);
    } while (waiting);
  } finally {
    decoding = false;
  }
}

function draw(values) {
  const canvas = part("picture");
  const image = new ImageData(width, height);
  let second = 0;
  for (let i = 0; i < values.length; i++) {
    const phase = values[i] > 0.5 ? 1 : 0;
    second += phase;
    image.data.set([...colours[phase], 255], 4 * i);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  const share = `${((100 * second) / values.length).toFixed(1)} %`;
  const size = norm();
  part("fraction").textContent = share;
  part("norm").textContent = `${size.toFixed(2)}, ${size <= space.radius * 1.0001 ? "inside" : "outside"}`;
  part("distance").textContent = distance().toFixed(2);
  canvas.setAttribute("aria-label",
    `Structure of ${width} by ${height} voxels, ${share} of them phase 1.`);
}

function drawMap() {
  const canvas = part("map"), pen = canvas.getContext("2d"), style = getComputedStyle(canvas);
  const scale = window.devicePixelRatio || 1;
  const side = canvas.width = canvas.height = Math.max(1, Math.round(canvas.clientWidth * scale));
  const at = (value) => (side / 2) * (1 + value / reach);
  pen.strokeStyle = style.getPropertyValue("--line");
  for (const value of [-3, 0, 3]) {
    pen.strokeRect(at(value), -1, 0, side + 2);
    pen.strokeRect(-1, at(value), side + 2, 0);
  }
  for (let row = 0; row < reference.length; row += z.length) {
    dot(pen, at(reference[row]), at(-(reference[row + 1] ?? 0)), scale, space.labels?.[row / z.length]);
  }
  pen.lineWidth = 3 * scale;
  pen.strokeStyle = style.getPropertyValue("--mark");
  pen.beginPath();
  pen.arc(at(z[0]), at(-(z[1] ?? 0)), 7 * scale, 0, 2 * Math.PI);
  pen.stroke();
  canvas.setAttribute("aria-label", `Map of the first two axes: the point is at ${z[0].toFixed(2)}` +
    ` on axis 1 and ${(z[1] ?? 0).toFixed(2)} on axis 2.`);
}

function colourOf(label) {
  const colours = CLASS_COLOURS[dark.matches ? "dark" : "light"];
  return label >= 0 ? colours[label % colours.length]
    : getComputedStyle(part("map")).getPropertyValue("--dot");
}

/** A reference structure on the map: of a class in its colour and shape, else a small square. */
function dot(pen, x, y, scale, label) {
  pen.fillStyle = colourOf(label);
  if (!(label >= 0)) {
    pen.fillRect(x - scale, y - scale, 2 * scale, 2 * scale);
    return;
  }
  pen.save();
  pen.translate(x, y);
  pen.scale(scale, scale);
  pen.fill(paths[label % paths.length]);
  pen.restore();
}

/** What the colours and shapes of the map mean. */
function legend() {
  const found = (space.class_names ?? []).entries();
  const present = [...found].filter(([label]) => space.labels.includes(label));
  part("classes").replaceChildren(...present.map(([label, name]) => {
    const item = document.createElement("li"), sign = document.createElement("canvas");
    const scale = window.devicePixelRatio || 1;
    sign.width = sign.height = 14 * scale;
    sign.setAttribute("aria-hidden", "true");
    dot(sign.getContext("2d"), 7 * scale, 7 * scale, 1.3 * scale, label);
    item.append(sign, name);
    return item;
  }));
}

// -- what is asked --------------------------------------------------------------------------------

function move(x, y) {
  z[0] = Math.max(-reach, Math.min(reach, x));
  if (z.length > 1) z[1] = Math.max(-reach, Math.min(reach, y));
  show();
}

function clicked(event) {
  const box = part("map").getBoundingClientRect();
  const unit = (2 * reach) / box.width;
  const x = (event.clientX - box.left) * unit - reach, y = reach - (event.clientY - box.top) * unit;
  let best = -1, least = (5 * unit) ** 2; // a dot within five pixels
  for (let row = 0; row < reference.length; row += z.length) {
    const apart = (reference[row] - x) ** 2 + ((reference[row + 1] ?? 0) - y) ** 2;
    if (apart < least) [best, least] = [row, apart];
  }
  if (best < 0) {
    move(x, y);
  } else {
    z.set(reference.subarray(best, best + z.length));
    show();
  }
}

function pressed(event) {
  const step = event.shiftKey ? 1 : 0.1;
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
  if (!way) return;
  event.preventDefault();
  move(z[0] + step * way[0], (z[1] ?? 0) + step * way[1]);
}

function sliders() {
  for (let axis = 0; axis < Math.min(8, z.length); axis++) {
    const row = document.createElement("label");
    row.className = "slider";
    const name = document.createElement("span"), value = document.createElement("output");
    name.textContent = `Axis ${axis + 1}`;
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", min: -4, max: 4, step: 0.05, value: 0 });
    slider.dataset.axis = axis;
    slider.addEventListener("input", () => {
      z[axis] = Number(slider.value);
      show();
    });
    row.append(name, slider, value);
    part("sliders").append(row);
  }
}

function begin() {
  Object.assign(part("picture"), { width, height });
  sliders();
  part("map").addEventListener("click", clicked);
  part("map").addEventListener("keydown", pressed);
  part("mean").addEventListener("click", () => { z.fill(0); show(); });
  part("sample").addEventListener("click", () => {
    part("seed").value = (Number(part("seed").value) + 1) % 4294967296;
    sample(Number(part("seed").value));
    show();
  });
  part("seed").addEventListener("change", () => { sample(Number(part("seed").value)); show(); });
  window.addEventListener("resize", drawMap);
  legend();
  dark.addEventListener("change", () => { drawMap(); legend(); });
  for (const id of ["sample", "seed", "mean"]) part(id).disabled = false;
}

try {
  await load();
  begin();
  sample(0);
  await show();
  part("state").textContent = "Ready: this page decodes by itself, without a server.";
} catch (error) {
  part("state").className = "alert";
  part("state").setAttribute("role", "alert");
  part("state").textContent = `The decoder cannot run in this browser: ${error.message}`;
}
