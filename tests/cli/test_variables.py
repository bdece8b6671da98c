"""Every option of every command has a variable, named like the option."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from factories import write_task

from evalkit.cli import cli


def options(
    group: click.Group = cli, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command, click.Option]]:
    """(variable, command, option) of all options, the variable as a user would guess it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from options(command, (*path, name))
            continue
        for option in command.params:
            flags = [flag for flag in option.opts if flag.startswith("--")]
            if isinstance(option, click.Option) and flags:
                words = "_".join((*path, name, flags[0].removeprefix("--")))
                yield f"EVALKIT_{words.replace('-', '_').upper()}", command, option


OPTIONS = {variable: (command, option) for variable, command, option in options()}


def test_options_of_all_commands_are_seen() -> None:
    """The list below is not empty, and holds those that are easily forgotten."""
    forgotten = (
        "RUN_JSON",
        "RUN_PARAM",
        "RUN_EXECUTOR",
        "GATE_ALPHA",
        "TASKS_LIST_VERBOSE",
        "CACHE_INFO_CACHE",
    )
    assert {f"EVALKIT_{name}" for name in forgotten} <= OPTIONS.keys()


@pytest.mark.parametrize("variable", OPTIONS)
def test_every_option_has_its_variable(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--max-cost` of `evalkit run` is EVALKIT_RUN_MAX_COST, and so for all others."""
    command, option = OPTIONS[variable]
    monkeypatch.setenv(variable, "x")
    assert option.resolve_envvar_value(click.Context(command)) == "x"


def test_variables_do_what_the_options_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run whose options are all variables is the run of the options; the command line wins over them."""
    write_task(tmp_path / "tasks" / "sums")
    (tmp_path / "evalkit.yaml").write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    for name, value in (
        ("MODELS", "mock/fixed:4,mock/echo"),
        ("TASKS", "sums"),
        ("LIMIT", "3"),
        ("PARAM", "temperature=0.5 top_p=0.9"),
        ("DRY_RUN", "1"),
    ):
        monkeypatch.setenv(f"EVALKIT_RUN_{name}", value)
    context = cli.get_command(click.Context(cli), "run")
    assert context is not None
    parsed = context.make_context("run", ["--limit", "2"]).params
    assert parsed["models"] == ("mock/fixed:4", "mock/echo")
    assert parsed["params"] == ("temperature=0.5", "top_p=0.9")
    assert (parsed["limit"], parsed["dry_run"]) == (2, True)
    assert cli.main(["run"], standalone_mode=False) == 0
    assert "6" in capsys.readouterr().out
    assert not (tmp_path / "reports").exists()


def test_a_mistyped_variable_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A variable of this command that no option has is named with the nearest one; others are left alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVALKIT_RUN_MODLES", "mock/echo")
    monkeypatch.setenv("EVALKIT_RUN_LIMIT", "1")
    monkeypatch.setenv("EVALKIT_GATE_ALFA", "0.1")
    assert cli.main(["run", "-t", "facts_en", "-m", "mock/echo", "--dry-run"], standalone_mode=False) == 0
    said = capsys.readouterr().err
    assert "EVALKIT_RUN_MODLES is no option of evalkit run" in said
    assert "Did you mean 'EVALKIT_RUN_MODELS'?" in said
    assert "ALFA" not in said
    assert "LIMIT" not in said


def test_options_of_a_run_stand_in_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`run:` of evalkit.yaml gives numbers and parameters; variables win over it, options over all."""
    (tmp_path / "evalkit.yaml").write_text(
        "run: {models: [mock/echo], tasks: [facts_en], limit: 3, seed: 4, params: {temperature: 0.5}}\n"
    )
    monkeypatch.chdir(tmp_path)

    def run(*options: str) -> dict[str, Any]:
        assert cli.main(["run", "--json", *options], standalone_mode=False) == 0
        return dict(json.loads(capsys.readouterr().out))

    found = run()
    assert (found["seed"], found["limit"], found["cells"][0]["params"]["temperature"]) == (4, 3, 0.5)
    monkeypatch.setenv("EVALKIT_RUN_LIMIT", "2")
    assert run("--dry-run")["cells"][0]["requests"] == 2
    assert run("--dry-run", "--limit", "1")["cells"][0]["requests"] == 1
