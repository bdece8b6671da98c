"""Makes the pages of the reference that follow from the program: the command line, and the keys of task.yaml.

    python docs/make_cli.py

`make examples` runs it; a test compares the pages with the program.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

FOLDER = Path(__file__).parent / "reference"
HEAD = "<!-- Made by docs/make_cli.py; changes belong into the program. -->\n\n"


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """File name -> text of each page."""
    return {"cli.md": command_line(), "task_yaml.md": task_keys()}


def command_line() -> str:
    """The page of all commands, with their options, defaults and examples."""
    from evalkit.cli import cli

    parts = [
        HEAD + "# Command line\n",
        "RUN is a folder, a run id, a unique prefix of one, or `latest`. Lists are comma separated, and\n"
        "options may repeat. Every option can be set by a variable: `EVALKIT_`, the command, the option, so\n"
        "that `--max-cost` of `evalkit run` is `EVALKIT_RUN_MAX_COST`. Exit codes are told in\n"
        "[Runs, cache, exit codes](../runs.md#exit-codes).\n",
    ]
    for path, command in commands(cli, ("evalkit",)):
        parts.append(_command(path, command))
    return "\n".join(parts)


def commands(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """(path, command) of every command that does something, in the order of the help."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def _command(path: tuple[str, ...], command: click.Command) -> str:
    context = click.Context(command, info_name=" ".join(path))
    usage = " ".join([" ".join(path), *command.collect_usage_pieces(context)])
    lines = [f"## {' '.join(path)}", "", _prose(command.help or ""), "", "```text", usage, "```", ""]
    rows = []
    for param in command.params:
        if isinstance(param, click.Option):
            rows.append(f"| {_names(param, context)} | {_cell(_help(param, context))} |")
    lines += ["| option | what it does |", "| --- | --- |", *rows, ""]
    if command.epilog:
        lines += _epilog(command.epilog)
    return "\n".join(lines)


def _names(option: click.Option, context: click.Context) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if option.is_flag:
        return names
    value = option.make_metavar(context).removesuffix(" RANGE")
    if "|" in value:  # a table on the site keeps a backslash inside of backticks
        return f"{names} <code>{value.replace('|', '&#124;')}</code>"
    return f"{names} `{value}`"


def _help(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    return record[1] if record else option.help or ""


def _cell(text: str) -> str:
    text = re.sub(r"\s+", " ", text)
    if not text.startswith("`"):
        text = text.replace("*", r"\*").replace("_", r"\_").replace("<", "&lt;")
    return text.replace("|", r"\|")


def _prose(text: str) -> str:
    paragraphs = re.split(r"\n\s*\n", text.replace("\b", "").strip())
    return "\n\n".join(
        re.sub(r"\s+", " ", part.strip()).replace("*", r"\*").replace("<", "&lt;") for part in paragraphs
    )


def _epilog(text: str) -> list[str]:
    """The end of a help: what is indented or follows a \\b is kept as it stands."""
    lines: list[str] = []
    for part in re.split(r"\n\s*\n", text.strip()):
        if "\b" in part:
            body = [line for line in part.replace("\b", "").splitlines() if line.strip()]
            lines += ["```text", *(line.removeprefix("  ") for line in body), "```", ""]
        else:
            lines += [_prose(part), ""]
    return lines


def task_keys() -> str:
    """The page of all keys of task.yaml, from the schema of the format."""
    from evalkit.tasks.editor import schema_text

    schema = json.loads(schema_text())
    parts = [
        HEAD + "# task.yaml\n",
        "All keys of a task file, from the JSON Schema that `evalkit tasks schema` prints and that editors\n"
        "read. [Write a task](../tasks.md) explains how they are used. `${{ name }}`, a value of the\n"
        "`matrix`, may stand for any value.\n",
        _keys(schema),
    ]
    headings = {
        "DataSpec": "data",
        "PromptSpec": "prompts: one variant",
        "FewShotSpec": "few_shot",
        "GenerationSpec": "generation",
        "GroupSpec": "group",
    }
    for name, definition in schema["$defs"].items():
        if definition.get("properties"):
            parts += [
                f"## {headings.get(name, name)}\n",
                definition.get("description", ""),
                "",
                _keys(definition),
            ]
    return "\n".join(parts)


def _keys(schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    for key, field in schema["properties"].items():
        default = "required" if key in required else _default(field.get("default"))
        rows.append(f"| `{key}` | {_kind(field)} | {default} | {_cell(field.get('description', ''))} |")
    return "\n".join(rows) + "\n"


def _default(value: Any) -> str:
    if value in (None, "", [], {}) or (isinstance(value, dict) and not any(value.values())):
        return ""
    return _cell(f"`{json.dumps(value, ensure_ascii=False)}`")


def _kind(field: dict[str, Any]) -> str:
    """What a value may be, in words: without `null` and without the placeholder of a matrix."""
    found: list[str] = []
    for option in field.get("anyOf", [field]):
        if "${{" in option.get("pattern", "").replace("\\", "") or option.get("type") == "null":
            continue
        if "enum" in option:
            word = ", ".join(f"`{value}`" for value in option["enum"])
        elif "$ref" in option:
            word = "mapping"
        else:
            word = {
                "string": "text",
                "integer": "whole number",
                "number": "number",
                "boolean": "`true`, `false`",
                "array": "list",
                "object": "mapping",
            }.get(option.get("type", ""), "")
        if word and word not in found:
            found.append(word)
    return " or ".join(found) or "any"


if __name__ == "__main__":
    main()
