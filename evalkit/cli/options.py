"""Options and helpers that several commands share."""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from evalkit.core.errors import UsageError
from evalkit.core.redaction import redact
from evalkit.running.request import RunRequest, Spelling, spellings


class NameList(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """A comma-separated list of names; with `multiple=True` the lists of all uses are joined."""

    name = "a,b,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names, in order, without empty ones; at least one."""
        if isinstance(value, tuple):
            return value
        names = tuple(part.strip() for part in str(value).split(",") if part.strip())
        if not names:
            self.fail(f"{value!r} names nothing", param, ctx)
        return names

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """What a shell offers for the last name of the list."""
        from evalkit.cli.completion import complete_names

        return complete_names(param.name or "", incomplete)


class Number(click.FloatRange):
    """A finite number in a range: `nan` and `inf` are none; `most` is where no real value lies beyond."""

    def __init__(self, least: float | None = None, *, above: bool = False, most: float = 1e15) -> None:
        super().__init__(min=least, min_open=above)
        self.most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        number = float(super().convert(value, param, ctx))
        if not abs(number) <= self.most:
            self.fail(f"{value} is no number up to {self.most:g}", param, ctx)
        return number


class Count(click.IntRange):
    """A whole number from `least` to what a counter holds."""

    most = 2**31 - 1

    def __init__(self, least: int | None = 1) -> None:
        super().__init__(min=least)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        number = int(super().convert(value, param, ctx))
        if abs(number) > self.most:
            self.fail(f"{value} is beyond {self.most}", param, ctx)
        return number


class Seed(Count):
    """A seed: any whole number of 64 bits, which is what JSON and servers take."""

    most = 2**63 - 1

    def __init__(self) -> None:
        super().__init__(None)


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


def request_options(*names: str, **helps: str) -> Callable[[Any], Any]:
    """The options of a run's request: those of the named fields, else all; `helps` replace their help."""

    def add(function: Any) -> Any:
        known = spellings()
        for name in reversed(names or tuple(known)):
            function = _request_option(name, known[name], helps.get(name))(function)
        return function

    return add


def _request_option(name: str, spelling: Spelling, help: str | None) -> Callable[[Any], Any]:
    """The option of one field of a request."""
    flags = list(spelling.flags) if any(flag.startswith("--") for flag in spelling.flags) else []
    flags = flags or [f"--{name.replace('_', '-')}", *spelling.flags]
    told = help or spelling.help
    if spelling.kind == "names":
        return names_option(*flags, name, help=told)
    if spelling.kind == "pairs":
        return data_options(told)
    settings: dict[str, Any] = {"help": told, "metavar": spelling.metavar, "envvar": spelling.variable}
    default = RunRequest.__dataclass_fields__[name].default
    if spelling.kind == "flag":
        settings |= {"is_flag": True}
    elif spelling.kind in ("params", "paths"):
        settings |= {"multiple": True, "type": click.Path() if spelling.kind == "paths" else str}
    elif spelling.kind == "path":
        settings |= {"type": click.Path(path_type=Path)}
    elif spelling.kind == "whole":
        settings |= {"type": Seed() if name == "seed" else Count(int(spelling.least or 0))}
        settings |= {"default": default, "show_default": default is not None}
    elif spelling.kind == "number":
        settings |= {"type": Number(spelling.least, above=spelling.above, most=spelling.most)}
    elif spelling.choices:
        settings |= {"type": click.Choice(list(spelling.choices))}
    else:
        settings |= {"default": default}
    return click.option(*flags, name, **settings)


def read_request(options: Mapping[str, Any]) -> RunRequest:
    """The request that the options of a command make. Raises UsageError."""
    asked = {name: options[name] for name in spellings() if name in options}
    if "params" in asked:
        asked["params"] = parse_params(asked["params"])
    return RunRequest(**asked)


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
    for key, text in _parse_pairs(pairs, "--param", "key=value, for example --param temperature=0.7"):
        try:
            params[key] = json.loads(text)
        except (ValueError, RecursionError):
            params[key] = text
    return params


def form_options(what: str) -> Callable[[Any], Any]:
    """--encoding and --delimiter of text files, folded into one argument `form`; `what` names the files."""

    def decorate(command: Any) -> Any:
        @functools.wraps(command)
        def folded(*args: Any, encoding: str | None, delimiter: str | None, **rest: Any) -> Any:
            from evalkit.core.form import Form, delimiter_problem, encoding_problem

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
    hint = "NAME=PATH, for example --data gsm8k=data/test.jsonl"
    for name, path in _parse_pairs(pairs, "--data", hint):
        if not path:
            raise UsageError(f"--data {name}=: write {hint}")
        data[name] = Path(path).expanduser()
    if form:
        from evalkit.tasks.data import DataFile

        data = {name: DataFile(file, form) for name, file in data.items()}
    return data


def _parse_pairs(pairs: Sequence[str], option: str, hint: str) -> Iterator[tuple[str, str]]:
    """Each key and its text. Raises UsageError where it is no pair, or a key stands twice."""
    seen: dict[str, str] = {}
    for pair in pairs:
        key, sign, text = (part.strip() for part in pair.partition("="))
        if not sign or not key:
            raise UsageError(f"{option} {pair!r}: write {hint}")
        if seen.setdefault(key, text) != text:
            raise UsageError(f"{option} {key} is given twice: {seen[key]} and {text}; leave one out")
        yield key, text


def typed_command() -> str:
    """The command line as it was typed, for the record, without keys."""
    return redact(shlex.join(["evalkit", *sys.argv[1:]]))
