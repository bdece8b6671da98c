"""What the command line says of itself is true: every command has examples, every example is understood."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from evalkit.cli import cli
from evalkit.cli.completion import INSTALL, complete_names
from evalkit.cli.examples import EXAMPLES


def leaves(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """(path, command) of every command that does something."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(leaves())


def examples(command: click.Command) -> list[list[str]]:
    """The command lines in the end of a command's help, without the remarks after two blanks."""
    lines = [line.strip() for line in (command.epilog or "").splitlines()]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines)).splitlines()
    return [shlex.split(line.split("  ")[0]) for line in joined if line.startswith("evalkit ")]


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_examples_that_are_understood(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The help ends in examples; their options and arguments are those of the commands they name."""
    monkeypatch.chdir(tmp_path)
    found = examples(COMMANDS[path])
    for file in (word for words in found for word in words if word.endswith((".jsonl", ".json", ".csv"))):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    assert any(" ".join(words[1:]).startswith(path) for words in found), f"evalkit {path} shows no example"
    for words in found:
        other = max((name for name in COMMANDS if " ".join(words[1:]).startswith(name)), key=len)
        arguments = words[1 + len(other.split()) :]
        COMMANDS[other].make_context(other, arguments).close()


def test_no_example_is_of_a_command_that_is_gone() -> None:
    """The table of examples names commands that there are."""
    assert set(EXAMPLES) <= set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_says_what_it_does(path: str) -> None:
    """No option without a help text, and each has its variable: EVALKIT_, the command, the option."""
    for param in COMMANDS[path].params:
        if isinstance(param, click.Option):
            assert param.help, f"{path} {param.opts[0]}"


def test_every_option_has_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EVALKIT_<COMMAND>_<OPTION> sets an option of any command."""
    monkeypatch.chdir(tmp_path)
    for path, command in COMMANDS.items():
        words = path.split()
        context = click.Context(cli, info_name="evalkit", auto_envvar_prefix="EVALKIT")
        for word in words[:-1]:
            context = click.Context(click.Group(word), info_name=word, parent=context)
        context = click.Context(command, info_name=words[-1], parent=context)
        for param in command.params:
            if isinstance(param, click.Option) and not param.is_flag and param.expose_value:
                name = f"{context.auto_envvar_prefix}_{(param.name or '').upper()}"
                monkeypatch.setenv(name, "seen")
                assert param.value_from_envvar(context) in ("seen", ("seen",), ["seen"]), name
                monkeypatch.delenv(name)


@pytest.mark.parametrize("shell", sorted(INSTALL))
def test_completion_script_is_printed(shell: str) -> None:
    """Each shell gets a script that calls evalkit; without a shell the lines to add are told."""
    done = subprocess.run(
        [sys.executable, "-m", "evalkit", "completion", shell], capture_output=True, text=True, check=True
    )
    assert f"_EVALKIT_COMPLETE={shell}_complete" in done.stdout


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("evalkit ta", "tasks"),
        ("evalkit run --max-c", "--max-cost"),
        ("evalkit run --tasks facts_en,arithmetic_", "facts_en,arithmetic_zh"),
        ("evalkit run --models base", "baseline/oracle"),
        ("evalkit report la", "latest"),
        ("evalkit report 2026", "2026-run"),
    ],
)
def test_shell_is_offered_what_fits(tmp_path: Path, line: str, expected: str) -> None:
    """Commands, options, the last of several tasks, models, and runs of the project, newest first."""
    run = tmp_path / "reports/2026-run"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    words = line.split(" ")
    environment = os.environ | {
        "_EVALKIT_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [Path(sys.executable).with_name("evalkit")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert f"plain,{expected}" in done.stdout.splitlines()


def test_what_is_listed_already_is_not_offered() -> None:
    """A task that stands in the list is not offered again; kinds without candidates offer nothing."""
    offered = [item.value for item in complete_names("tasks", "facts_en,facts_")]
    assert "facts_en,facts_zh" in offered
    assert "facts_en,facts_en" not in offered
    assert complete_names("allow", "") == []


def test_lazy_commands_are_where_the_help_says() -> None:
    """The table of commands names functions that there are."""
    from evalkit.cli import COMMANDS as LAZY

    for place, text in LAZY.values():
        module, _, name = place.partition(":")
        assert isinstance(getattr(importlib.import_module(module), name), click.Command)
        assert text.endswith(".")
