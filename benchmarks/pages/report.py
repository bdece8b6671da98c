"""A report of many samples: its size, and how long it takes to write, to open, and to show samples.

    python benchmarks/pages/report.py [--models 10] [--samples 5000] [--rounds 5]

Answers are 60 words on average, drawn from 5,000 by Zipf's law, as English words are: text that repeats
would pack too well, and text without any law too badly. The page is opened from disk in headless Chromium:
`opens` is domContentLoadedEventEnd of the navigation, `painted` is first-contentful-paint, `works` is when
the script has started and buttons answer, and a step is the time from the click or key to the end of the
frame that shows it. The first click is timed in the page, from the click to the frame after the first answer
is there; a whole search until all texts are unpacked and looked through.
"""

from __future__ import annotations

import argparse
import itertools
import random
import shutil
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from board import MEASURE
from make_runs import _cell, _task
from playwright.sync_api import sync_playwright

from evalkit.core.records import Message, ModelInfo, Response, Run, SampleResult, Usage, digest
from evalkit.pages import report
from evalkit.store.folders import RunWriter, load_run

WORDS = [
    "".join(random.Random(f"word:{i}").choices("abcdefghijklmnopqrstuvwxyz", k=2 + i % 9))
    for i in range(5000)
]
ZIPF = list(itertools.accumulate(1 / rank for rank in range(1, len(WORDS) + 1)))
WORKS = """new MutationObserver((_, observer) => {
  if (!document.querySelector(".tools:not([hidden])")) return;
  window.works = performance.now();
  observer.disconnect();
}).observe(document, {subtree: true, childList: true, attributes: true})"""
FIRST_CLICK = """() => new Promise((done) => {
  const start = performance.now();
  const observer = new MutationObserver(() => {
    if (!document.querySelector("article.answer")) return;
    observer.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
  });
  observer.observe(document.body, {subtree: true, childList: true});
  document.querySelector("td.score a").click();
})"""
SEARCH = """(word) => new Promise((done) => {
  const start = performance.now();
  const look = () => {
    if (/searching/.test(document.querySelector("#found").textContent)) return setTimeout(look, 5);
    done(performance.now() - start);
  };
  const field = document.querySelector("#find");
  field.value = word;
  field.dispatchEvent(new Event("input"));
  setTimeout(look, 200);
})"""
STEPS = (
    ("wrong answers only", "[data-filter=wrong]", "click", None),
    ("samples with a word", "#find", "input", WORDS[77]),
    ("search cleared", "#find", "input", ""),
    ("the next sample", "#sample a[rel=next]", "click", None),
)


def main() -> None:
    """Make the run, write the page, open it, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = _make(Path(name) / "run", options.models, options.samples)
        stored = load_run(folder)
        start, cpu = time.perf_counter(), time.process_time()
        page = report.write(stored)
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
        size = f"{page.stat().st_size / 1e6:.2f} MB"
        print(f"{options.models} models x {options.samples} samples: {size}")
        print(f"written in {wall:.1f} s, {cpu:.1f} s CPU")
        _browse(page, options.rounds)


def _make(folder: Path, n_models: int, n_samples: int) -> Path:
    task = replace(_task(0, n_samples), prompts={"direct": "Question: {{ question }}\nAnswer:"})
    writer = RunWriter(folder)
    cells, infos = [], {}
    questions = [_text(f"question:{i}", 40) for i in range(n_samples)]
    for index in range(n_models):
        model = f"maker-{index}/model-{index:02d}"
        right = (np.random.default_rng(index).random(n_samples) < 0.4 + 0.05 * index).astype(float)
        sink = writer.cell(f"{index:03d}")
        for place, score in enumerate(right):
            sink.append(place, _result(questions[place], place, float(score), index))
        sink.close()
        cells.append(_cell(model, task, f"{index:03d}", right, random.Random(index)))
        infos[model] = ModelInfo(model, model, model, model.partition("/")[0], ("chat", "generate"))
    writer.write(
        Run(
            id="many",
            name="",
            created="2026-01-01T00:00:00Z",
            version="0.1.0",
            git=None,
            command="evalkit run",
            status="complete",
            seed=0,
            limit=None,
            duration_s=60.0,
            tasks={task.name: task},
            models=infos,
            cells=tuple(cells),
        )
    )
    return folder


def _text(seed: str, n: int) -> str:
    rng = random.Random(seed)
    return " ".join(rng.choices(WORDS, cum_weights=ZIPF, k=n // 2 + rng.randrange(n)))


def _result(question: str, place: int, score: float, index: int) -> SampleResult:
    answer = "A" if score else "B"
    text = f"{_text(f'{index}:{place}', 60)}\nThe answer is {answer}."
    return SampleResult(
        sample_id=f"sample-{place:05d}",
        repeat=0,
        request_digest=digest([place, index]),
        messages=(Message("user", f"Question: {question}\nAnswer:"),),
        target=("A",),
        choices=(),
        response=Response(
            text=text,
            finish_reason="stop",
            usage=Usage(60, 90),
            cost_usd=0.0004,
            latency_s=round(0.3 + random.Random(f"{place}:{index}").random(), 4),
        ),
        answer=answer,
        rule="letter",
        span=(len(text) - 2, len(text) - 1),
        scores={"accuracy": score},
        stats={},
    )


def _browse(path: Path, rounds: int) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        opened, painted, works, shown, searched = [], [], [], [], []
        for _ in range(rounds):
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.add_init_script(WORKS)
            page.goto(path.as_uri())
            opened.append(
                page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
            )
            page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
            painted.append(
                page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            )
            works.append(page.evaluate("window.works"))
            shown.append(page.evaluate(FIRST_CLICK))
            searched.append(page.evaluate(SEARCH, WORDS[78]))
            if len(opened) < rounds:
                page.close()
        print(
            f"opens in {statistics.median(opened):.0f} ms (best {min(opened):.0f}), "
            f"works at {statistics.median(works):.0f} ms, painted at {statistics.median(painted):.0f} ms"
        )
        print(
            "first click on a score to its samples: "
            f"{statistics.median(shown):.0f} ms (best {min(shown):.0f})"
        )
        print(f"first search of all texts: {statistics.median(searched):.0f} ms")
        for label, selector, kind, value in STEPS:
            times = [page.evaluate(MEASURE, [selector, kind, value]) for _ in range(rounds)]
            script, frame = (statistics.median(part) for part in zip(*times, strict=True))
            print(f"{label:22} {script:6.0f} ms script and layout, {frame:6.0f} ms until shown")
        browser.close()


if __name__ == "__main__":
    main()
