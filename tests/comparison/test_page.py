"""The page of a comparison."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_runs import TASKS, ReadRun, build_run
from shard_reader import read_shards

from evalkit.comparing.comparison import compare
from evalkit.pages.comparison.evidence import find_evidence
from evalkit.pages.comparison.page import render
from evalkit.pages.diffs import MAX_UNITS, marked


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> ReadRun:
    """Variants of two tasks."""
    return build_run(tmp_path_factory.mktemp("runs"), tasks=TASKS[:2], n=24)


@settings(max_examples=60, deadline=None)
@given(
    st.text(alphabet="ab ,\n中文字\x1b\u2028", max_size=40),
    st.text(alphabet="ab ,\n中文字\x1b\u2028", max_size=40),
)
def test_both_texts_can_be_read_from_their_difference(base: str, other: str) -> None:
    """Nothing is lost: the same and the removed are the base, the same and the added the other."""
    runs = marked(base, other)
    assert "".join(text for kind, text in runs if kind != "added") == base
    assert "".join(text for kind, text in runs if kind != "removed") == other


def test_chinese_differs_by_character_and_english_by_word() -> None:
    """The unit in which each is read."""
    assert marked("答案是北京", "答案是南京") == [
        ("same", "答案是"), ("removed", "北"), ("added", "南"), ("same", "京"),
    ]  # fmt: skip
    assert marked("it is left", "it is lift") == [
        ("same", "it is "), ("removed", "left"), ("added", "lift"),
    ]  # fmt: skip


def test_very_long_texts_are_shown_and_not_compared() -> None:
    """A page must open."""
    text = "a," * MAX_UNITS
    assert marked("b", text) == [("same", text)]


def test_the_page_marks_how_prompts_differ_and_shows_both_answers(demo: ReadRun) -> None:
    """Template against template; for each sample that changed both responses."""
    found = compare(demo, by="prompt")
    html = render(found, runs=[demo])
    assert "<del>Solve" in html
    assert re.search(r"<ins>Let(&#39;|')s", html)
    told = find_evidence(found.differences, [demo], 50)
    for item, evidence in zip(found.differences, told, strict=True):
        changed = {change.sample_id for change in (*item.newly_failed, *item.newly_fixed)}
        assert set(evidence) == changed
        for id, both in evidence.items():
            cells = {
                c.variant: c for c in demo.run.cells if (c.model, c.task) == (item.base.model, item.base.task)
            }
            texts = [
                next(r for r in demo.samples(cells[variant].slug) if r.sample_id == id).response
                for variant in (item.base.variant, item.other.variant)
            ]
            assert both.base == (texts[0].text or "")
            assert "".join(text for kind, text in both.other if kind != "removed") == (texts[1].text or "")


def test_without_the_runs_the_page_still_names_the_samples(demo: ReadRun) -> None:
    """A comparison that was kept as JSON can be drawn."""
    html = render(compare(demo, by="prompt"))
    assert 'class="plain-change"' in html
    assert "<figure" not in html[: html.index('id="texts"')]


def test_the_chinese_page_says_its_power_in_chinese(demo: ReadRun) -> None:
    """Also the sentence with numbers."""
    html = render(compare(demo, by="prompt"), lang="zh")
    assert "有 0.8 的概率被发现" in html[: html.index('id="texts"')]


def test_hostile_prompts_and_answers_are_text(demo: ReadRun, tmp_path: Path) -> None:
    """Marked differences are made of text alone."""
    hostile = "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>\x1b[2J\u202e"
    task = dataclasses.replace(
        TASKS[0],
        prompts={"zero_shot": f"a {hostile}", f"b{hostile}": f"b {hostile} c"},
        items=tuple(
            dataclasses.replace(item, question=hostile, target=f"1{hostile}", wrong=f"2{hostile}")
            for item in TASKS[0].items
        ),
    )
    run = build_run(tmp_path, "r", ("openai/gpt-4", "llama3"), (task,), n=12)
    html = render(compare(run, by="prompt"), runs=[run])
    assert "<script>window" not in html
    assert "<img" not in html
    assert "\x1b" not in html
    assert "\u202e" not in html


def test_the_page_has_the_samples_of_each_group_side_by_side(demo: ReadRun) -> None:
    """A link leads to the samples that got worse, by the verdicts that the index has of them."""
    found = compare(demo, by="prompt")
    html = render(found, runs=[demo])
    shards = {(shard["task"], shard["variant"]): shard for shard in read_shards(html)}
    for item in found.differences:
        shard = shards[item.other.task, item.other.model]
        base, other = (shard["models"].index(cell.variant) for cell in (item.base, item.other))
        verdicts = {
            sample["id"]: {answer["m"]: answer["v"] for answer in sample["answers"]}
            for sample in shard["samples"]
        }
        for change in item.newly_failed:
            if change.base == 1.0:
                assert verdicts[change.sample_id][base] == "correct"
                assert verdicts[change.sample_id][other] != "correct"
    place = f"#s={found.differences[0].other.task}/"
    assert place in html
    assert "&amp;sf=failed&amp;sm=" in html
    assert read_shards(render(found, runs=[demo], samples=False)) == []
    assert "sf=failed" not in render(found, runs=[demo], samples=False)
