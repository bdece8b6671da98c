"""`evalkit cache`."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from evalkit.cli.options import Number

_PLACE = click.option("--cache", "place", metavar="URL", help="The cache; default .evalkit/cache.db.")


@click.group()
def cache() -> None:
    """Look into the cache of paid answers, prune it, hand it on."""


@contextlib.contextmanager
def _opened(place: str | None, making: bool = False) -> Iterator[Any]:
    """The cache; where it is named and not there, UsageError, unless it is to be made."""
    from evalkit.core.errors import UsageError
    from evalkit.running.workspace import open_workspace
    from evalkit.store.cache import Cache, cache_url

    url = cache_url(place, open_workspace().root)
    if url is None:
        raise UsageError("the cache is off; name one by --cache URL")
    if place is not None and "://" not in place and not making and not Path(place).expanduser().is_file():
        raise UsageError(f"--cache {place}: there is no such cache")
    store = Cache(url)
    try:
        yield store
    finally:
        store.close()


def _check_model(store: Any, model: str | None) -> None:
    from evalkit.core.errors import UsageError, did_you_mean

    known = list(store.count_by_model()) if model is not None else []
    if model is not None and model not in known:
        near = did_you_mean(model, known) or f" It has: {', '.join(known) or 'nothing'}."
        raise UsageError(f"--model {model!r}: the cache holds nothing of it.{near}")


@cache.command()
@_PLACE
def info(place: str | None) -> int:
    """Count the kept answers by model."""
    from evalkit.pages.terminal.console import visible

    with _opened(place) as store:
        counts = store.count_by_model()
    for model, count in counts.items():
        click.echo(f"{count:>10,}  {visible(model)}")
    click.echo(f"{sum(counts.values()):>10,}  in all")
    return 0


@cache.command()
@click.argument("request_name", metavar="REQUEST")
@click.option("--run", "run_name", default="latest", show_default=True, help="The run that asked it.")
@click.option("--model", help="The model, when several of the run asked this.")
@_PLACE
def explain(request_name: str, run_name: str, model: str | None, place: str | None) -> int:
    """Say why a request hits or misses: REQUEST is a sample's id, or the beginning of a request digest.

    The request is taken from a run, with the model as evalkit.yaml describes it now.
    """
    from evalkit.cli.requests import asked_requests
    from evalkit.pages.terminal.console import visible
    from evalkit.store.cache.explanation import explain_request, find_request

    with _opened(place) as store:
        found = asked_requests(request_name, run_name, model, functools.partial(find_request, store))
        for name, request, identity in found:
            told = explain_request(store, request, identity)
            head = f"{name}, sample {request.sample_id}, repeat {request.repeat}"
            if told.hit:
                click.echo(visible(f"{head}: HIT, kept since {told.created}, status {told.status}"))
            else:
                click.echo(visible(f"{head}: MISS"))
            click.echo(f"  key {told.key}")
            for part, value in told.question.items():
                click.echo(visible(f"  {part}: {_short(value)}"))
            if not told.hit and not told.neighbours:
                click.echo("  the cache holds nothing of this model")
            for neighbour in told.neighbours:
                click.echo(
                    f"  nearest: {neighbour.key[:12]} of {neighbour.created}, status {neighbour.status}"
                )
                for item in neighbour.differences:
                    click.echo(visible(f"    {item.part}: asked {item.asked}, kept {item.kept}"))
    return 0


def _short(value: object) -> str:
    import orjson

    text = orjson.dumps(value).decode()
    return text if len(text) <= 200 else f"{text[:200]}…"


@cache.command()
@click.option("--older-than", type=Number(0, most=500_000), metavar="DAYS", help="Delete what is older.")
@click.option("--model", help="Delete only of this model (provider/name).")
@click.option("--max-size", metavar="MB", type=Number(0), help="Delete the oldest beyond this size.")
@click.option("--yes", is_flag=True, help="Delete without asking.")
@_PLACE
def prune(
    older_than: float | None, model: str | None, max_size: float | None, yes: bool, place: str | None
) -> int:
    """Delete answers by age, model or size; what is deleted must be paid for again."""
    from datetime import UTC, datetime, timedelta

    from evalkit.core.errors import UsageError

    if older_than is None and model is None and max_size is None:
        raise UsageError("say what to delete: --older-than DAYS, --model NAME, --max-size MB")
    if not yes:
        click.confirm("Deleted answers must be paid for again. Delete?", abort=True, err=True)
    before = None
    if older_than is not None:
        before = (datetime.now(UTC) - timedelta(days=older_than)).isoformat(timespec="seconds")
    size = None if max_size is None else int(max_size * 1e6)
    with _opened(place) as store:
        _check_model(store, model)
        n = store.prune(before=before, model=model, max_bytes=size)
    click.echo(f"{n:,} answers deleted")
    return 0


@cache.command("export")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--model", help="Only of this model (provider/name).")
@_PLACE
def export_file(path: Path, model: str | None, place: str | None) -> int:
    """Write the kept answers to PATH as JSON lines."""
    from evalkit.store.cache.transfer import export_entries

    with _opened(place) as store:
        _check_model(store, model)
        n = export_entries(store, path, model)
    click.echo(f"{n:,} answers written to {path}")
    return 0


@cache.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@_PLACE
def import_file(path: Path, place: str | None) -> int:
    """Take the answers of a file that `evalkit cache export` wrote; those that are there stay.

    Each key is made again from its question. What was altered is refused and counted, and the exit code is 3.
    """
    from evalkit.core.errors import UsageError
    from evalkit.store.cache.transfer import import_entries

    if not path.is_file():
        raise UsageError(f"{path} is no file")
    with _opened(place, making=True) as store:
        found = import_entries(store, path)
    click.echo(f"{found.n:,} answers read, {found.new:,} of them new")
    if found.refused:
        from evalkit.pages.terminal.console import say

        say(f"{found.refused:,} refused: they are not what they say they are")
        for reason in found.reasons:
            say(f"  {reason}")
        return 3
    return 0
