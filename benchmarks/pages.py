"""How soon pages answer in Chromium: click to picture, first frame of a volume, a told trial."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

from latentopt.campaign import Campaign

CLICKS, VOLUMES, TOLD = 25, 5, 8
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader"]
FLAGS += ["--enable-unsafe-swiftshader"]  # WebGL2 without a graphics card

CLICK = """async (n) => {
  const map = document.querySelector("#map"), box = map.getBoundingClientRect(), found = [];
  const legend = document.querySelector("#structure .legend").parentElement;
  for (let i = 0; i < n; i += 1) {
    const began = performance.now();
    const drawn = new Promise((done) => {
      const eye = new MutationObserver(() => { eye.disconnect(); done(performance.now()); });
      eye.observe(legend, { childList: true, subtree: true });
    });
    map.dispatchEvent(new MouseEvent("click", { bubbles: true,
      clientX: box.left + 80 + 18 * i, clientY: box.top + 60 + 12 * i }));
    found.push(await drawn - began);
    await new Promise((done) => setTimeout(done, 500));
  }
  return found;
}"""

FRAME = """async () => {
  const { volumeView } = await import("/pages/volume.js");
  const wave = (k) => Math.sin((k % 64) / 5) + Math.sin(((k >> 6) % 64) / 6)
    + Math.sin((k >> 12) / 4);
  const data = Uint8Array.from({ length: 64 ** 3 }, (_, k) => (wave(k) > 0.4 ? 1 : 0));
  const began = performance.now();
  const view = volumeView(["void", "solid"]);
  document.body.prepend(view.element);
  view.show({ shape: [64, 64, 64], data });
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const gl = view.element.querySelector("canvas").getContext("webgl2");
  gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4)); // waits for the frame
  view.element.remove();
  return performance.now() - began;
}"""


@contextmanager
def served(*arguments: str):
    command = [sys.executable, "-m", "latentopt", "serve", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def campaign(folder: Path) -> Campaign:
    return Campaign(
        objective="volume_fraction",
        evaluate=["volume_fraction"],
        strategy="prior",
        engine="serial",
        trials=TOLD + 1,
        folder=folder,
    )


def seconds_until_told(page, running: Campaign) -> float:
    rows = page.locator("#trials tbody tr")
    n = rows.count()
    running.run(1, progress=False)
    told = time.perf_counter()
    while rows.count() == n:
        time.sleep(0.005)
    return time.perf_counter() - told


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="latentopt-"))
    with sync_playwright() as driver, campaign(folder / "run") as running:
        running.run(1, progress=False)
        path = shutil.which("chromium")
        with (
            served("default", "--runs", str(folder)) as address,
            driver.chromium.launch(executable_path=path, args=FLAGS) as browser,
        ):
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.goto(address)
            page.wait_for_selector("#charts svg")
            clicks = page.evaluate(CLICK, CLICKS)
            frames = [page.evaluate(FRAME) for _ in range(VOLUMES)]
            page.goto(address.replace("/#", "/pages/run.html#"))
            page.wait_for_selector("#trials tbody tr")
            told = [seconds_until_told(page, running) for _ in range(TOLD)]
    shutil.rmtree(folder)
    print(f"click to picture, 64x64: median {statistics.median(clicks):.0f} ms (bar 100)")
    print(f"first frame of 64x64x64: {frames[0]:.0f} ms, then {min(frames):.0f} (bar 500)")
    print(f"a told trial is shown: median {statistics.median(told):.2f} s, ", end="")
    print(f"at most {max(told):.2f} (bar 2)")


if __name__ == "__main__":
    main()
