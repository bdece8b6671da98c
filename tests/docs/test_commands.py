"""What the documentation tells a reader to type works, and prints what the page shows."""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import pytest
from documents import PAGES, ROOT, Block, blocks, name

import evalkit.cli
from evalkit.cli import cli

CONSOLE = {name(page): list(blocks(page.read_text(encoding="utf-8"))) for page in PAGES}
FOLLOWED = [
    page
    for page, found in CONSOLE.items()
    if any(block.language in ("console", "python") for block in found)
    and not page.startswith("evalkit/")
    and page != "docs/tutorials/notebook.md"
]
"""Pages with commands or Python. The notebook's page is made by running it; those of `evalkit init` are
followed in their own folder by tests/test_starter.py."""
SHELL = ("sh", "bash", "shell", "", "text")
"""Languages of blocks in which a line that begins with `evalkit ` would be a command nobody tests."""


def run(words: list[str]) -> tuple[int, str]:
    """(exit code, everything printed) of one command, in this process."""
    printed, thresholds = io.StringIO(), gc.get_threshold()
    code = 0
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            evalkit.cli.main(words)
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
    return code, printed.getvalue()


@functools.cache
def first_run() -> Path:
    """A folder in which `evalkit run` was run while it was empty: several pages begin so."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with contextlib.chdir(folder):
        code, printed = run(["run"])
    assert code == 0, printed
    return folder


def parse(words: list[str]) -> None:
    """Nothing; fails with click's message where the command line would not be understood.

    Files that it names and that are not there are made, since only their being there is looked at.
    """
    group: click.Command = cli
    path = []
    while isinstance(group, click.Group):
        assert words, f"evalkit {' '.join(path)} names no command"
        if words[0] in ("--help", "--version", "-h", "-V"):
            return
        inner = group.get_command(click.Context(group), words[0])
        assert inner is not None, f"no command {words[0]!r}"
        path.append(words[0])
        group, words = inner, words[1:]
    for _ in range(len(words) + 1):
        try:
            group.make_context(" ".join(path), list(words)).close()
            return
        except click.exceptions.Exit:  # --help
            return
        except click.BadParameter as error:
            missing = re.search(r"'([^']+)' does not exist", error.format_message())
            if missing is None:
                raise AssertionError(f"evalkit {' '.join(path)}: {error.format_message()}") from None
            Path(missing[1]).parent.mkdir(parents=True, exist_ok=True)
            Path(missing[1]).touch()
        except click.UsageError as error:
            raise AssertionError(f"evalkit {' '.join(path)}: {error.format_message()}") from None


def check_other(words: list[str], where: str) -> str:
    """What it prints; fails where a command that is not ours is none that a test can vouch for."""
    if words[0] == "pip":
        pass  # names and extras are looked at by tests/test_distribution.py and test_pages.py
    elif words[0] == "pytest":
        done = subprocess.run(
            [sys.executable, "-m", *words, "-q", "-p", "no:cacheprovider"], capture_output=True, text=True
        )
        assert done.returncode == 0, f"{where}:\n{done.stdout}{done.stderr}"
        return done.stdout
    elif words[0] == "git":
        author = {
            f"GIT_{who}_{what}": "reader@example"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        done = subprocess.run(words, capture_output=True, text=True, env=os.environ | author)
        assert done.returncode == 0, f"{where}:\n{done.stdout}{done.stderr}"
        return done.stdout
    elif words[0] == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert words[1] in targets, f"{where}: no target {words[1]!r} in the Makefile"
    else:
        raise AssertionError(f"{where}: {words[0]!r} is not run by this test; mark the block with `needs:`")
    return ""


def prose(page: str) -> str:
    """A page without its fenced blocks."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.sub(r"^( *)```.*?^\1```", "", text, flags=re.DOTALL | re.MULTILINE)


def plain(text: str) -> str:
    """A line without what changes from run to run (times, ids) and with a table's width (blanks, rules)."""
    text = re.sub(r"(?<=\d)\*", "", text)  # marks of a table
    text = re.sub("─+", "─", re.sub(r"\b20\d{6}-\d{6}(-\d+)?", "RUN", text))
    return re.sub(r"\s+", " ", re.sub(r"\b\d+(\.\d+)? s\b|\b\d+\.\d+s\b", "TIME", text)).strip()


def check_shown(shown: tuple[str, ...], printed: str, where: str) -> None:
    """Nothing; fails where what the page shows is not printed in this order, other lines between."""
    lines = iter([plain(line) for line in printed.splitlines()])
    for line in shown:
        if line.strip() != "...":
            assert plain(line) in lines, f"{where} shows {line!r}, and what is printed is\n{printed}"


def follow(block: Block, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing; does what a block says in the current folder."""
    if block.file:
        assert not Path(block.file).is_absolute()
        Path(block.file).parent.mkdir(parents=True, exist_ok=True)
        Path(block.file).write_text(block.body, encoding="utf-8")
        return
    commands = block.commands
    assert commands, f"{where}: a console block without a line that begins with `$ `"
    for command in commands:
        words = shlex.split(command.line, comments=True)
        place = f"{where}: $ {command.line}"
        assert not {"|", "&&", ";", ">>"} & set(words), f"{place}: one command a line"
        if words[0] == "evalkit" and block.needs:
            parse(words[1 : words.index(">")] if ">" in words else words[1:])
        elif words[0] == "evalkit":
            target = Path(words[words.index(">") + 1]) if ">" in words else None
            if words == ["evalkit", "run"] and not any(Path().iterdir()):
                shutil.copytree(first_run(), Path(), dirs_exist_ok=True)
                continue
            code, printed = run(words[1 : words.index(">")] if target else words[1:])
            expected = block.exit_code if command is commands[-1] else 0
            assert code == expected, f"{place} ended with {code}:\n{printed}"
            if target:
                target.write_text(printed, encoding="utf-8")
            check_shown(command.shown, printed, place)
        elif block.needs:
            continue
        elif words[0] == "cd":
            monkeypatch.chdir(words[1])
        elif words[0] == "export":
            variable, _, value = words[1].partition("=")
            monkeypatch.setenv(variable, value)
        else:
            check_shown(command.shown, check_other(words, place), place)


def follow_python(block: Block, where: str, names: dict[str, object]) -> None:
    """Nothing; runs a block of Python among the names of those before it; one that needs more is compiled."""
    code = compile("\n" * block.line + block.body, where, "exec")
    if not block.needs:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(code, names)


@pytest.mark.parametrize("page", FOLLOWED)
def test_page_followed_from_top_to_bottom_works(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an empty folder a page's files are written, its commands and Python run or, where marked, parsed."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for variable in [v for v in os.environ if v.endswith("_API_KEY")]:
        monkeypatch.delenv(variable)
    names: dict[str, object] = {"__name__": "__main__"}
    for block in CONSOLE[page]:
        where = f"{page}, line {block.line}"
        if block.language == "console" or block.file:
            follow(block, where, monkeypatch)
        elif block.language == "python":
            follow_python(block, where, names)


@pytest.mark.parametrize("page", CONSOLE)
def test_no_command_hides_in_another_kind_of_block(page: str) -> None:
    """Commands of evalkit stand in console blocks, where they are tested."""
    for block in CONSOLE[page]:
        if block.language in SHELL and not page.endswith("reference/cli.md"):
            hidden = [line for line in block.body.splitlines() if line.startswith(("evalkit ", "$ evalkit "))]
            assert not hidden, f"{page}, line {block.line}: {hidden[0]!r} is not in a ```console block"


@pytest.mark.parametrize("page", CONSOLE)
def test_indented_commands_are_understood(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command in an indented block is parsed, unless it is a synopsis with brackets."""
    monkeypatch.chdir(tmp_path)
    for line in prose(page).splitlines():
        if line.startswith("    evalkit ") and "[" not in line:
            parse(shlex.split(line, comments=True)[1:])


@pytest.mark.parametrize("page", CONSOLE)
def test_options_named_in_running_text_exist(page: str) -> None:
    """`evalkit COMMAND --option` in a sentence, and bare `--option`s, name options that there are."""
    text = prose(page)
    for code in re.findall(r"`evalkit ([a-z][^`\n]*)`", text):
        command: click.Command = cli
        for word in code.split():
            inner = (
                command.get_command(click.Context(command), word)
                if isinstance(command, click.Group)
                else None
            )
            if inner is None:
                break
            command = inner
        assert command is not cli, f"{page}: no command `evalkit {code}`"
        known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)} | {
            "--help"
        }
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", code):
            assert option in known, f"{page}: `evalkit {code}` has no option {option}"
