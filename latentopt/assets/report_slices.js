// Volumes: a slice along each axis, with a slider. The voxels are in one PNG, slice below slice.

for (const view of document.querySelectorAll(".slices")) {
  const shape = view.dataset.shape.split(",").map(Number);
  const edges = view.dataset.edges.split(",").map(Number);
  const step = Number(view.dataset.step);
  const picture = new Image();
  picture.onload = () => {
    const whole = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
    whole.drawImage(picture, 0, 0);
    const pixels = whole.getImageData(0, 0, picture.width, picture.height).data;
    [0, 1, 2].forEach((axis) => view.append(sliced(axis, new Uint32Array(pixels.buffer))));
    view.parentElement.querySelector("img").hidden = true;
  };
  picture.src = "data:image/png;base64," + view.dataset.volume;

  function sliced(axis, voxels) {
    const [rows, columns] = [0, 1, 2].filter((other) => other !== axis);
    const strides = [shape[1] * shape[2], shape[2], 1];
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [shape[columns], shape[rows]];
    canvas.style.aspectRatio = (shape[columns] * edges[columns]) / (shape[rows] * edges[rows]);
    canvas.setAttribute("role", "img");
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", min: 0, max: shape[axis] - 1 });
    slider.value = Math.floor(shape[axis] / 2);
    const text = document.createElement("span");
    const show = () => {
      const at = Number(slider.value);
      const context = canvas.getContext("2d");
      const image = context.createImageData(canvas.width, canvas.height);
      const seen = new Uint32Array(image.data.buffer);
      for (let i = 0; i < shape[rows]; i++) {
        for (let j = 0; j < shape[columns]; j++) {
          seen[i * shape[columns] + j] =
            voxels[at * strides[axis] + i * strides[rows] + j * strides[columns]];
        }
      }
      context.putImageData(image, 0, 0);
      text.textContent = `${"zyx"[axis]} = ${at * step}`;
      canvas.setAttribute("aria-label", `${view.dataset.label}, slice ${text.textContent}`);
    };
    slider.addEventListener("input", show);
    show();
    const label = document.createElement("label");
    label.append(text, slider);
    const figure = document.createElement("div");
    figure.append(canvas, label);
    return figure;
  }
}
