"""The leaderboard in a real browser: what a reader chooses is computed anew, and nothing is asked for."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import axe_playwright_python
import pytest
from hostile import HOSTILE, storable
from page_runs import TASKS, ReadRun, build_run
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from evalkit.core.records import GroupResult, ModelFacts, TaskGroup
from evalkit.pages import leaderboard
from evalkit.pages.leaderboard import Arena, Board, Standing
from evalkit.pages.leaderboard.arena import ArenaRow

pytestmark = pytest.mark.browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
FACTS = {
    "openai/gpt-4": ModelFacts("OpenAI", "proprietary", None, None, "2023-03-14"),
    "llama3": ModelFacts("Meta", "open", "Llama 3", 8.0, "2024-04-18"),
    "hf/Qwen/Qwen2.5-7B-Instruct": ModelFacts("Alibaba", "open", "Apache-2.0", 7.6, "2024-09-19"),
}


@dataclass(frozen=True)
class Made:
    """A page, its board, and where it is."""

    board: Board
    path: Path


@dataclass
class Watched:
    """A page and what went wrong on it."""

    page: Page
    problems: list[str] = field(default_factory=list)

    def open(self, path: Path, fragment: str = "") -> Page:
        """Open a file, at a place in it."""
        self.page.goto(f"{path.as_uri()}{fragment}")
        return self.page


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The board of two runs, with facts, a group of tasks, and slices."""
    root = tmp_path_factory.mktemp("board")
    old = build_run(root / "runs", "old", ("openai/gpt-4", "llama3"), n=24, created="2025-08-01T00:00:00Z")
    new = with_group(build_run(root / "runs", "new", n=24))
    runs = [old, new]
    path = leaderboard.write(runs, root / "board", facts=FACTS)
    return Made(leaderboard.build(runs, FACTS), path)


def with_group(run: ReadRun) -> ReadRun:
    """The run with a group of its two first tasks that have one metric."""
    names = ("sentiment_zh", "everyday_choice_en")
    cells = [cell for cell in run.run.cells if cell.task == names[0] and cell.variant == "zero_shot"]
    groups = tuple(
        GroupResult(
            "choices", c.model, c.variant, names, "equal", "accuracy", "generate", c.metrics["accuracy"]
        )
        for c in cells
    )
    return run.but(groups=groups)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium; its absence is a failure."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--no-first-run"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """A fresh page; any message, error or request but for the file itself fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    found = Watched(context.new_page())
    found.page.set_default_timeout(15_000)
    found.page.on("console", lambda message: found.problems.append(f"{message.type}: {message.text}"))
    found.page.on("pageerror", lambda error: found.problems.append(f"error: {error}"))
    found.page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("file:", "data:image/svg", "blob:"))
            else found.problems.append(f"request: {request.url}")
        ),
    )
    yield found
    context.close()
    assert found.problems == []


def menu(page: Page, name: str) -> Locator:
    """An opened menu of the toolbar."""
    page.locator(f'[data-menu="{name}"] > summary').click()
    opened = page.locator(f'[data-menu="{name}"] > div')
    opened.wait_for()
    return opened


def texts(page: Page, cell: str) -> list[str]:
    """The texts of a cell of all rows, as they stand in the document."""
    return [text.strip() for text in page.locator(f"#board tbody {cell}").all_text_contents()]


def models(page: Page) -> list[str]:
    """The models in the order in which they are shown."""
    return [text.strip() for text in page.locator("#board tbody th.model .name").all_text_contents()]


def standing(board: Board, model: str) -> Standing:
    """The standing of a model over all tasks."""
    return next(found for found in board.standings["", "all"] if found.model == model)


def test_the_script_computes_what_the_program_does(watched: Watched, made: Made, browser: Browser) -> None:
    """Every text of the table, with a script and without: scores, intervals, rank sets, health, cost."""
    page = watched.open(made.path)
    page.locator('[data-toggle="cost"]').click()
    plain = browser.new_context(java_script_enabled=False).new_page()
    plain.goto(made.path.as_uri())
    for cell in ("td.rank", "th.model", "td.overall", "td.answered", "td.score:not(.mean)", "td.num"):
        assert texts(page, cell) == texts(plain, cell), cell
    plain.context.close()


def test_facets_leave_models_out_and_rank_the_others_anew(watched: Watched, made: Made) -> None:
    """The best open model is first among the open ones, and the page says among how many it ranks."""
    page = watched.open(made.path)
    box = menu(page, "models")
    box.get_by_role("group", name="Weights").get_by_label("open").check()
    assert models(page)[:2] == ["hf/Qwen/Qwen2.5-7B-Instruct", "llama3"]
    assert texts(page, "td.rank")[:2] == ["1", "2"]
    expect(page.locator("#chosen")).to_contain_text("ranks among these 2 models")
    expect(page.locator("#lede")).to_contain_text("Qwen")
    box.get_by_role("group", name="Weights").get_by_label("proprietary").check()
    assert "openai/gpt-4" in models(page)
    address = page.url
    assert "weights=open,proprietary" in address
    page.keyboard.press("Escape")
    page.locator("#reset").click()
    assert len(models(page)) == 6


def test_a_link_shows_what_its_sender_saw(watched: Watched, made: Made) -> None:
    """Filters, tasks, order, density, score and weights come back from the address alone."""
    fragment = "#sort=facts_en,a&score=mean&w=facts_en*2&language=en&density=compact&show=size&off=health"
    page = watched.open(made.path, fragment)
    expect(page.locator('th[data-key="facts_en"]')).to_have_attribute("aria-sort", "ascending")
    expect(page.locator('th[data-key="size"]')).to_be_visible()
    expect(page.locator("#board")).to_have_class("board compact")
    expect(page.locator("#chips li")).to_have_count(3)
    assert page.locator("th.task").count() == 4
    first = page.locator("#board").inner_text()
    again = page.url.partition("#")[2]
    page.goto("about:blank")
    watched.open(made.path, f"#{again}")
    assert page.locator("#board").inner_text() == first


def test_an_address_of_nonsense_is_passed_over(watched: Watched, made: Made) -> None:
    """A link that somebody mistyped still shows the board."""
    page = watched.open(
        made.path, "#view=no&sort=x,a&w=a*b,facts_en*99&not=zz&hide=%E0%A4%A&weights=zz&score=1"
    )
    assert len(models(page)) == 6
    expect(page.locator("#chips li")).to_have_count(0)


def test_own_weights_change_the_mean_and_a_weight_of_nothing_leaves_the_task_out(
    watched: Watched, made: Made
) -> None:
    """The overall score is then the weighted mean of the shown scores."""
    page = watched.open(made.path)
    menu(page, "score")
    for slider in page.locator(".weight input").all():
        if slider.get_attribute("aria-label") != "facts_en":
            slider.fill("0")
    row = page.locator("#board tbody tr").filter(has_text="llama3")
    column = page.locator("#board thead tr.heads th").evaluate_all(
        "heads => heads.findIndex(head => head.dataset.key === 'facts_en')"
    )
    assert (
        row.locator("td.overall b").inner_text() == row.locator(f"> :nth-child({column + 1}) b").inner_text()
    )
    assert "llama3" in texts(page, "th.model .name")[-3]
    page.locator('[data-weights="equal"]').click()
    overall = standing(made.board, "llama3").overall
    assert overall is not None
    assert row.locator("td.overall b").inner_text() == f"{100 * overall:.1f}"


def test_win_rates_have_no_rank_sets_and_say_so(watched: Watched, made: Made) -> None:
    """What depends on who is shown, and has no interval, ranks nobody."""
    page = watched.open(made.path)
    menu(page, "score").get_by_label("Win rate").check()
    assert set(texts(page, "td.rank")) == {"–"}
    assert set(texts(page, "td.overall small")) == {""}
    expect(page.locator("#chosen")).to_contain_text("no rank sets")
    first = float(texts(page, "td.overall b")[0])
    assert 50 < first <= 100


def test_the_column_picker_shows_facts_and_single_columns(watched: Watched, made: Made) -> None:
    """Any column comes and goes; what is unknown of a model is a dash."""
    page = watched.open(made.path)
    box = menu(page, "columns")
    box.get_by_label("Organisation").check()
    cells = texts(page, "td.fact-cell")
    assert cells[models(page).index("llama3")] == "Meta"
    assert cells[models(page).index("baseline/random")] == "–"
    box.get_by_label("p95").check()
    assert page.locator('th[data-group="cost"]').all_text_contents()[-1] == "p95"
    box.get_by_label("Refused").uncheck()
    expect(page.locator('th[data-key="refused"]')).to_have_count(0)


def test_a_group_of_tasks_folds_into_its_mean(watched: Watched, made: Made) -> None:
    """The group has a column of its own, and its tasks step behind it."""
    page = watched.open(made.path)
    fold = page.locator("[data-fold]")
    expect(fold).to_have_attribute("aria-expanded", "true")
    before = page.locator("th.task").count()
    fold.click()
    expect(page.locator("[data-fold]")).to_be_focused()
    assert page.locator("th.task").count() == before - 2
    expect(page.locator("td.score.mean").first).to_be_visible()


def test_a_group_in_a_group_stands_in_its_block(watched: Watched, made: Made, tmp_path: Path) -> None:
    """Unfolded, a group of groups shows the means inside it, each before its tasks; folded, its own alone."""
    run = build_run(tmp_path / "runs", "nested", n=24)
    cells = [c for c in run.run.cells if c.task == "sentiment_zh" and c.variant == "zero_shot"]
    inner = TaskGroup("inner", ("sentiment_zh", "everyday_choice_en"), "equal")
    outer = TaskGroup("outer", (inner, "facts_en"), "equal")
    groups = tuple(
        GroupResult(
            tree.name,
            c.model,
            c.variant,
            tree.tasks,
            "equal",
            "accuracy",
            "generate",
            c.metrics["accuracy"],
            tree.members if tree.is_nested else (),
        )
        for tree in (inner, outer)
        for c in cells
    )
    page = watched.open(leaderboard.write([run.but(groups=groups)], tmp_path / "board"))
    block = [
        text.split()[0] for text in page.locator("tr.heads th[data-group='group:0']").all_text_contents()
    ]
    assert [text[:5] for text in block[:4]] == ["outer", "inner", "senti", "every"]
    page.locator("[data-fold='0']").click()
    expect(page.locator("tr.heads th[data-group='group:0']")).to_have_count(1)


def test_the_keyboard_alone_reads_sorts_and_opens(watched: Watched, made: Made) -> None:
    """The table is one stop; arrows go from cell to cell, Enter opens the samples, Escape closes a menu."""
    page = watched.open(made.path)
    page.locator("th.overall .sort").focus()
    page.keyboard.press("Enter")
    expect(page.locator("th.overall")).to_have_attribute("aria-sort", "descending")
    stops = page.locator("#board tbody [tabindex='0']")
    expect(stops).to_have_count(1)
    stops.focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.closest('td').cellIndex") == 4
    assert page.evaluate("document.activeElement.closest('tr').dataset.index") == "1"
    expect(page.locator("#card")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("article.answer").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#board")).to_be_visible()
    assert "sort=overall,d" in page.url
    page.locator('[data-menu="tasks"] > summary').focus()
    page.keyboard.press("Enter")
    expect(page.locator('[data-menu="tasks"] input').first).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator("#chips li")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator('[data-menu="tasks"]')).not_to_have_attribute("open", "")


def test_the_matrix_tells_a_pair_and_leads_to_its_samples(watched: Watched, made: Made) -> None:
    """Difference, interval, p, samples won and lost; the same differences as the board's."""
    page = watched.open(made.path)
    pair = made.board.pairs["openai/gpt-4", "llama3"]
    cell = page.locator("#panel-pairs tbody tr").first.locator("button").last
    assert f"{100 * pair.difference:+.1f}" in cell.inner_text()
    cell.click()
    expect(page.locator("#pair-detail")).to_contain_text(f"{100 * pair.interval[0]:+.1f}")
    page.locator("#pair-task").select_option(label="facts_en")
    page.locator("#panel-pairs tbody tr").first.locator("button").last.click()
    expect(page.locator("#pair-detail")).to_contain_text("won")
    won, lost = re.findall(r"(?:won|lost)\D*(\d+)", page.locator("#pair-detail").inner_text())
    page.locator("#pair-detail a").click()
    expect(page.locator("article.answer").first).to_be_visible()
    expect(page.locator("#list a")).to_have_count(int(won) + int(lost))


def test_a_point_of_the_picture_leads_to_its_row(watched: Watched, made: Made) -> None:
    """By pointer and by key; the picture follows what is shown."""
    page = watched.open(made.path)
    page.locator('[data-quantity="latency"]').click()
    dots = page.locator("#panel-cost g.dot")
    assert dots.count() == 4
    page.locator('g.dot[aria-label^="llama3:"]').press("Enter")
    assert (
        page.evaluate("document.activeElement.closest('tr').querySelector('.name').textContent") == "llama3"
    )
    box = menu(page, "models")
    box.get_by_role("group", name="Weights").get_by_label("open").check()
    expect(dots).to_have_count(2)


def test_prompts_time_and_slices_have_their_panels(watched: Watched, made: Made) -> None:
    """Sensitivity to the prompt with intervals, a model's runs, scores by metadata."""
    page = watched.open(made.path)
    expect(page.locator("#panel-prompts tbody tr")).to_have_count(6)
    expect(page.locator("#panel-prompts td small").nth(1)).to_contain_text("…")
    page.locator("#trend-model").select_option(label="llama3")
    expect(page.locator("#panel-time figure").first.locator("circle")).to_have_count(2)
    expect(page.locator(".jumps a:visible")).to_have_count(6)


def test_exports_are_of_what_is_shown(watched: Watched, made: Made) -> None:
    """Markdown, LaTeX, CSV and JSON hold the chosen rows and columns."""
    page = watched.open(made.path, "#weights=open&language=zh")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(
        "navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }"
    )
    menu(page, "export").locator('[data-export="latex"]').click()
    latex = page.evaluate("window.copied")
    assert latex.startswith("\\begin{tabular}")
    assert "sentiment\\_zh" in latex
    assert "gpt-4" not in latex
    menu(page, "export").locator('[data-export="markdown"]').click()
    assert "| llama3 |" in page.evaluate("window.copied")
    with page.expect_download() as caught:
        menu(page, "export").locator('[data-export="shown-json"]').click()
    content = json.loads(caught.value.path().read_text(encoding="utf-8"))
    assert [row["model"] for row in content["models"]] == models(page)
    assert set(content["averaged"]) <= {"sentiment_zh", "reading_zh", "translation_zh_en"}


def test_heat_map_dark_and_print(watched: Watched, made: Made) -> None:
    """The dense view, both themes, and paper."""
    page = watched.open(made.path, "#density=heat")
    row = page.locator("#board tbody tr").first.bounding_box()
    assert row is not None
    assert row["height"] < 36
    page.emulate_media(color_scheme="dark", media="print", reduced_motion="reduce")
    expect(page.locator(".toolbar")).to_be_hidden()
    expect(page.locator(".jumps")).to_be_hidden()
    assert len(page.pdf()) > 10_000


@pytest.mark.parametrize(("scheme", "language"), [("light", "en"), ("dark", "zh")])
def test_axe_finds_nothing(watched: Watched, made: Made, scheme: str, language: str) -> None:
    """No violation of the accessibility rules that axe-core knows, menus open or shut."""
    watched.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page = watched.open(made.path)
    if language == "zh":
        page.locator('[data-action="language"]').click()
    page.evaluate(AXE)
    for name in ("models", "score", "columns"):
        menu(page, name)
        found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
        assert [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in found] == [], name
        page.keyboard.press("Escape")


def test_chinese_is_whole(watched: Watched, made: Made) -> None:
    """No word of the interface stays English, wherever it was made."""
    page = watched.open(made.path)
    page.locator('[data-action="language"]').click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    for name in ("models", "tasks", "score", "columns"):
        menu(page, name)
        page.keyboard.press("Escape")
    keys = page.locator("[data-t]").evaluate_all(
        "all => all.filter(e => e.textContent && !/[\\u4e00-\\u9fff]/.test(e.textContent))"
        ".map(e => e.dataset.t)"
    )
    same = {
        "column.cost",
        "column.latency_p95",
        "list.separator",
        "fact.version",
        "metric.bleu",
        "metric.rouge1",
    }
    same |= {"metric.f1", "metric.rougeL", "page.other_language", "fact.cost"}
    assert {key for key in keys if key not in same} == set()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board in which names, tags, variants, facts and metadata are hostile, two hundred strings in all."""
    root = tmp_path_factory.mktemp("hostile")
    strings = [storable(text)[:3000] or "empty" for text in HOSTILE]
    names = tuple(dict.fromkeys(strings))
    task = dataclasses.replace(
        TASKS[0],
        tags=names[100:],
        description=names[2],
        prompts={"zero_shot": names[0], names[1]: names[1], names[16]: names[16]},
    )
    tasks = tuple(dataclasses.replace(task, name=f"{name}") for name in (names[0], names[30], names[-1]))
    run = build_run(root / "runs", "r", names, tasks, hostile=True, n=4)
    facts = {name: ModelFacts(name, None, name, None, None) for name in names}
    return leaderboard.write([run], root / "board", facts=facts, samples=False)


@pytest.mark.parametrize("width", [360, 1280])
def test_two_hundred_hostile_strings_do_nothing(watched: Watched, hostile: Path, width: int) -> None:
    """As model, task, tag, variant, fact: read, never run, and the page stays as wide as its window."""
    watched.page.set_viewport_size({"width": width, "height": 900})
    page = watched.open(hostile, "#show=organisation.license")
    assert page.locator("#board tbody tr[data-row]").count() > 20
    for name in ("models", "tasks", "score", "columns"):
        menu(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        page.keyboard.press("Escape")
    page.locator("#board tbody th.model").nth(3).hover()
    page.locator('[data-action="language"]').click()
    page.locator("#search").fill("<script>")
    assert page.locator("#board tbody tr[data-row]").count() > 5
    page.locator("#board tbody th.model").first.hover()
    if page.locator("#view").count():
        page.locator("#view").select_option(index=1)
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img, main script, main iframe, main object, main form, main link").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(
        "navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }"
    )
    for kind in ("copy", "latex", "markdown"):
        menu(page, "export").locator(f'[data-export="{kind}"]').click()
        assert "\x1b" not in page.evaluate("window.copied")
    page.locator("#search").fill("")
    with page.expect_download() as caught:
        menu(page, "export").locator('[data-export="shown-csv"]').click()
    with caught.value.path().open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.reader(file))
    assert len(lines) == 1 + len({storable(text)[:3000] or "empty" for text in HOSTILE})
    assert not any(line[0][:1] in tuple("=+-@\t\r\n") or "\x1b" in line[0] for line in lines)


SCROLL = "document.querySelector('#board').closest('.scroll')"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Numbers alone of 150 models on 40 tasks: of such a table only what is in sight is in the document."""
    root = tmp_path_factory.mktemp("large")
    small = build_run(root / "runs", "r", ("openai/gpt-4",), TASKS[:1], n=4)
    cell, info = small.run.cells[0], next(iter(small.run.tasks.values()))
    tasks = {f"task_{index:02d}": dataclasses.replace(info, name=f"task_{index:02d}") for index in range(40)}
    models = {f"maker/model-{index:03d}": small.run.models["openai/gpt-4"] for index in range(150)}
    (name, metric), *_ = cell.metrics.items()
    cells = []
    for index, model in enumerate(models):
        value = dataclasses.replace(metric, value=index / 200, stderr=0.02, interval=None)
        cells += [
            dataclasses.replace(cell, model=model, task=task, slug=f"{index}-{task}", metrics={name: value})
            for task in tasks
        ]
    models = {model: dataclasses.replace(found, name=model, route=model) for model, found in models.items()}
    runs = [small.but(tasks=tasks, models=models, cells=tuple(cells))]
    return Made(leaderboard.build(runs), leaderboard.write(runs, root / "board"))


def test_of_a_large_table_only_what_is_in_sight_is_in_the_document(watched: Watched, large: Made) -> None:
    """Few cells, whatever is scrolled to, sorted or searched; each says which row and column it is of all."""
    page = watched.open(large.path)
    board = page.locator("#board")
    expect(board).to_have_attribute("aria-rowcount", "152")
    columns = int(board.get_attribute("aria-colcount") or 0)
    assert columns > 44
    assert models(page)[0] == "maker/model-149"
    cut = "cells => cells.filter(cell => cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.innerText)"
    assert page.locator("#board tbody tr[data-row] td").evaluate_all(cut) == []
    assert page.locator("#board tbody td").count() < 800
    page.evaluate(f"Object.assign({SCROLL}, {{scrollTop: 1e6, scrollLeft: 1e6}})")
    expect(page.locator('#board tbody tr[aria-rowindex="152"] th .name')).to_have_text("maker/model-000")
    expect(
        page.locator(f'#board tbody tr[aria-rowindex="152"] td[aria-colindex="{columns}"]')
    ).to_be_visible()
    assert page.locator("#board tbody td").count() < 800
    page.locator("#search").fill("model-07")
    expect(page.locator("#board tbody tr[data-row]")).to_have_count(10)
    cell = page.locator('tbody tr[data-row] td[aria-colindex="10"]').first
    page.evaluate(f"{SCROLL}.scrollLeft = 0")
    expect(cell).to_be_attached()
    head, found = page.locator('th[data-key="task_05"]').bounding_box(), cell.bounding_box()
    assert head is not None
    assert found is not None
    assert abs(head["x"] - found["x"]) < 1


def test_the_keys_reach_every_cell_of_a_large_table(watched: Watched, large: Made) -> None:
    """One stop, also after scrolling away; End, Home and arrows bring rows and columns into the document."""
    page = watched.open(large.path)
    stop = page.locator("#board tbody [tabindex='0']")
    page.evaluate(f"{SCROLL}.scrollTop = 3000")
    expect(page.locator('#board tbody tr[data-index="0"]')).to_have_count(0)
    expect(stop).to_have_count(1)
    stop.focus()
    row = int(page.evaluate("document.activeElement.closest('tr').dataset.index"))
    for key in ("End", "ArrowLeft", "PageDown", "ArrowDown"):
        page.keyboard.press(key)
    active = "document.activeElement.closest"
    where = f"[{active}('tr').dataset.index, {active}('td').ariaColIndex]"
    last = int(page.locator("#board").get_attribute("aria-colcount") or 0)
    assert page.evaluate(where) == [str(row + 11), str(last - 1)]
    page.keyboard.press("Home")
    page.keyboard.press("PageUp")
    assert page.evaluate(where) == [str(row + 1), "1"]
    page.evaluate(AXE)
    found = page.evaluate("axe.run('#board', {resultTypes: ['violations']})")["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in found] == []


def test_paper_has_all_rows_or_says_how_many(watched: Watched, large: Made, made: Made) -> None:
    """Paper knows no scrolling: all rows up to a bound, and what was left out is said."""
    page = watched.open(made.path)
    n = page.locator("#board tbody tr[data-row]").count()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#board tbody tr[data-row]").count() == n
    expect(page.locator("#printed")).to_be_hidden()
    page = watched.open(large.path)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    columns = page.locator("#board thead tr.heads th").count()
    assert page.locator("#board tbody tr[data-row]").count() == 6000 // columns
    expect(page.locator("#printed")).to_contain_text("of 150 models")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("#printed")).to_be_hidden()
    assert page.locator("#board tbody td").count() < 800


def test_ratings_of_the_arena_are_columns_and_a_panel(watched: Watched, tmp_path: Path) -> None:
    """They sort, explain themselves, can be put away, are in two languages and please axe; overall stays."""
    rows = [
        ArenaRow("openai/gpt-4", 1100.0, (1060.0, 1140.0), (1, 1), 0, 1090.0, 71.0, 40, 28, 1, 11),
        ArenaRow("llama3", 900.0, (860.0, 940.0), (2, 2), 0, None, 29.0, 40, 11, 1, 28),
    ]
    arena = Arena(tuple(rows), ("judge/j",), 40, 40, 2, ("A note.",))
    run = build_run(tmp_path / "runs", "r", n=12)
    page = watched.open(leaderboard.write([run], tmp_path / "board", arena=arena))
    assert page.locator('th[data-key="arena_rating"]').count() == 1
    page.locator('th[data-key="arena_rating"] .sort').click()
    assert models(page)[:2] == ["openai/gpt-4", "llama3"]
    page.locator('th[data-key="arena_rating"] .sort').click()
    assert models(page)[:2] == ["llama3", "openai/gpt-4"]
    assert "sort=arena_rating" in page.url
    at = page.locator('th[data-key="arena_rating"]').evaluate("head => head.cellIndex")
    cell = page.locator("#board tbody tr").first.locator("th, td").nth(at)
    assert cell.inner_text().split() == ["900", "860–940"]
    cell.hover()
    expect(page.locator("#card")).to_contain_text("11 / 1 / 28")
    rest = page.locator("#board tbody tr").last.locator("th, td").nth(at)
    assert rest.inner_text() == "–"
    expect(page.locator("#panel-arena")).to_be_visible()
    expect(page.locator("#panel-arena .notice")).to_have_text("A note.")
    page.locator('[data-action="language"]').click()
    expect(page.locator('th[data-key="arena_rating"]')).to_contain_text("竞技场")
    page.evaluate(AXE)
    found = page.evaluate("axe.run('#panel-arena, #board', {resultTypes: ['violations']})")["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in found] == []
    menu(page, "columns").get_by_text("竞技场评级").click()
    expect(page.locator('th[data-key="arena_rating"]')).to_have_count(0)
