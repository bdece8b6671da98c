"""The pages in a real browser: nothing is asked for, nothing fails, everything can be reached."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from page_runs import HOSTILE, build_run, clean, hostile_run
from playwright.sync_api import Browser, Page, expect, sync_playwright

from evalkit.pages import leaderboard, report

pytestmark = pytest.mark.browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""The system's browser; None for the one that Playwright brings."""
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


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
def browser() -> Iterator[Browser]:
    """Headless Chromium; its absence is a failure."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """A fresh page; any message, error or request but for the file itself fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    found = Watched(context.new_page())
    found.page.set_default_timeout(10_000)
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


@dataclass(frozen=True)
class Places:
    """The files that the tests open."""

    report: Path
    board: Path
    hostile_report: Path
    hostile_board: Path


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """Pages of an ordinary and of a hostile run."""
    root = tmp_path_factory.mktemp("pages")
    run, hostile = build_run(root / "runs", n=12), hostile_run(root / "runs")
    return Places(
        report.write(run, root / "report.html"),
        leaderboard.write([run], root / "board"),
        report.write(hostile, root / "hostile.html"),
        leaderboard.write([hostile], root / "hostile"),
    )


def column(page: Page, index: int) -> list[str]:
    """The texts of a column of the board, row by row as shown."""
    cells = page.locator(f"#board tbody tr:not([hidden]) > :nth-child({index})")
    return [text.split("\n")[0] for text in cells.all_inner_texts()]


def test_a_page_opens_in_the_language_of_its_reader(browser: Browser, places: Places, tmp_path: Path) -> None:
    """Chinese where the browser is, unless its maker or the reader chose otherwise; that is remembered."""
    english = tmp_path / "english.html"
    english.write_text(report.render(build_run(tmp_path / "runs", n=2), lang="en"), encoding="utf-8")
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    root = page.locator("html")
    page.goto(places.board.as_uri())
    expect(root).to_have_attribute("lang", "zh-Hans")
    expect(page.get_by_role("heading", level=1)).to_have_text("排行榜")
    page.goto(english.as_uri())
    expect(root).to_have_attribute("lang", "en")
    page.goto(places.report.as_uri())
    page.get_by_role("button", name="English").click()
    page.goto(places.board.as_uri())
    expect(root).to_have_attribute("lang", "en")
    context.close()


def test_the_board_sorts_by_any_column_and_says_so(watched: Watched, places: Places) -> None:
    """A click sorts, a second one turns round, and assistive technology is told."""
    page = watched.open(places.board)
    models = column(page, 2)
    head = page.locator("th.task").first
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    scores = [float(text) for text in column(page, 5)]
    assert scores == sorted(scores, reverse=True)
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert [float(text) for text in column(page, 5)] == sorted(scores)
    page.get_by_role("button", name="Rank").click()
    assert column(page, 2) == models


def test_unknown_values_stand_last_in_either_direction(watched: Watched, places: Places) -> None:
    """A dash is no number."""
    page = watched.open(places.board)
    last = page.locator("th.task").last
    for _ in range(2):
        last.get_by_role("button").click()
        texts = column(page, 4 + page.locator("th.task").count())
        assert texts[-1] == "–"
        assert texts[0] != "–"


def test_the_filter_finds_models_and_the_address_keeps_it(watched: Watched, places: Places) -> None:
    """A link shows what its sender saw."""
    page = watched.open(places.board)
    page.get_by_placeholder("Find a model").fill("qwen")
    assert column(page, 2) == ["hf/Qwen/Qwen2.5-7B-Instruct"]
    page.get_by_role("button", name="Health").click()
    address = page.url
    assert "q=qwen" in address
    other = page.context.new_page()
    other.goto(address)
    assert column(other, 2) == ["hf/Qwen/Qwen2.5-7B-Instruct"]
    expect(other.locator('th[data-group="health"]').first).to_be_hidden()


def test_a_facet_shows_its_tasks_and_their_standings(watched: Watched, places: Places) -> None:
    """The overall score is that of the tasks one sees."""
    page = watched.open(places.board)
    before = column(page, 3)
    page.locator('[data-menu="tasks"] summary').click()
    page.get_by_role("group", name="Language").get_by_label("zh").check()
    expect(page.locator("th.task:visible")).to_have_count(4)
    assert column(page, 3) != before


def test_a_view_shows_another_variant(watched: Watched, places: Places) -> None:
    """Tasks without the variant step aside; the default comes back as it was."""
    page = watched.open(places.board)
    row = page.locator("#board tbody tr").first
    before = row.inner_text()
    tracks = row.locator(".track rect").evaluate_all("all => all.map(rect => rect.outerHTML)")
    page.locator("#view").select_option(label="cot")
    expect(page.locator("th.task:visible")).to_have_count(1)
    page.locator("#view").select_option(index=0)
    expect(page.locator("th.task:visible")).to_have_count(8)
    assert row.inner_text() == before
    assert row.locator(".track rect").evaluate_all("all => all.map(rect => rect.outerHTML)") == tracks


def test_the_script_writes_cells_as_the_server_does(watched: Watched, places: Places) -> None:
    """Two makers of one cell must agree."""
    page = watched.open(places.board)
    shown = page.locator("td.score").evaluate_all("cells => cells.map(cell => cell.outerHTML)")
    page.locator("#view").select_option(label="few_shot")
    made = page.locator("td.score:visible").evaluate_all("cells => cells.map(cell => cell.outerHTML)")
    shape = re.compile(r'"[^"]*"|>[^<]*<')
    kinds = {shape.sub("", cell) for cell in shown}
    assert {shape.sub("", cell) for cell in made} <= kinds


def test_a_cell_tells_all_about_itself(watched: Watched, places: Places) -> None:
    """Under the pointer and under the focus: metrics, signature, counts."""
    page = watched.open(places.board)
    page.locator("td.score a").first.hover()
    card = page.locator("#card")
    expect(card).to_be_visible()
    expect(card).to_contain_text("n = 12")
    expect(card).to_contain_text("exact_match|lang:en")
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    page.locator("td.score a").nth(3).focus()
    expect(card).to_be_visible()


def test_a_click_leads_to_the_samples_with_models_side_by_side(watched: Watched, places: Places) -> None:
    """From a number to one prompt's answers from several models."""
    page = watched.open(places.board)
    page.locator("td.score a").first.click()
    answers = page.locator("article.answer")
    expect(answers).to_have_count(6)
    first, second = answers.nth(0).bounding_box(), answers.nth(1).bounding_box()
    assert first is not None
    assert second is not None
    assert first["y"] == second["y"]
    assert first["x"] < second["x"]
    expect(answers.nth(0).locator("h3")).to_have_text("openai/gpt-4")
    expect(answers.nth(0).locator("mark").first).to_be_visible()
    expect(page.locator(".message")).to_have_count(2)
    page.get_by_role("link", name="Back to the tables").click()
    expect(page.locator("#board")).to_be_visible()


def test_a_permalink_opens_its_sample(watched: Watched, places: Places) -> None:
    """#s=task/variant/id."""
    page = watched.open(places.report, "#s=reading_zh/chat/reading-003")
    expect(page.locator("#sample h1")).to_have_text("reading-003")
    expect(page.locator(".targets")).to_contain_text("高岭土")


def test_a_permalink_to_nothing_says_so(watched: Watched, places: Places) -> None:
    """Neither an empty page nor an error."""
    page = watched.open(places.report, "#s=no_such/task")
    expect(page.locator("#browser .notice")).to_contain_text("no_such / task")
    page.goto(f"{places.report.as_uri()}#s=facts_en/zero_shot/%E0%A4%A")
    expect(page.locator("#sample .notice")).to_contain_text("%E0%A4%A")


def test_samples_are_filtered_and_searched(watched: Watched, places: Places) -> None:
    """By verdict, by disagreement, by text; the counts follow."""
    page = watched.open(places.report, "#s=facts_en/zero_shot")
    rows = page.locator("#list li")
    expect(rows).to_have_count(12)
    page.locator('[data-filter="wrong"]').click()
    expect(page.locator('[data-filter="wrong"]')).to_have_attribute("aria-pressed", "true")
    n = rows.count()
    assert 0 < n <= 12
    assert page.locator('[data-count="wrong"]').inner_text().strip() == str(n)
    page.locator('[data-filter="disagree"]').click()
    expect(rows.first).to_be_visible()
    page.locator('[data-filter="all"]').click()
    page.locator("#find").fill("tungsten")
    expect(rows).to_have_count(6)
    page.locator("#find").fill("no such text")
    expect(page.locator("#found")).to_contain_text("No sample")


def test_differences_between_answers_are_marked(watched: Watched, places: Places) -> None:
    """By word, in the answers of the other models."""
    page = watched.open(places.report, "#s=translation_zh_en/zero_shot")
    page.locator("#against").select_option(label="openai/gpt-4")
    expect(page.locator("article.answer ins").first).to_be_visible()
    expect(page.locator("article.answer").first.locator("ins, del")).to_have_count(0)


def test_the_keyboard_alone_goes_through_the_samples(watched: Watched, places: Places) -> None:
    """j and k step, Escape returns."""
    page = watched.open(places.report, "#s=facts_en/zero_shot")
    expect(page.locator("#sample h1")).to_have_text("facts-001")
    page.keyboard.press("j")
    expect(page.locator("#sample h1")).to_have_text("facts-002")
    page.keyboard.press("k")
    expect(page.locator("#sample h1")).to_have_text("facts-001")
    page.keyboard.press("Escape")
    expect(page.locator("#content")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.tagName") in ("A", "BODY", "DIV")


def test_the_language_switches_in_the_page(watched: Watched, places: Places) -> None:
    """All words, `lang`, placeholders, and the samples too; and back."""
    page = watched.open(places.board)
    page.get_by_role("button", name="切换为中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.locator("h1")).to_have_text("排行榜")
    expect(page.locator("#search")).to_have_attribute("placeholder", "查找模型")
    expect(page.locator("th.task .metric").first).to_contain_text("精确匹配")
    page.locator("td.score a").first.click()
    expect(page.locator("#sample")).to_contain_text("提示词")
    page.get_by_role("button", name="Switch to English").click()
    expect(page.locator("#sample")).to_contain_text("Prompt")


def test_the_theme_switches_and_follows_the_system(watched: Watched, places: Places) -> None:
    """Dark where asked for, by the system or by the button."""
    page = watched.open(places.board)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    assert light != dark
    page.get_by_role("button", name="Switch between light and dark").click()
    assert page.evaluate(ground) == light


@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_no_page_is_wider_than_the_window(watched: Watched, places: Places, width: int) -> None:
    """Tables scroll inside themselves, from a telephone to a wall."""
    watched.page.set_viewport_size({"width": width, "height": 900})
    for path, fragment in (
        (places.board, ""),
        (places.report, ""),
        (places.report, "#s=facts_en/zero_shot/facts-001"),
        (places.hostile_report, ""),
        (places.hostile_board, ""),
    ):
        page = watched.open(path, fragment)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name


def test_without_a_script_the_tables_are_whole(browser: Browser, places: Places) -> None:
    """The numbers are in the document."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for path in (places.board, places.report):
        page.goto(path.as_uri())
        expect(page.locator("td.score").first).to_be_visible()
        expect(page.get_by_text("need JavaScript")).to_be_visible()
        expect(page.locator(".tools")).to_be_hidden()
    context.close()


def test_a_browser_that_cannot_unpack_is_told(watched: Watched, places: Places) -> None:
    """The samples are then said to be in the run folder."""
    watched.page.add_init_script("delete window.DecompressionStream")
    page = watched.open(places.report, "#s=facts_en/zero_shot")
    expect(page.locator("#browser .notice")).to_contain_text("DecompressionStream")


def test_the_table_is_copied_and_saved(watched: Watched, places: Places) -> None:
    """CSV and JSON come out of the page as they stand beside it."""
    page = watched.open(places.board)
    for kind in ("csv", "json"):
        page.locator('[data-menu="export"] summary').click()
        with page.expect_download() as caught:
            page.locator(f'[data-export="{kind}"]').click()
        saved = caught.value.path().read_bytes().removeprefix(b"\xef\xbb\xbf")
        assert saved == (places.board.parent / f"leaderboard.{kind}").read_bytes()


def test_the_board_prints(watched: Watched, places: Places) -> None:
    """Controls stay off the paper."""
    page = watched.open(places.board)
    page.emulate_media(media="print")
    expect(page.locator(".toolbar")).to_be_hidden()
    expect(page.locator("#board")).to_be_visible()
    assert page.pdf().startswith(b"%PDF")


def test_hostile_strings_do_nothing_anywhere(watched: Watched, places: Places) -> None:
    """As names, prompts, answers, metadata: they are read, never run, and links lead nowhere else."""
    for path in (places.hostile_board, places.hostile_report):
        page = watched.open(path)
        assert page.evaluate("window.hacked") is None
        assert page.locator("main img, main script, main iframe, main object").count() == 0
        for href in page.locator("a[href]").evaluate_all(
            "links => links.map(link => link.getAttribute('href'))"
        ):
            assert href.startswith("#"), href
        links = page.locator('a[href^="#s="]')
        links.nth(1).click()
        expect(page.locator("article.answer")).to_have_count(len(HOSTILE))
        for _ in range(len(HOSTILE) - 1):
            page.keyboard.press("j")
            assert page.evaluate("window.hacked") is None
        page.locator("#against").select_option(index=2)
        for detail in page.locator("#sample details").all():
            detail.locator("summary").click()
        page.locator('[data-action="language"]').click()
        assert page.evaluate("window.hacked") is None
        assert page.locator("#sample img, #sample script").count() == 0
        names = page.locator("article.answer h3").all_inner_texts()
        assert clean(HOSTILE[0]) in names
        page.evaluate("location.hash = ''")


def test_controls_in_answers_are_shown(watched: Watched, places: Places) -> None:
    """An escape sequence and an override are marks that one can see."""
    page = watched.open(places.hostile_report)
    page.locator('a[href^="#s="]').first.click()
    page.locator("#find").fill("title")
    page.locator("#list a").first.click()
    expect(page.locator("#sample .control").first).to_have_text("‹ESC›")
    page.locator("#find").fill("txt.exe")
    page.locator("#list a").first.click()
    expect(page.locator("#sample .control").first).to_have_text("‹U+202E›")
