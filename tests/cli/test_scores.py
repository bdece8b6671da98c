"""The table of a run in the terminal: as wide as it may be, whoever named the models."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hostile import HOSTILE, storable
from page_runs import TASKS, ReadRun, build_run

from evalkit.pages.report import best_slugs, render
from evalkit.pages.report.cells import best_by_errors
from evalkit.pages.terminal import console, figures, scores
from evalkit.pages.terminal.text import clip, columns

NAMES = tuple(dict.fromkeys(storable(text)[:3000] for text in HOSTILE))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> ReadRun:
    """Six models, six rows."""
    return build_run(tmp_path_factory.mktemp("runs"), tasks=TASKS[:3], n=30)


def table(
    run: ReadRun, wide: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """The lines that are printed in a terminal of this width, without what follows the table."""
    for module in (console, figures, scores):
        monkeypatch.setattr(module, "width", lambda: wide)
    console.print_run(run.run, best=best_slugs(run))
    text = capsys.readouterr().out
    return text[: text.index("without a score") if "without a score" in text else len(text)].split("\n")


@pytest.mark.parametrize("wide", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(
    demo: ReadRun, wide: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And every cell's score is there with its interval."""
    lines = table(demo, wide, monkeypatch, capsys)
    assert max(map(columns, lines)) <= wide
    text = "\n".join(lines)
    for cell in demo.run.cells:
        value = cell.metrics[demo.run.tasks[cell.task].headline]
        assert figures.format_value(value) in text
        assert figures.format_interval(value, short=wide < 76) in text or "±" in text


def test_the_best_group_is_that_of_the_report(
    demo: ReadRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The terminal and the page mark the same cells, and not only the highest number."""
    best = best_slugs(demo)
    lines = table(demo, 60, monkeypatch, capsys)
    assert sum(bool(re.search(r"\d\*", line)) for line in lines) == len(best)
    html = render(demo, samples=False)
    assert len(re.findall(r'class="num value best"', html)) == len(best) > 6
    assert len(best) > len({(cell.task, cell.variant) for cell in demo.run.cells})


def test_health_time_and_cost_stand_under_the_models(
    demo: ReadRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last rows of the wide table; only what there is."""
    text = "\n".join(table(demo, 200, monkeypatch, capsys))
    for name in ("failed", "truncated", "no answer", "cached", "latency p50", "cost"):
        assert re.search(rf"^ ?{name} ", text, re.M), name
    quiet = demo.but(models={m: i for m, i in demo.run.models.items() if m.startswith("baseline/")})
    quiet = quiet.but(cells=tuple(cell for cell in demo.run.cells if cell.model in quiet.run.models))
    assert "failed" not in "\n".join(table(quiet, 200, monkeypatch, capsys))


def test_without_samples_the_best_are_told_by_their_errors(demo: ReadRun) -> None:
    """Where nothing can be paired; a model that is far behind is not among them."""
    found = best_by_errors(demo.run)
    assert found
    assert not any(model.startswith("baseline/") for _, _, model in found)


@pytest.mark.parametrize("wide", [60, 80, 200])
def test_hostile_names_do_not_steer_the_terminal(
    tmp_path: Path, wide: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two hundred names of models, tasks and variants: no control, no markup, no line that is too wide."""
    tasks = tuple(
        replace(TASKS[0], name=name, prompts={"zero_shot": "x", name: "y"}) for name in NAMES[:200:100]
    )
    run = build_run(tmp_path, "r", NAMES, tasks, n=2)
    lines = table(run, wide, monkeypatch, capsys)
    assert max(map(columns, lines)) <= wide
    assert not any(
        ord(c) < 32 or 127 <= ord(c) < 160 or 0x202A <= ord(c) <= 0x202E for line in lines for c in line
    )
    assert "[bold]x[/bold]" in "\n".join(lines)


def test_a_name_is_clipped_in_its_middle() -> None:
    """Both ends tell names apart; wide characters count twice."""
    assert clip("openai/gpt-4", 20) == "openai/gpt-4"
    assert clip("abcdefghij", 7) == "abc…hij"
    assert columns(clip("中文模型名称很长" * 10, 20)) <= 20
    assert columns("中a\u0301") == 3
