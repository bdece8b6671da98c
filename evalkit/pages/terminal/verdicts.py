"""What the terminal shows of a gate: the verdict first, then the table, then the newly failed samples."""

from __future__ import annotations

from collections.abc import Sequence

import click

from evalkit.gate import Gate
from evalkit.gate.planning import Need
from evalkit.pages.formats import score
from evalkit.pages.gate.wording import HEADS, TITLES, cures, explanation, footnotes, headline, row
from evalkit.pages.terminal.console import say, visible
from evalkit.pages.terminal.differences import print_changes
from evalkit.pages.terminal.lines import Line, print_lines

_COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow", "not comparable": "magenta"}


def print_gate(gate: Gate) -> None:
    """Print the verdict, its table, and what stands behind it."""
    title = click.style(f" {TITLES[gate.verdict]} ", fg="black", bg=_COLOURS[gate.verdict], bold=True)
    click.echo(f"{title} {visible(headline(gate))}")
    blocking = [obstacle for obstacle in gate.obstacles if not obstacle.allowed]
    for obstacle in blocking:
        click.echo(visible(f"  {obstacle.kind}: {obstacle.cell}: {obstacle.text}"))
    if blocking:
        click.echo(visible(cures(gate)))
    if gate.checks:
        _print_checks(gate)
    for check in gate.checks:
        what = f"{check.candidate.task} · {check.metric}"
        print_changes(visible(f"newly failed on {what}"), check.newly_failed, check.n_newly_failed)
    for check in gate.checks:
        if explanation(check):
            click.echo(visible(explanation(check)))
    for note in footnotes(gate):
        click.echo(click.style(visible(note), dim=True))
    if gate.verdict == "inconclusive":
        say(
            "WARNING: the gate is INCONCLUSIVE: nothing is proven, in either direction. "
            "It exits with 0; with --strict it exits with 3."
        )


def print_needs(needs: Sequence[Need], notes: Sequence[str]) -> None:
    """Print how many samples a gate needs and what it can see."""
    lines = [
        Line(
            "",
            f"{need.task} · {need.variant} · {need.model} · {need.metric}",
            (
                score(need.margin, need.scale),
                str(need.n),
                score(need.mde, need.scale),
                "–" if need.n_pass is None else f"{need.n_pass:,}",
                "–" if need.n_fail is None else f"{need.n_fail:,}",
                f"{need.sd:.3g}",
            ),
            f"best repeats {need.best_repeats}" if need.best_repeats else "",
            "dim",
        )
        for need in needs
    ]
    if lines:
        print_lines(("allowed", "n", "drop seen", "n to pass", "n to fail", "sd"), lines, ("sd",))
    for source in dict.fromkeys(need.sd_source for need in needs):
        which = [f"{need.task} · {need.metric}" for need in needs if need.sd_source == source]
        of = "" if len(which) == len(needs) else f" of {', '.join(which)}"
        click.echo(visible(f"sd{of}: {source}"))
    click.echo("drop seen: the true drop that fails with power 0.8 at n")
    click.echo("n to pass: samples at which an unchanged model passes with power 0.8")
    click.echo("n to fail: samples at which a drop of twice what is allowed fails with power 0.8")
    for note in notes:
        click.echo(visible(note))


def _print_checks(gate: Gate) -> None:
    """A line for each check: the failed ones first."""
    many = len({check.candidate.model for check in gate.checks}) > 1
    lines = []
    for check in sorted(gate.checks, key=lambda c: ("fail", "inconclusive", "pass").index(c.verdict)):
        where, metric, *numbers, verdict = row(check, many)
        lines.append(Line("", f"{where} · {metric}", numbers, verdict, f"bold {_COLOURS[check.verdict]}"))
    click.echo()
    print_lines(HEADS[2:-1], lines, ("n", "p", "allowed"))
