"""What the terminal shows of comparisons: a table of paired differences, then the samples that changed."""

from __future__ import annotations

from typing import Any

import click

from evalkit.comparing.comparison import Comparison, Difference
from evalkit.comparing.comparison.records import Change
from evalkit.pages.comparison.wording import (
    change,
    method_sentence,
    outcome,
    pair_name,
    power_sentence,
    probability,
    span,
)
from evalkit.pages.formats import score
from evalkit.pages.terminal.console import say, visible, width
from evalkit.pages.terminal.lines import Line, print_lines

_STYLES = {
    "better": "bold green",
    "worse": "bold red",
    "not separable": "dim",
    "untested": "dim",
    "cannot tell": "dim",
}
_WORDS = {
    "better": "better",
    "worse": "worse",
    "not separable": "≈",
    "untested": "n<2",
    "cannot tell": "cannot tell",
}
_HEADS = ("base", "other", "diff", "95 %", "p Holm", "won/tied/lost", "n")
_DROPPED = ("won/tied/lost", "base", "other", "p Holm")
"""Columns that a narrow terminal does without, in this order."""
_SHOWN = 5
"""Samples that are named under a difference; fewer under many."""
_FEW = 3
"""Differences up to which all these are named."""


def print_comparison(found: Comparison) -> None:
    """Print the differences, then what stands behind each of them that is proven, then refusals."""
    if found.differences:
        _print_table(found)
        for difference in found.differences:
            if difference.slices:
                _print_slices(difference, found)
        for difference in found.differences:
            _print_changes(difference, found)
        _print_power(found)
    for refusal in found.refusals:
        what = f", {refusal.metric}" if refusal.metric else ""
        say(f"not compared: {pair_name(refusal.base, refusal.other, found.by)}{what}: {refusal.reason}")


def table(*columns: tuple[str, str]) -> Any:
    """A plain table; a column is its head and left or right."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head, justify in columns:
        made.add_column(head, justify=justify, overflow="fold")  # type: ignore[arg-type]
    return made


def show(made: Any) -> None:
    """Print a table as wide as the terminal."""
    from rich.console import Console

    Console(width=width(), highlight=False, markup=False, emoji=False).print(made)


def _print_table(found: Comparison) -> None:
    """A line for each pair under what both have in common."""
    lines = []
    for item in found.differences:
        common, _, differs = pair_name(item.base, item.other, found.by).partition(": ")
        word = outcome(item)
        lines.append(Line(f"{common} · {item.metric}", differs, _numbers(item), _WORDS[word], _STYLES[word]))
    print_lines(_HEADS, lines, _DROPPED)
    _print_legend(found)


def _print_legend(found: Comparison) -> None:
    words = {outcome(item) for item in found.differences}
    if "untested" in words:
        click.echo("n<2: one independent sample says nothing.")
    if "not separable" in words:
        click.echo("≈: not separable at 95 % after Holm's correction for all rows.")
    if any(item.n_missing for item in found.differences):
        click.echo("n −k: k samples have no score on a side; intervals take them at their worst and best.")
    if any(not item.higher_is_better for item in found.differences):
        click.echo("Differences are turned so that + is better, also where lower values are.")


def _numbers(item: Difference) -> list[str]:
    counted = item.wins + item.ties + item.losses
    return [
        score(item.base_value, item.scale),
        score(item.other_value, item.scale),
        change(item.difference, item.scale, item.is_ratio),
        span(item.interval, item.scale, item.is_ratio),
        probability(item.p_adjusted),
        f"{item.wins}/{item.ties}/{item.losses}" if counted else "–",
        f"{item.n}" + (f" −{item.n_missing}" if item.n_missing else ""),
    ]


def _print_slices(item: Difference, found: Comparison) -> None:
    click.echo(
        visible(f"{pair_name(item.base, item.other, found.by)}, {item.metric}, by slice (exploratory)")
    )
    made = table(
        ("column", "left"),
        ("value", "left"),
        ("n", "right"),
        ("difference", "right"),
        ("95 %", "right"),
        ("p (BH)", "right"),
    )
    for part in item.slices:
        made.add_row(
            visible(part.column),
            visible(part.value),
            str(part.n),
            change(part.difference, item.scale, item.is_ratio),
            span(part.interval, item.scale, item.is_ratio),
            probability(part.p_adjusted),
        )
    show(made)


def _print_changes(item: Difference, found: Comparison) -> None:
    """The samples that changed, for differences that are few enough to be read."""
    if not (item.newly_failed or item.newly_fixed) or len(found.differences) > 12:
        return
    click.echo(visible(f"\n{pair_name(item.base, item.other, found.by)}, {item.metric}", keep_lines=True))
    most = _SHOWN if len(found.differences) <= _FEW else 2
    lost, won = ("newly failed", "newly fixed") if _is_binary(item) else ("got worse", "got better")
    whole = "-o compare.html or --json"
    print_changes(f"  {lost}", item.newly_failed, item.losses, most, whole)
    print_changes(f"  {won}", item.newly_fixed, item.wins, most, whole)


def print_changes(
    label: str, changes: tuple[Change, ...], n: int, most: int = _SHOWN, whole: str = "--json"
) -> None:
    """Print the first samples of a list of changes, each with both answers."""
    if not changes:
        return
    click.echo(f"{label} ({n}):")
    room = max(20, (width() - 40) // 2)
    for each in changes[:most]:
        answers = " → ".join(_short(answer, room) for answer in (each.base_answer, each.other_answer))
        click.echo(f"    {visible(each.sample_id)}  {each.base:.3g} → {each.other:.3g}  {answers}")
    if n > most:
        click.echo(f"    ... and {n - most} more; all of them with {whole}")


def _is_binary(item: Difference) -> bool:
    return all({each.base, each.other} == {0.0, 1.0} for each in (*item.newly_failed, *item.newly_fixed))


def _short(answer: str | None, room: int) -> str:
    if answer is None:
        return "no answer"
    text = visible(" ".join(answer.split()))
    return repr(text if len(text) <= room else text[: room - 1] + "…")


def _print_power(found: Comparison) -> None:
    """What could have been seen, for the differences that were not."""
    for item in found.differences:
        sentence = method_sentence(item)
        if sentence:
            click.echo(visible(f"{pair_name(item.base, item.other, found.by)}, {item.metric}: {sentence}"))
    unseen = [item for item in found.differences if item.better is None and power_sentence(item)]
    if unseen:
        click.echo()
    for item in unseen[:6]:
        sentence = power_sentence(item)
        if sentence:
            click.echo(visible(f"{pair_name(item.base, item.other, found.by)}, {item.metric}: {sentence}"))
    lost = {(item.n_base_only, item.n_other_only) for item in found.differences} - {(0, 0)}
    for base_only, other_only in sorted(lost):
        say(f"left out: {base_only} samples that only the base has, {other_only} that only the other has")
