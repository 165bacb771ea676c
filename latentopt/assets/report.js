// The script of a report. The page defines before it: `structures`, PNG by trial as base64;
// `proportions`, width over height of a picture; `darkColours`, by the colour on a light page.

const dark = matchMedia("(prefers-color-scheme: dark)");
const chartOptions = { responsive: true, displaylogo: false, displayModeBar: "hover" };

function coloured(value, key = "") {
  if (!dark.matches) return value;
  if (typeof value === "string") return (/color/.test(key) && darkColours[value]) || value;
  if (Array.isArray(value)) return value.map((item) => coloured(item, key));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, coloured(v, k)]));
}

function draw(name, data, layout) {
  // Plotly writes into what it is given, so each drawing has a copy.
  const parts = () => structuredClone([coloured(data), coloured(layout)]);
  Plotly.newPlot(name, ...parts(), chartOptions).then(preview);
  dark.addEventListener("change", () => Plotly.react(name, ...parts(), chartOptions));
}

// The structure of the trial under the mouse.
const box = document.createElement("figure");
box.id = "preview";
document.body.appendChild(box);

function preview(chart) {
  chart.on("plotly_hover", (event) => {
    const trial = event.points.map((p) => p.customdata).find((t) => t in structures);
    if (trial !== undefined) showStructure(trial, event.event.clientX, event.event.clientY);
  });
  chart.on("plotly_unhover", hideStructure);
}

function showStructure(trial, x, y) {
  const picture = new Image();
  picture.src = "data:image/png;base64," + structures[trial];
  picture.alt = "";
  picture.style.aspectRatio = proportions;
  const caption = document.createElement("figcaption");
  caption.textContent = "trial " + trial;
  box.replaceChildren(picture, caption);
  box.style.left = x + (x > window.innerWidth / 2 ? -190 : 30) + "px";
  box.style.top = Math.min(y + 20, window.innerHeight - 210) + "px";
  box.style.display = "block";
}

function hideStructure() { box.style.display = "none"; }
