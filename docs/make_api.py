"""Makes the page of the Python interface from signatures, docstrings and the sentences under fields.

    python docs/make_api.py

`make examples` runs this file; a test compares the page with the program.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import evalkit

PAGE = Path(__file__).parent / "reference" / "api.md"
HEAD = "<!-- Made by docs/make_api.py; changes belong into the program. -->\n\n# Python interface\n\n"
LEAD = """\
What `import evalkit` offers, and the records that it gives. [From Python and pytest](../python.md) says how
they are used, [a notebook](../tutorials/notebook.md) shows it. What is unknown is `None`, never 0.
"""
RECORDS = {
    "A run": (
        "evalkit.store.folders:StoredRun",
        "evalkit.core.records:Run",
        "evalkit.core.records:CellResult",
        "evalkit.core.records:Counts",
        "evalkit.core.records:MetricValue",
        "evalkit.core.records:SampleResult",
        "evalkit.core.records:Response",
    ),
    "What a model is asked": ("evalkit.core.records:Request", "evalkit.core.records:Message"),
    "A comparison": (
        "evalkit.comparing.comparison.records:Comparison",
        "evalkit.comparing.comparison.records:Difference",
        "evalkit.comparing.comparison.records:Change",
    ),
    "A verdict": ("evalkit.gate.records:Gate", "evalkit.gate.records:Check"),
    "What a metric sees": ("evalkit.metrics.base:Case",),
}
FUNCTIONS = ("run", "run_async", "load_run", "find_run", "compare", "check_gate")
FOR_TASKS = ("extractor", "metric", "tool")


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The page's text."""
    parts = [HEAD + LEAD.rstrip(), "## Functions"]
    parts += [function(getattr(evalkit, name), f"evalkit.{name}") for name in FUNCTIONS]
    parts += ["## Models of your own", class_(evalkit.MockModel, "evalkit.MockModel")]
    bar = evalkit.ProgressBar
    parts += [
        "## Progress",
        f"### ProgressBar\n\n{prose(inspect.getdoc(bar) or '')}\n\n`evalkit.ProgressBar()`",
    ]
    parts += ["## In a task's `task.py`"]
    parts += [function(getattr(evalkit, name), f"evalkit.{name}") for name in FOR_TASKS]
    for title, places in RECORDS.items():
        parts.append(f"## {title}")
        parts += [
            class_(getattr(importlib.import_module(place.split(":")[0]), place.split(":")[1]))
            for place in places
        ]
    parts += ["## Errors", errors()]
    return "\n\n".join(parts) + "\n"


def function(found: Any, name: str) -> str:
    """A function with its signature and what it says of itself."""
    text = prose(inspect.getdoc(found) or "")
    return f"### {name.rpartition('.')[2]}\n\n```py\n{signature(found, name)}\n```\n\n{text}"


def signature(found: Any, name: str) -> str:
    """How a function is called, an argument a line where one line is too short."""
    if "P.args" in str(inspect.signature(found)):
        return f"await {name}(...)"
    parameters = [each for each in inspect.signature(found).parameters.values() if each.name != "self"]
    words = []
    starred = False
    for each in parameters:
        if each.kind is each.KEYWORD_ONLY and not starred:
            words.append("*")
        starred = starred or each.kind in (each.KEYWORD_ONLY, each.VAR_POSITIONAL)
        mark = {each.VAR_POSITIONAL: "*", each.VAR_KEYWORD: "**"}.get(each.kind, "")
        kind = "" if each.annotation is each.empty else f": {plain(each.annotation)}"
        default = (
            "" if each.default is each.empty else f" = {each.default!r}" if kind else f"={each.default!r}"
        )
        words.append(f"{mark}{each.name}{kind}{default}")
    result = inspect.signature(found).return_annotation
    after = "" if result is inspect.Signature.empty else f" -> {plain(result)}"
    line = f"{name}({', '.join(words)}){after}"
    if len(line) <= 100:
        return line
    inner = "".join(f"    {word},\n" for word in words)
    return f"{name}(\n{inner}){after}"


def class_(found: type, name: str = "") -> str:
    """A class: what it is, how it is made where that is not by its fields, its fields, its methods."""
    parts = [f"### {found.__name__}", prose(inspect.getdoc(found) or "")]
    if not dataclasses.is_dataclass(found):
        parts.append(f"```py\n{signature(found, name)}\n```")
    rows = [
        f"| `{field}` | `{kind.replace(' | ', ' or ')}` | {cell(text)} |"
        for field, kind, text in fields(found)
    ]
    if rows:
        parts.append("\n".join(["| field | type | |", "| --- | --- | --- |", *rows]))
    for label, member in vars(found).items():
        if label.startswith("_") or not (inspect.isfunction(member) or isinstance(member, property)):
            continue
        if isinstance(member, property):
            text = f"`{found.__name__}.{label}`: {prose(inspect.getdoc(member) or '')}"
        else:
            text = (
                f"`{signature(member, f'{found.__name__}.{label}')}`: {prose(inspect.getdoc(member) or '')}"
            )
        parts.append(text)
    return "\n\n".join(parts)


def fields(found: type) -> Iterator[tuple[str, str, str]]:
    """(name, type, the sentence under it) of each public field of a dataclass."""
    if not dataclasses.is_dataclass(found):
        return
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(found))).body
    assert isinstance(tree, ast.ClassDef)
    for node, below in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            said = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            text = str(below.value.value) if said else ""  # type: ignore[union-attr]
            if not node.target.id.startswith("_"):
                yield node.target.id, ast.unparse(node.annotation), text


def errors() -> str:
    """The tree of errors, a line each."""
    lines = []

    def add(found: type, depth: int) -> None:
        text = (inspect.getdoc(found) or "").split("\n\n")[0].replace("\n", " ")
        lines.append(f"{'    ' * depth}- `{found.__name__}`: {text}")
        for below in sorted(found.__subclasses__(), key=lambda each: each.__name__):
            if below.__module__ == "evalkit.core.errors":
                add(below, depth + 1)

    add(evalkit.EvalkitError, 0)
    return "\n".join(lines)


def plain(annotation: Any) -> str:
    """A type as the source writes it."""
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def prose(text: str) -> str:
    """A docstring as Markdown."""
    return text.replace("*", "\\*") if "`" not in text else text


def cell(text: str) -> str:
    """A text as a table's cell holds it."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    main()
