"""The report and the comparison in a real browser: all of it can be reached, read and left again."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import axe_playwright_python
import pytest
from hostile import HOSTILE, storable
from page_runs import TASKS, ReadRun, build_run
from playwright.sync_api import Browser, Page, expect, sync_playwright

from evalkit.comparing.comparison import compare
from evalkit.comparing.comparison.records import Refusal
from evalkit.core.records import GroupResult, Judgement, Response
from evalkit.pages import report
from evalkit.pages.comparison.page import write as write_comparison

pytestmark = pytest.mark.browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
PLACE = "#s=arithmetic_en/zero_shot/arithmetic-003"


@dataclass
class Watched:
    """A page and what went wrong on it."""

    page: Page
    problems: list[str] = field(default_factory=list)

    def open(self, path: Path, fragment: str = "") -> Page:
        """Open a file, at a place in it."""
        self.page.goto("about:blank")
        self.page.goto(f"{path.as_uri()}{fragment}")
        return self.page


@dataclass(frozen=True)
class Places:
    """The files that the tests open."""

    report: Path
    compare: Path
    hostile_report: Path
    hostile_compare: Path
    names: frozenset[str]
    """Words of the names in the ordinary run."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium; its absence is a failure."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """A fresh page; any message, error or request but for the file itself fails the test."""
    # The content security policy stays in force for the page; axe-core is put beside it.
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US", bypass_csp=True)
    found = Watched(context.new_page())
    found.page.set_default_timeout(10_000)
    found.page.on("console", lambda message: found.problems.append(f"{message.type}: {message.text}"))
    found.page.on("pageerror", lambda error: found.problems.append(f"error: {error}"))
    found.page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("file:", "data:image/svg", "blob:", "about:"))
            else found.problems.append(f"request: {request.url}")
        ),
    )
    yield found
    context.close()
    assert found.problems == []


def speak(page: Page, language: str) -> None:
    """Nothing; the page is in the language then. What a reader chose on a page is kept for the next."""
    if page.evaluate("document.documentElement.dataset.language") != language:
        page.locator('[data-action="language"]').click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans" if language == "zh" else "en")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """Pages of an ordinary run and of one in which everything is hostile."""
    root = tmp_path_factory.mktemp("pages")
    run = _with_more(build_run(root / "runs", tasks=(*TASKS[:4],), n=12))
    hostile = _hostile(root)
    found = compare(run, by="prompt")
    first = found.differences[0]
    refused = Refusal(first.base, first.other, "f1", "no sample is scored on both sides")
    tags = (tag for info in run.run.tasks.values() for tag in info.tags)
    variants = (cell.variant for cell in run.run.cells)
    names = " ".join((run.run.id, *run.run.models, *run.run.tasks, *variants, *tags))
    return Places(
        report.write(run, root / "report.html"),
        write_comparison(dataclasses.replace(found, refusals=(refused,)), root / "compare.html", runs=[run]),
        report.write(hostile, root / "hostile.html"),
        write_comparison(compare(hostile, by="prompt"), root / "hostile-compare.html", runs=[hostile]),
        frozenset(WORD.findall(names)),
    )


def _with_more(run: ReadRun) -> ReadRun:
    """The run with a judge's verdicts, samples of several calls, and a group."""
    cell = run.run.cells[0]
    said = Judgement("judge/one", "CORRECT", 1.0, "It says what is right.")
    parts = (Response(text="first try"), Response(text="second try"))
    run.read[cell.slug] = [
        dataclasses.replace(
            result, response=dataclasses.replace(result.response, judgements={"judge": said}, parts=parts)
        )
        for result in run.samples(cell.slug)
    ]
    value = cell.metrics["exact_match"]
    group = GroupResult(
        "ours", cell.model, cell.variant, ("a", "b"), "equal", "exact_match", "generate", value
    )
    noted = dataclasses.replace(cell, notes=("timeout: 2 unscored", "chat template applied (12x)"))
    return run.but(groups=(group,), cells=(noted, *run.run.cells[1:]))


def _hostile(root: Path) -> ReadRun:
    """Two hundred hostile strings as models, tasks, variants, labels, prompts, answers and metadata."""
    names = tuple(dict.fromkeys(storable(text)[:3000] or "empty" for text in HOSTILE))
    items = tuple(
        dataclasses.replace(TASKS[1].items[0], question=name, target=name, wrong=f"{name}x") for name in names
    )
    tasks = tuple(
        dataclasses.replace(
            TASKS[1],
            name=name,
            description=name,
            prompts={"zero_shot": name, f"{name} b": name},
            items=items,
            n=len(items),
        )
        for name in (names[0], names[-1])
    )
    return build_run(root / "runs", "hostile", (names[3], names[110], names[-2]), tasks, hostile=True)


def test_a_link_shows_the_list_and_the_comparison_its_sender_saw(watched: Watched, places: Places) -> None:
    """Filter, model, search and the answer that others are compared with are in the address."""
    page = watched.open(places.report, "#s=arithmetic_en/zero_shot")
    page.locator("[data-filter=wrong]").click()
    page.locator("#which").select_option(label="baseline/random")
    page.locator("#find").fill("arithmetic")
    page.locator("#list a").first.click()
    page.locator("#against").select_option(label="openai/gpt-4")
    expect(page.locator("#sample ins, #sample del").first).to_be_visible()
    found, link = page.locator("#found").inner_text(), page.evaluate("location.hash")
    assert found != "12 of 12"
    again = watched.open(places.report, link)
    expect(again.locator("#found")).to_have_text(found)
    expect(again.locator("[data-filter=wrong]")).to_have_attribute("aria-pressed", "true")
    expect(again.locator("#find")).to_have_value("arithmetic")
    expect(again.locator("#which")).to_have_value("5")
    expect(again.locator("#sample ins, #sample del").first).to_be_visible()


def test_all_prompts_stand_side_by_side_with_their_differences(watched: Watched, places: Places) -> None:
    """A row for each model, a column for each prompt; the prompts' own differences are marked, too."""
    page = watched.open(places.report, PLACE)
    expect(page.locator("article.answer")).to_have_count(6)
    page.locator("#beside").click()
    expect(page.locator("article.answer")).to_have_count(18)
    expect(page.locator(".of-prompt")).to_have_text(["zero_shot", "cot", "few_shot"])
    expect(page.locator(".prompt .fold")).to_have_count(2)
    expect(page.locator(".prompt del").first).to_contain_text("Solve")
    page.locator("#against").select_option("=")
    expect(page.locator(".beside ins").first).to_contain_text("First")
    page.locator("#beside").click()
    expect(page.locator("article.answer")).to_have_count(6)


def test_judges_and_calls_are_beside_the_answer(watched: Watched, places: Places) -> None:
    """What a judge said, and each call of a sample that took several."""
    page = watched.open(places.report, PLACE)
    card = page.locator("article.answer").first
    expect(card.locator(".judged")).to_contain_text("It says what is right.")
    card.locator(".steps-of summary").click()
    expect(card.locator(".steps-of li")).to_have_count(2)
    expect(card.locator(".steps-of")).to_contain_text("second try")


def test_refused_and_cut_off_answers_are_found(watched: Watched, places: Places) -> None:
    """Each filter shows what it says."""
    page = watched.open(places.report, "#s=arithmetic_en/few_shot")
    for name, mark in (("truncated", "cut off"), ("error", "failed call"), ("no_answer", "no answer")):
        chip = page.locator(f"[data-filter={name}]")
        if not chip.count():
            continue
        chip.click()
        page.locator("#list a").first.click()
        expect(page.locator("#sample .answer header").filter(has_text=mark).first).to_be_visible()


def test_the_keyboard_alone_filters_reads_and_leaves(watched: Watched, places: Places) -> None:
    """Tab, Enter, /, j, Escape."""
    page = watched.open(places.report)
    page.locator("td.score a").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#sample h1")).to_have_text("arithmetic-001")
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.type("bakery")
    page.locator("[data-filter=wrong]").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("j")
    expect(page.locator("[data-filter=wrong]")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(page.locator("#content")).to_be_visible()
    summary = page.locator("details.menu summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-table=latex]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("[data-table=latex]")).to_be_hidden()


def test_the_main_table_is_copied_as_the_program_writes_it(watched: Watched, places: Places) -> None:
    """LaTeX and Markdown on the clipboard, CSV as a file."""
    page = watched.open(places.report)
    page.evaluate(
        "navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }"
    )
    for form, start in (("latex", "% needs"), ("markdown", "| task")):
        page.locator("details.menu summary").click()
        page.locator(f"[data-table={form}]").click()
        page.wait_for_function("start => window.copied?.startsWith(start)", arg=start)
    page.locator("details.menu summary").click()
    with page.expect_download() as caught:
        page.locator("[data-table=csv]").click()
    assert caught.value.path().read_text(encoding="utf-8-sig").startswith("model,task,variant")


@pytest.mark.parametrize(("scheme", "language"), [("light", "en"), ("dark", "zh")])
def test_axe_finds_nothing(watched: Watched, places: Places, scheme: str, language: str) -> None:
    """Report, a sample with all prompts, and comparison, everything unfolded."""
    watched.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for path, fragment in (
        (places.report, ""),
        (places.report, f"{PLACE}&sv=all&sd=%3D"),
        (places.compare, ""),
    ):
        page = watched.open(path, fragment)
        speak(page, language)
        if fragment:
            expect(page.locator("article.answer")).to_have_count(18)
        page.evaluate(
            "document.querySelectorAll('main details').forEach((d, i) => { if (i < 40) d.open = true; })"
        )
        page.evaluate(AXE)
        found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
        assert [(v["id"], [n["html"][:160] for n in v["nodes"]][:3]) for v in found] == [], (
            f"{path.name}{fragment}"
        )


@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_no_page_is_wider_than_the_window(watched: Watched, places: Places, width: int) -> None:
    """Also with everything unfolded, and whoever named things."""
    watched.page.set_viewport_size({"width": width, "height": 900})
    for path, fragment in (
        (places.report, ""), (places.report, f"{PLACE}&sv=all"), (places.compare, ""),
        (places.hostile_report, ""), (places.hostile_compare, ""),
    ):  # fmt: skip
        page = watched.open(path, fragment)
        page.evaluate(
            "document.querySelectorAll('main details').forEach((d, i) => { if (i < 40) d.open = true; })"
        )
        page.wait_for_timeout(100)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{path.name}{fragment}"


def test_two_hundred_hostile_strings_do_nothing(watched: Watched, places: Places) -> None:
    """As model, task, variant, label, prompt, answer, metadata: read, never run; links stay in the page."""
    for path in (places.hostile_report, places.hostile_compare):
        page = watched.open(path)
        page.evaluate(
            "document.querySelectorAll('main details').forEach((d, i) => { if (i < 60) d.open = true; })"
        )
        assert page.evaluate("window.hacked") is None
        assert (
            page.locator("main img, main script, main iframe, main object, main form, main link").count() == 0
        )
        hrefs = page.locator("a[href]").evaluate_all("links => links.map(link => link.getAttribute('href'))")
        assert all(href.startswith("#") for href in hrefs)
    page = watched.open(places.hostile_report)
    page.locator('td.score a[href^="#s="]').first.click()
    expect(page.locator("article.answer").first).to_be_visible()
    page.locator("#beside").click()
    page.locator("#against").select_option(index=1)
    for _ in range(25):
        page.keyboard.press("j")
    page.locator('[data-action="language"]').click()
    assert page.evaluate("window.hacked") is None
    assert page.locator("#sample img, #sample script").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_pages_print_without_their_controls(watched: Watched, places: Places) -> None:
    """Report and comparison on paper."""
    for path in (places.report, places.compare):
        page = watched.open(path)
        page.emulate_media(media="print")
        expect(page.locator(".tools")).to_be_hidden()
        assert page.pdf().startswith(b"%PDF")
        page.emulate_media(media="screen")


def test_the_comparison_shows_both_answers(watched: Watched, places: Places) -> None:
    """From a pair to a sample that was lost or won, and what changed in its answer."""
    page = watched.open(places.compare)
    pair = page.locator("details.method").filter(has=page.locator(".changes")).first
    pair.locator("> summary").click()
    expect(pair.locator(".prompt-diff del, .prompt-diff ins").first).to_be_visible()
    change = pair.locator(".changes details").first
    change.locator("summary").click()
    expect(change.locator(".pair figure")).to_have_count(3)
    expect(change.locator(".pair ins, .pair del").first).to_be_visible()


def test_a_comparison_opens_only_what_changed(watched: Watched, places: Places) -> None:
    """A number of losses leads to those samples, marked against the base; the address keeps it all."""
    page = watched.open(places.compare)
    lost = page.locator('table.pairs a[href*="sf=failed"]').first
    n = int(lost.inner_text())
    lost.click()
    expect(page.locator("#list li")).to_have_count(n)
    expect(page.locator("[data-filter=failed]")).to_have_attribute("aria-pressed", "true")
    glyphs = page.locator("#list li .glyphs").first.locator(".glyph")
    base = page.locator("#base").evaluate("select => Number(select.value)")
    side = page.locator("#which").evaluate("select => Number(select.value)")
    expect(glyphs.nth(base)).to_have_class("glyph correct")
    expect(glyphs.nth(side)).not_to_have_class("glyph correct")
    expect(page.locator("#against")).not_to_have_value("")
    page.locator("[data-filter=differ]").click()
    differing, fixed = page.locator("#list li").count(), page.locator("[data-count=fixed]").inner_text()
    assert differing == n + int(fixed)
    again = watched.open(places.compare, page.evaluate("location.hash"))
    again.reload()
    expect(again.locator("#list li")).to_have_count(differing)
    again.locator("#base").select_option("-1")
    expect(again.locator("[data-filter=failed]")).to_have_count(0)
    expect(again.locator("[data-filter=all]")).to_have_attribute("aria-pressed", "true")


WORD = re.compile("(?<![A-Za-z0-9])[A-Za-z]{2,}(?![A-Za-z0-9])")
UI = """() => {
  const found = new Set();
  const data = 'script,style,bdi,.name,pre,code,.text,.snippet,.id,option,.signature,.what,.command-line,'
    + '.prompt-name,.both,[data-action=language]';
  const keep = (text) => { if (/[A-Za-z]{2}/.test(text)) found.add(text.trim().replace(/\\s+/g, ' ')); };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walk.nextNode();) if (!node.parentElement.closest(data)) keep(node.textContent);
  for (const element of document.querySelectorAll('[aria-label],[placeholder]')) {
    keep(element.getAttribute('aria-label') ?? ''); keep(element.getAttribute('placeholder') ?? '');
  }
  return [...found];
}"""
NAMES = {
    "evalkit", "git", "ROUGE", "BLEU", "Gaffke", "ECE", "ms", "min", "zh", "en", "LaTeX", "Markdown", "CSV",
    # What tasks say of themselves, names of prompts and labels, rules, versions of libraries, servers' names.
    "Written", "for", "CC", "number", "last", "CORRECT", "judge", "one", "ours",
    "sacrebleu", "rouge", "score", "softmax", "Holm", "UTC",
}  # fmt: skip
"""Words that are the same in both languages."""


def test_the_chinese_pages_are_chinese(watched: Watched, places: Places) -> None:
    """No word of the interface is the same in both languages, but for names; with a failed call open."""
    for path, fragment in (
        (places.report, ""),
        (places.report, f"{PLACE}&sf=error"),
        (places.compare, ""),
        (places.compare, "#s=arithmetic_en/llama3&sf=failed&sb=zero_shot&sm=cot"),
    ):
        page = watched.open(path, fragment)
        if fragment:
            expect(page.locator("article.answer").first).to_be_visible()
        page.evaluate("document.querySelectorAll('main details').forEach((d) => { d.open = true; })")
        speak(page, "en")
        english = set(page.evaluate(UI))
        speak(page, "zh")
        if fragment:
            expect(page.locator(".answers-head h2")).to_have_text("回答")
        page.evaluate("document.querySelectorAll('main details').forEach((d) => { d.open = true; })")
        own = places.names | NAMES
        left = {
            text
            for text in english & set(page.evaluate(UI))
            if any(word not in own for word in WORD.findall(text))
        }
        assert left == set(), f"{path.name}{fragment}"
