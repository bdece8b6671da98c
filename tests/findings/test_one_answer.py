"""One value, one interval, one verdict: every surface says the same of the same pair, on random boards."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from factories import write_task
from playwright.sync_api import Browser, Page, sync_playwright

import evalkit
from evalkit import MockModel, compare
from evalkit.cli import cli
from evalkit.comparing.findings import adjust
from evalkit.core.errors import CallError
from evalkit.core.records import CellResult, Request
from evalkit.pages import leaderboard
from evalkit.pages.report import best_slugs
from evalkit.stats import Stratum, pool, pool_centred
from evalkit.stats.evidence import Evidence
from evalkit.stats.gaffke import Values
from evalkit.store.folders import StoredRun

pytestmark = pytest.mark.browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SCRIPTS = Path(evalkit.__file__).parent / "pages" / "templates" / "js"
TASKS = ("one", "two", "three")
PROMPTS = {"plain": "{{ question }}", "polite": "Please: {{ question }}"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium of the system."""
    if CHROMIUM is None:
        pytest.skip("no Chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page in English."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    yield context.new_page()
    context.close()


@dataclass(frozen=True)
class Random:
    """A random run of some models on tasks of 0/1 scores."""

    stored: StoredRun
    seed: int


def make_run(folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> Random:
    """Models of random quality, on shared questions, with calls that fail, with two prompts in one task."""
    rng = random.Random(seed)
    monkeypatch.chdir(folder)
    (folder / "evalkit.yaml").write_text("")
    sizes = {name: rng.choice([12, 48, 60]) for name in TASKS}
    for name in TASKS:
        rows = [
            {"id": f"{name}{i}", "question": f"{name}{i}", "answer": f"{name}{i}"} for i in range(sizes[name])
        ]
        prompts = PROMPTS if name == "one" else {"plain": PROMPTS["plain"]}
        write_task(folder / "tasks" / name, rows, name=name, prompts=prompts, chance=rng.choice([0.0, 0.25]))

    def model(number: int) -> MockModel:
        right, fails, gain = rng.uniform(0.3, 1.0), rng.choice([0.0, 0.0, 0.06]), rng.uniform(-0.5, 0.3)

        def answer(request: Request) -> str:
            dice = random.Random(f"{seed}:{number}:{request.sample_id}")
            hard = random.Random(f"{seed}:{request.sample_id}").random()
            if dice.random() < fails:
                raise CallError("down", kind="bad_request", action="fail_sample")
            share = right + (gain if request.messages[-1].text.startswith("Please") else 0.0)
            return request.sample_id if 0.6 * hard + 0.4 * dice.random() < share else "wrong"

        return MockModel(answer, name=f"m{number}")

    models = [model(number) for number in range(4)]
    return Random(evalkit.run(models=models, tasks=TASKS, prompts=["all"]), seed)


READ_MATRIX = """() => {
  const rows = [...document.querySelectorAll("#panel-pairs tbody tr")];
  const names = rows.map((row) => row.querySelector("th").innerText.replace(/^\\d+\\s*/, ""));
  const said = (cell) => cell.querySelector("button")?.getAttribute("aria-label") ?? "";
  const cells = (row) => [...row.querySelectorAll("td")].slice(0, names.length);
  const all = (row, i) => cells(row).map((cell, j) => [names[i], names[j], cell.className, said(cell)]);
  return rows.flatMap(all);
}"""
READ_PROMPTS = """() => [...document.querySelectorAll("#panel-prompts tbody tr")].map((row) => {
  const other = row.querySelectorAll("td")[1];
  return [row.querySelector("th").innerText.trim(), other.className, other.innerText];
})"""


def kind_of(classes: str) -> str:
    """What a colour says."""
    return "better" if " up" in classes else "worse" if " down" in classes else "not separable"


def p_of(text: str) -> float | None:
    """The p-value in a text; None where it is below what is shown, or unknown."""
    found = re.search(r"p = ([\d.]+)", text)
    return float(found[1]) if found else None


def contradictions(
    run: Random, folder: Path, page: Page, change: Callable[[str], str] = lambda html: html
) -> list[str]:
    """Where two surfaces say different things: page, compare (text and JSON), the run's table, exports."""
    path = leaderboard.write([run.stored], folder / "board")
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    board = json.loads((folder / "board" / "leaderboard.json").read_text(encoding="utf-8"))
    page.goto(path.as_uri())
    arguments = ["compare", str(run.stored.folder), "--by", "model", "--json"]
    compared = json.loads(CliRunner().invoke(cli, arguments).output)["differences"]
    lines = str(compare(run.stored, by="model")).splitlines()
    best = best_slugs(run.stored)
    found: list[str] = []
    for task in TASKS:
        page.locator("#pair-task").select_option(label=task)
        shown = {(a, b): (kind_of(k), label) for a, b, k, label in page.evaluate(READ_MATRIX) if a != b}
        items = [d for d in compared if (d["other"]["task"], d["other"]["variant"]) == (task, "plain")]
        for item in items:
            found += of_pair(task, item, shown, lines)
        for cell in run.stored.run.cells:
            if (cell.task, cell.variant) == (task, "plain"):
                entry = next(c for c in board["cells"] if c["model"] == cell.model and c["task"] == task)
                found += of_cell(cell, entry["rank"], shown, cell.slug in best)
    found += of_prompts(page, {d.other.model: d.better for d in compare(run.stored, by="prompt").differences})
    return found


def of_pair(
    task: str, item: dict[str, Any], shown: dict[tuple[str, str], tuple[str, str]], lines: list[str]
) -> Iterator[str]:
    """What compare says of a pair against what the matrix of the page says."""
    a, b = item["other"]["model"], item["base"]["model"]
    word, label = shown[a, b]
    said = "better" if item["difference"] > 0 else "worse"
    said = "not separable" if item["p_adjusted"] > 0.05 else said
    if word != said:
        yield f"{task}: the page says {a} is {word} than {b}, compare {said}"
    line = next(row for row in lines if row.startswith(f"{task} · plain: {b} → {a},"))
    if not line.endswith(f": {said}"):
        yield f"{task}: the text of compare says {line}, its JSON {said}"
    p = p_of(label)
    if p is not None and abs(p - item["p_adjusted"]) > 0.0006:
        yield f"{task}: {a} and {b}: p is {p} on the page and {item['p_adjusted']} in compare"
    numbers = re.findall(r"[+−]?\d+\.\d", label.split(": ", 1)[1])[:3]
    page_says = [float(number.replace("−", "-")) for number in numbers]
    compare_says = [100 * value for value in (item["difference"], *item["interval"])]
    if not np.allclose(page_says, compare_says, atol=0.051):
        yield f"{task}: {label}, and compare says {compare_says}"


def of_cell(
    cell: CellResult, rank: list[int], shown: dict[tuple[str, str], tuple[str, str]], best: bool
) -> Iterator[str]:
    """The places of a cell in the JSON, and its mark in the run's table, against the colours of the page."""
    words = [word for (model, _), (word, _) in shown.items() if model == cell.model]
    expected = [1 + words.count("worse"), len(words) + 1 - words.count("better")]
    if rank != expected:
        yield f"{cell.task}: {cell.model} has rank {rank}, and the colours say {expected}"
    if best != (expected[0] == 1):
        yield f"{cell.task}: {cell.model} is marked best: {best}, and the colours say {expected}"


def of_prompts(page: Page, compared: dict[str, bool | None]) -> Iterator[str]:
    """The panel of prompts against compare."""
    for name, classes, text in page.evaluate(READ_PROMPTS):
        said = {True: "better", False: "worse", None: "not separable"}[compared[name]]
        if kind_of(f" {classes}") != said:
            yield f"the panel of prompts says {name} is {kind_of(f' {classes}')} ({text}), compare {said}"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_surface_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: Page, seed: int
) -> None:
    """Numbers, colours and words of page, terminal and JSON agree, whatever was answered or failed."""
    run = make_run(tmp_path, seed, monkeypatch)
    assert contradictions(run, tmp_path, page) == []


def test_a_wrong_constant_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: Page) -> None:
    """Another level on the page, or another correction in the program, contradicts the rest."""
    run = make_run(tmp_path, 1, monkeypatch)
    planted = contradictions(run, tmp_path, page, lambda html: relevel(html))
    assert any("the page says" in text for text in planted)
    monkeypatch.setattr("evalkit.comparing.comparison.builder.adjust", lambda up, down: adjust(up, down) / 3)
    assert any("p is" in text or "the page says" in text for text in contradictions(run, tmp_path, page))


def relevel(html: str) -> str:
    """The page with a level of 1, and without the policy that pins its script."""
    changed = html.replace("const ALPHA = 0.05;", "const ALPHA = 1;")
    assert changed != html
    return re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", changed)


def chosen(stored: StoredRun, models: set[str], tasks: set[str]) -> StoredRun:
    """The run with a choice of models and tasks, first prompts only."""

    def keep(cell: CellResult) -> bool:
        return cell.model in models and cell.task in tasks and cell.variant == "plain"

    cells = tuple(cell for cell in stored.run.cells if keep(cell))
    return StoredRun(replace(stored.run, cells=cells), stored.folder, stored.notes)


@pytest.mark.parametrize(
    ("without", "hidden"), [("three", ""), ("", "m1"), ("two", "m0"), ("one,three", "m2")]
)
def test_the_page_computes_a_choice_as_the_program_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: Page, without: str, hidden: str
) -> None:
    """Overall scores, their intervals and places of a reader's choice are the program's to 1e-9."""
    run = make_run(tmp_path, 4, monkeypatch)
    path = leaderboard.write([run.stored], tmp_path / "board")
    page.goto(f"{path.as_uri()}#not={without}&hide={hidden}")
    shown = download(page)
    tasks, models = set(TASKS) - set(without.split(",")), {"m0", "m1", "m2", "m3"} - {hidden}
    board = leaderboard.build([chosen(run.stored, models, tasks)])
    standings = {standing.model: standing for standing in board.standings["", "all"]}
    assert {record["model"] for record in shown} == models
    for record in shown:
        standing = standings[record["model"]]
        assert standing.interval is not None
        made = (standing.overall, *standing.interval)
        assert (record["overall"], record["overall_low"], record["overall_high"]) == pytest.approx(
            made, abs=1e-9
        )
        assert tuple(record["rank"]) == standing.rank


def download(page: Page) -> list[dict[str, Any]]:
    """The JSON of what the page shows."""
    page.locator('[data-menu="export"] > summary').click()
    with page.expect_download() as waiting:
        page.locator('[data-export="shown-json"]').click()
    return list(json.loads(Path(waiting.value.path()).read_text(encoding="utf-8"))["models"])


PORT = """(cases) => {
  const results = [];
  for (const { tallies, shares, rows, up, down } of cases) {
    const parts = tallies.map(([wins, losses, known, n], k) => {
      const tally = { wins: (i) => (i === 0 ? wins : known), losses: () => losses, n: () => n };
      return { share: shares[k], tally };
    });
    const interval = centredInterval(rows);
    results.push({ p: pooledP(parts, 0, 1), interval, adjusted: adjustPairs(up, down) });
  }
  return results;
}"""


def test_the_port_is_exact(page: Page) -> None:
    """Pooled p-values, intervals and corrections of the script are the program's to 1e-9, on random tasks."""
    rng = np.random.default_rng(5)
    cases = []
    for _ in range(120):
        n_tasks = int(rng.integers(1, 6))
        tallies, rows = [], []
        for _ in range(n_tasks):
            n = int(rng.choice([2, 5, 20, 100, 400]))
            wins, known = (int(x) for x in rng.multinomial(n, [rng.random() / 3, rng.random() / 3, 0.34])[:2])
            losses = min(n - wins, known + int(rng.integers(0, 2) * rng.integers(0, 3)))
            tallies.append([wins, losses, known, n])
            floor = float(rng.choice([0.0, 0.25, 0.5]))
            right = int(rng.choice([0, n, rng.integers(0, n + 1)]))
            weight = float(rng.choice([1.0, 0.5, 3.0]))
            rows.append({"n": n, "right": right, "weight": weight, "factor": 1 / (1 - floor), "floor": floor})
        up, down = rng.random(7) ** 4, rng.random(7)
        shares = [row["weight"] * row["factor"] for row in rows]
        cases.append({"tallies": tallies, "shares": shares, "rows": rows, "up": list(up), "down": list(down)})
    page.goto("about:blank")
    script = (SCRIPTS / "board_statistics.js").read_text(encoding="utf-8")
    results = page.evaluate(f"(cases) => {{ {script}\nreturn ({PORT})(cases); }}", cases)
    for case, result in zip(cases, results, strict=True):
        assert result["p"] == pytest.approx(pooled(case), abs=1e-9)
        assert result["interval"] == pytest.approx(centred(case["rows"]), abs=1e-9)
        assert result["adjusted"] == pytest.approx(list(adjust(case["up"], case["down"])), abs=1e-12)


def pooled(case: dict[str, Any]) -> float:
    """The program's p of the same tallies."""
    parts = []
    moves = np.array([-1.0, 0.0, 1.0])
    for wins, losses, known, n in case["tallies"]:
        worst, best = (
            Values(moves, np.ones(3), np.array([down, n - wins - down, wins], dtype=float))
            for down in (losses, known)
        )
        parts.append(Evidence(worst, best, -1.0, 1.0))
    return pool(parts, case["shares"], mid=True).p_above()


def centred(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """The program's interval of the same rows."""
    strata, least, most = [], 0.0, 0.0
    total = sum(row["weight"] for row in rows)
    for row in rows:
        x = np.r_[np.ones(row["right"]), np.zeros(row["n"] - row["right"])]
        ends = (-row["floor"] * row["factor"], (1 - row["floor"]) * row["factor"])
        values = (x - row["floor"]) * row["factor"]
        strata.append(Stratum(values, values, None, *ends, row["weight"]))
        least, most = least + row["weight"] * ends[0] / total, most + row["weight"] * ends[1] / total
    low, high = pool_centred(strata).interval(0.025)
    return max(low, least), min(high, most)
