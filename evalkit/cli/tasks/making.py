"""`evalkit tasks new`."""

from __future__ import annotations

import click

from evalkit.pages.terminal.console import visible


@click.command()
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(["generate", "choice", "perplexity"]),
    default="generate",
    show_default=True,
    help="The model writes, chooses, or scores a text.",
)
@click.option(
    "--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Of the samples."
)
def new(name: str, kind: str, lang: str) -> int:
    """Make the folder tasks/NAME with a task that runs at once, to be filled with your own samples."""
    from evalkit.running.workspace import open_workspace
    from evalkit.workshop.scaffold import make_task

    folder = make_task(open_workspace().root / "tasks", name, kind, lang)
    for file in sorted(folder.iterdir()):
        click.echo(f"wrote  {visible(str(file))}")
    model = "baseline/ngram" if kind == "perplexity" else "baseline/random,baseline/oracle"
    click.echo(
        f"""
Next:
  1. put your samples into samples.jsonl, and the prompt into task.yaml
  2. evalkit tasks check {name}
  3. evalkit tasks preview {name}
  4. evalkit run --tasks {name} --models {model}"""
    )
    return 0
