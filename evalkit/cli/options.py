"""Options and helpers that several commands share."""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from evalkit.errors import UsageError
from evalkit.redaction import redact


class NameList(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """A comma-separated list of names; with `multiple=True` the lists of all uses are joined."""

    name = "a,b,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names, in order, without empty ones."""
        if isinstance(value, tuple):
            return value
        return tuple(part.strip() for part in str(value).split(",") if part.strip())

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """What a shell offers for the last name of the list."""
        from evalkit.cli.completion import complete_names

        return complete_names(param.name or "", incomplete)


def names_option(*flags: str, help: str) -> Callable[[Any], Any]:
    """An option that takes names separated by commas and may be repeated; its value is one tuple."""
    return click.option(
        *flags, type=NameList(), multiple=True, help=help, callback=lambda _c, _p, value: join(value)
    )


language_option = click.option(
    "--lang",
    type=click.Choice(["auto", "en", "zh"]),
    default="auto",
    show_default=True,
    help="Language first shown: the reader's own, English or Chinese.",
)


executor_option = click.option(
    "--executor",
    default="local",
    metavar="local|ray[:ADDRESS]",
    help="Where hf/ models are computed: here, or by replicas on Ray's workers.",
)


def run_argument(name: str = "run", **settings: Any) -> Callable[[Any], Any]:
    """An argument that names runs; a shell completes those of the project."""
    return click.argument(name, shell_complete=_complete_runs, **settings)


def _complete_runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    from evalkit.cli.completion import complete_runs

    return complete_runs(ctx, param, incomplete)


def join(lists: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The names of all lists, each once, in order."""
    return tuple(dict.fromkeys(name for names in lists for name in names))


def parse_params(pairs: Sequence[str]) -> dict[str, Any]:
    """Generation parameters from key=value; values are read as JSON where they are JSON, else as text."""
    import json

    params: dict[str, Any] = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or not key.strip():
            raise UsageError(f"--param {pair!r}: write key=value, for example --param temperature=0.7")
        try:
            params[key.strip()] = json.loads(value)
        except ValueError:
            params[key.strip()] = value
    return params


def form_options(what: str) -> Callable[[Any], Any]:
    """--encoding and --delimiter of text files, folded into one argument `form`; `what` names the files."""

    def decorate(command: Any) -> Any:
        @functools.wraps(command)
        def folded(*args: Any, encoding: str | None, delimiter: str | None, **rest: Any) -> Any:
            from evalkit.data.form import Form, delimiter_problem, encoding_problem

            delimiter = "\t" if delimiter == "\\t" else delimiter
            if problem := encoding_problem(encoding):
                raise UsageError(f"--encoding: {problem}")
            if problem := delimiter_problem(delimiter):
                raise UsageError(f"--delimiter: {problem.replace('`delimiter`', 'it')}")
            return command(*args, form=Form(encoding, delimiter), **rest)

        folded = click.option(
            "--delimiter", metavar="CHAR", help=f"Between columns of {what}, if not the usual: ';', \\t."
        )(folded)
        return click.option(
            "--encoding", metavar="NAME", help=f"Encoding of {what}, if not UTF-8: gb18030, utf-16, ..."
        )(folded)

    return decorate


def data_options(help: str) -> Callable[[Any], Any]:
    """--data NAME=PATH with --encoding and --delimiter of those files, folded into one argument `data`."""

    def decorate(command: Any) -> Any:
        @functools.wraps(command)
        def folded(*args: Any, data: Sequence[str], form: Any, **rest: Any) -> Any:
            return command(*args, data=parse_data(data, form), **rest)

        formed = form_options("files in --data")(folded)
        return click.option("--data", multiple=True, metavar="NAME=PATH", help=help)(formed)

    return decorate


def parse_data(pairs: Sequence[str], form: Any = None) -> dict[str, Any]:
    """Name of a task or data set -> Path, or DataFile with a form, from NAME=PATH. Raises UsageError."""
    data: dict[str, Any] = {}
    if form and not pairs:
        raise UsageError("--encoding and --delimiter are of the files in --data NAME=PATH; there are none")
    for pair in pairs:
        name, sign, path = pair.partition("=")
        if not sign or not name.strip() or not path.strip():
            raise UsageError(f"--data {pair!r}: write NAME=PATH, for example --data gsm8k=data/test.jsonl")
        file = Path(path.strip()).expanduser()
        data[name.strip()] = file
    if form:
        from evalkit.data import DataFile

        data = {name: DataFile(file, form) for name, file in data.items()}
    return data


def typed_command() -> str:
    """The command line as it was typed, for the record, without keys."""
    return redact(shlex.join(["evalkit", *sys.argv[1:]]))
