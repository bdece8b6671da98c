"""`evalkit tasks preview`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from evalkit.cli.options import Count, Seed, data_options
from evalkit.cli.tasks.showing import load_one
from evalkit.pages.terminal.console import visible


@click.command()
@click.argument("name")
@click.option(
    "--prompt", help="A variant of the task or a technique such as few_shot:5 or cot; default the first."
)
@click.option("--sample", "sample_id", help="The sample's id; default the first.")
@click.option("--model", help="The model that would be asked; default one that can do everything.")
@click.option("--num-fewshot", type=Count(0), help="Worked examples in the prompt.")
@click.option("--seed", type=Seed(), default=0, show_default=True, help="Decides the few-shot choice.")
@click.option("--diff", nargs=2, metavar="V1 V2", help="Show how two variants differ.")
@data_options("Local files instead of the task's data.")
@click.option("--include-path", multiple=True, type=click.Path(), help="A further folder with tasks.")
@click.option("--trust", is_flag=True, help="Let a task from outside the workspace run its own Python.")
def preview(
    name: str,
    prompt: str | None,
    sample_id: str | None,
    model: str | None,
    num_fewshot: int | None,
    seed: int,
    diff: tuple[str, str] | None,
    data: Mapping[str, Any],
    include_path: Sequence[str],
    trust: bool,
) -> int:
    """Print exactly what is sent to a model for one sample of a task; nothing is sent.

    What cannot be printed is shown as an escape. The token count is LiteLLM's where --model is a served
    model, else an estimate that is called one.
    """
    from evalkit.cli.arguments import refuse_idle
    from evalkit.models.making import make_model
    from evalkit.models.resolution import resolve_model
    from evalkit.running.planning import PlanOptions
    from evalkit.running.workspace import open_workspace
    from evalkit.tasks.techniques import read_library
    from evalkit.workshop.preview import diff_previews, make_preview

    if diff:
        refuse_idle("--diff names the variants that are shown", "prompt")
    workspace = open_workspace()
    task = load_one(name, include_path, trust, data)
    resolved = resolve_model(model, workspace.aliases) if model else None
    asked = (resolved, make_model(resolved, seed)) if resolved else None
    library = read_library(workspace.root / "prompts")
    previews = [
        make_preview(
            task,
            PlanOptions(
                prompts=(variant,) if variant else (),
                num_fewshot=num_fewshot,
                seed=seed,
                library=library,
                trust=trust,
            ),
            asked,
            sample_id,
        )
        for variant in (diff or (prompt,))
    ]
    if diff:
        lines = diff_previews(*previews)
        if not lines:
            click.echo(f"{visible(diff[0])} and {visible(diff[1])} send the same")
        elif sys.stdout.isatty():
            _print_colored(lines)
        else:
            click.echo(visible("\n".join(lines), keep_lines=True))
        return 0
    _print_preview(previews[0], resolved is None)
    return 0


def _print_preview(shown: Any, any_model: bool) -> None:
    from evalkit.workshop.preview import render_lines

    cell, request, sample = shown.cell, shown.request, shown.sample
    if request is None:
        click.echo(
            f"{visible(cell.model.name)} cannot be asked: task {cell.task.task.name} needs likelihoods"
        )
        return
    for line in render_lines(request.messages):
        head = line.startswith("[") and line.endswith("]")
        click.secho(visible(line), dim=True) if head else click.echo(visible(line))
    if request.text:
        _section("text")
        click.echo(visible(request.text, keep_lines=True))
    if request.continuations:
        _section("continuations, of which the likelihood is asked; * is right")
        for position, text in enumerate(request.continuations):
            click.echo(
                ("* " if position in sample.gold else "  ") + visible(json.dumps(text, ensure_ascii=False))
            )
    elif sample.target:
        _section("target, not sent")
        click.echo(visible("\n".join(sample.target), keep_lines=True))
    _section("request")
    n_tokens, how = shown.tokens()
    rows = {
        "model": "any that can do what the task asks" if any_model else cell.model.route,
        "mode": cell.mode,
        "prompt": cell.variant.name,
        "sample": sample.id,
        "few-shot": str(cell.variant.num_fewshot),
        "repeats": str(cell.repeats * cell.variant.votes),
        "parameters": json.dumps(dict(request.params), ensure_ascii=False, default=str),
        "characters": f"{shown.n_characters:,}",
        "tokens": f"{n_tokens:,} ({how})",
        "prompt digest": shown.prompt_digest,
        "request digest": request.digest,
    }
    for key, value in rows.items():
        click.echo(f"{key:<15}{visible(value)}")


def _section(title: str) -> None:
    click.secho(f"[{title}]", dim=True)


def _print_colored(lines: Sequence[str]) -> None:
    """Print a diff with the words that differ standing out."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False)
    for line, marks in mark_words(lines):
        text = Text(visible(line), style={"+": "green", "-": "red", "@": "cyan"}.get(line[:1], ""))
        if len(text) == len(line):
            for start, end in marks:
                text.stylize("bold reverse", start, end)
        console.print(text)


def mark_words(lines: Sequence[str]) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """Each line of a diff with the spans that the line it replaces does not have."""
    position = 0
    while position < len(lines):
        gone = _run(lines, position, "-")
        come = _run(lines, position + len(gone), "+")
        if not gone or not come or gone[0].startswith("---"):
            yield lines[position], []
            position += 1
            continue
        marks: list[list[tuple[int, int]]] = [[] for _ in (*gone, *come)]
        for number, (old, new) in enumerate(zip(gone, come, strict=False)):
            marks[number], marks[len(gone) + number] = _differences(old, new)
        yield from zip((*gone, *come), marks, strict=True)
        position += len(gone) + len(come)


def _run(lines: Sequence[str], start: int, sign: str) -> list[str]:
    end = start
    while end < len(lines) and lines[end].startswith(sign):
        end += 1
    return list(lines[start:end])


def _differences(old: str, new: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    import difflib
    import re

    words = [re.findall(r"\w+|\W", line[1:]) for line in (old, new)]
    starts = [[1 + sum(map(len, part[:n])) for n in range(len(part) + 1)] for part in words]
    spans: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
    matcher = difflib.SequenceMatcher(None, words[0], words[1], autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind != "equal":
            if b > a:
                spans[0].append((starts[0][a], starts[0][b]))
            if d > c:
                spans[1].append((starts[1][c], starts[1][d]))
    return spans
