"""A leaderboard of very many models: seconds to build it, milliseconds to sort and filter it in a browser.

    python benchmarks/pages/board.py [--models 1000] [--tasks 50] [--samples 0] [--rounds 5] [--runs FOLDER]

Building counts reading the runs, making the board and writing the three files, as `evalkit leaderboard`
does. With `--runs` the runs are made in a folder that stays, or are there already. In the browser, the time
from the click or key to the end of the frame that shows its effect (performance.now around the event, then
two animation frames, of which the first is the one that paints) and the script's part of it are taken; the
median of the rounds is printed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from make_runs import make_runs
from playwright.sync_api import Page, sync_playwright

from evalkit.pages import leaderboard
from evalkit.store.folders import load_runs

MEASURE = """
async ([selector, kind, value]) => {
  const target = document.querySelector(selector);
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const start = performance.now();
  if (kind === "click") target.click();
  else if (kind === "scroll") target.scrollTop = value;
  else { target.value = value; target.dispatchEvent(new Event(kind, { bubbles: true })); }
  document.body.offsetHeight;
  const script = performance.now() - start;
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return [script, performance.now() - start];
}
"""
STEPS = (
    ("sort by overall", "th.overall .sort", "click", None),
    ("sort by model", "th.model .sort", "click", None),
    ("sort by a task", "th.task .sort", "click", None),
    ("search", "#search", "input", "fjord 1"),
    ("search cleared", "#search", "input", ""),
    ("scroll to the middle", ".scroll:has(#board)", "scroll", 20000),
    ("a facet on", "[data-menu=models] input[type=checkbox]", "click", None),
    ("a facet off", "[data-menu=models] input[type=checkbox]", "click", None),
    ("health columns", "[data-toggle=health]", "click", None),
)


def main() -> None:
    """Build, open, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--tasks", type=int, default=50)
    parser.add_argument("--samples", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=Path)
    options = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folder = options.runs or root / "runs"
        if not folder.exists():
            make_runs(folder, options.models, options.tasks, options.samples)
        wall, cpu = time.perf_counter(), time.process_time()
        runs, _ = load_runs(folder)
        read = time.process_time() - cpu
        page = leaderboard.write(runs, root / "board", samples=False)
        print(
            f"built in {time.perf_counter() - wall:.1f} s wall, {time.process_time() - cpu:.1f} s CPU "
            f"({read:.1f} s of it reading); {page.stat().st_size / 1e6:.1f} MB"
        )
        _browse(page, options.rounds)


def _browse(path: Path, rounds: int) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(path.as_uri())
        loaded = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
        painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        print(f"opens in {loaded:.0f} ms, first painted after {painted:.0f} ms")
        page.locator("[data-menu=models] summary").click()
        for label, selector, kind, value in STEPS:
            times = [_measure(page, selector, kind, value) for _ in range(rounds)]
            script, frame = (statistics.median(part) for part in zip(*times, strict=True))
            print(f"{label:22} {script:6.0f} ms script and layout, {frame:6.0f} ms until shown")
        browser.close()


def _measure(page: Page, selector: str, kind: str, value: Any) -> tuple[float, float]:
    script, frame = page.evaluate(MEASURE, [selector, kind, value])
    return float(script), float(frame)


if __name__ == "__main__":
    main()
