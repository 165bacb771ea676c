// Tables that are sorted by their heads and filtered by the controls above them.

for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const control = (name) => document.querySelector(`[data-${name}="${table.id}"]`);
  const [words, kind, count] = ["filter", "kind", "count"].map(control);

  function valueOf(row, column) {
    const cell = row.cells[column];
    if (heads[column].classList.contains("number")) {
      return "value" in cell.dataset ? Number(cell.dataset.value) : NaN;
    }
    return cell.textContent;
  }

  function sort(column) {
    const rising = heads[column].getAttribute("aria-sort") !== "ascending";
    heads.forEach((head) => head.setAttribute("aria-sort", "none"));
    heads[column].setAttribute("aria-sort", rising ? "ascending" : "descending");
    const sign = rising ? 1 : -1;
    rows.sort((a, b) => {
      const [x, y] = [valueOf(a, column), valueOf(b, column)];
      if (typeof x === "string") return sign * x.localeCompare(y);
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return sign * (x - y);
    });
    body.append(...rows);
  }

  function filter() {
    const wanted = words.value.toLowerCase();
    for (const row of rows) {
      const found = row.textContent.toLowerCase().includes(wanted);
      row.hidden = !found || (kind.value !== "" && row.dataset.kind !== kind.value);
    }
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} trials`;
  }

  heads.forEach((head, k) => head.querySelector("button").addEventListener("click", () => sort(k)));
  words.addEventListener("input", filter);
  kind.addEventListener("change", filter);

  // The number of a trial shows its structure: what the mouse does in charts, by keyboard or touch.
  for (const row of rows) {
    const head = row.cells[0];
    const trial = head.dataset.value;
    if (!(trial in structures)) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = trial;
    button.setAttribute("aria-label", `show the structure of trial ${trial}`);
    button.addEventListener("click", () => {
      const place = button.getBoundingClientRect();
      showStructure(trial, place.right, place.top);
    });
    button.addEventListener("blur", hideStructure);
    head.replaceChildren(button);
  }
}

document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideStructure(); });
