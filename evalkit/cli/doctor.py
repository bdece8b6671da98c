"""`evalkit doctor`."""

from __future__ import annotations

import click

MARKS = {
    "ok": ("ok  ", "green"),
    "note": ("--  ", None),
    "warning": ("warn", "yellow"),
    "error": ("BAD ", "red"),
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else.")
def doctor(as_json: bool) -> int:
    """Look at installation, project, keys, servers, cache and machine; say what to mend.

    Shows no key and no home folder, so that it can be pasted into a report. Exits with 2 when something that
    the project names is broken.
    """
    import dataclasses
    import json

    from evalkit.pages.terminal.console import visible
    from evalkit.workshop.diagnosis import diagnose

    found = diagnose()
    broken = sum(one.status == "error" for one in found)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(one) for one in found], ensure_ascii=False, indent=2))
        return 2 if broken else 0
    subjects = max(len(one.subject) for one in found)
    for one in found:
        mark, colour = MARKS[one.status]
        text = visible(one.text)
        click.echo(f"{click.style(mark, fg=colour)}  {visible(one.subject):<{subjects}}  {text}")
        if one.cure:
            click.echo(f"{'':<6}{'':<{subjects}}  -> {visible(one.cure)}")
    warnings = sum(one.status == "warning" for one in found)
    counts = f"{broken} broken, {warnings} to look at"
    click.echo(f"\n{counts if broken or warnings else 'Everything is in order.'}")
    return 2 if broken else 0
