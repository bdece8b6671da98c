"""`evalkit metrics`."""

from __future__ import annotations

import re

import click


@click.command()
@click.argument("name", required=False, metavar="[NAME]")
def metrics(name: str | None) -> int:
    """List the metrics, or explain one: its formula, its source, why a score may be low."""
    from evalkit.metrics.explained import explanations
    from evalkit.pages.terminal.console import width

    if name is not None:
        click.echo(_explained(name))
        return 0
    formatter = click.HelpFormatter(width=width())
    rows = []
    for page in sorted(explanations(), key=lambda page: page.title):
        names = ", ".join(page.metrics) or {"evaluate": "evaluate/NAME"}.get(page.page, page.page)
        rows.append((page.title, re.sub("@[0-9]", "@k", names)))
    formatter.write_dl(rows, col_max=42)
    click.echo(formatter.getvalue())
    click.echo("evalkit metrics NAME explains one; a function in task.py (@metric) is one of your own.")
    return 0


def _explained(name: str) -> str:
    """The explanation of a metric as the terminal shows it."""
    from evalkit.metrics import explained

    page, metric = explained.explain(name)
    parts = [f"{name} · {page.title}", _plain(page.lead)]
    if metric is not None:
        better = "higher is better" if metric.higher_is_better else "lower is better"
        parts.append(_plain(explained.definition(metric, page)))
        parts.append(
            f"values     {explained.scale(metric)}; {better}; {explained.aggregation(metric)}\n"
            f"tasks      of kind {', '.join(sorted(metric.kinds))}\n"
            f"signature  {metric.signature}"
        )
    parts += [f"Formula\n\n{_indented(page.formula)}", _plain(page.source)]
    parts.append(f"Why is my score low?\n\n{_plain(page.why)}")
    settable = explained.options(metric) if metric is not None else {}
    if settable:
        rows = [
            f"  {option:<20} {_plain(page.options[option])}"
            + ("" if default is None else f" (default {str(default).lower()})")
            for option, default in settable.items()
        ]
        parts.append("\n".join(["Options", "", *rows]))
    return "\n\n".join(parts)


def _plain(text: str) -> str:
    """Markdown as text: links with their address behind them where it is one of the web, no marks."""
    text = re.sub(r"\[([^\]]+)\]\((https?://[^)]+)\)", r"\1 (\2)", text.strip())
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
    return re.sub(r"(?<!\w)\*(\w[^*]*)\*", r"\1", text.replace("**", "")).replace("`", "")


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.strip().splitlines())
