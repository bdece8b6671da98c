"""Makes the page of the notebook: its cells with what they show.

    python docs/make_notebook.py

The notebook itself is kept without outputs. Its cells are executed here as Jupyter does it, one after the
other in a running event loop, with `await` outside of functions; it takes neither a server nor a kernel.
`make examples` runs this file; a test compares the page with what the cells show.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).parent / "tutorials" / "notebook.ipynb"
PAGE = NOTEBOOK.with_suffix(".md")
HEAD = "<!-- Made by docs/make_notebook.py from notebook.ipynb; changes belong into the notebook. -->\n\n"
DOWNLOAD = f"[Download the notebook]({NOTEBOOK.name}){{ download }}\n"
EPOCH = "1767225600"  # 2026-01-01, the date that the page shows


def main() -> None:
    """Execute the notebook and write its page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The page's text; the cells are executed in an empty folder."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = EPOCH
    try:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            parts = asyncio.run(execute(notebook["cells"]))
    finally:
        if before is None:
            del os.environ["SOURCE_DATE_EPOCH"]
        else:
            os.environ["SOURCE_DATE_EPOCH"] = before
    title, _, rest = parts[0].partition("\n")
    return HEAD + "\n\n".join([title, DOWNLOAD.rstrip(), rest.strip(), *parts[1:]]) + "\n"


async def execute(cells: list[dict[str, Any]]) -> list[str]:
    """Each cell as Markdown, with its output; an exception ends it."""
    names: dict[str, Any] = {"__name__": "__main__"}
    parts = []
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            value = await run_cell(source, names, cell["id"])
        parts.append(f"```python\n{source}\n```")
        if printed.getvalue().strip():
            parts.append(f"```text\n{printed.getvalue().strip()}\n```")
        if value is not None:
            parts.append(shown(value))
    return parts


async def run_cell(source: str, names: dict[str, Any], where: str) -> Any:
    """The value of the cell's last line, where that is an expression; None elsewhere."""
    tree = ast.parse(source, where)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    await _evaluate(tree, names, where, "exec")
    if last is None:
        return None
    return await _evaluate(ast.Expression(last.value), names, where, "eval")


async def _evaluate(tree: Any, names: dict[str, Any], where: str, mode: str) -> Any:
    code = compile(tree, where, mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    value = eval(code, names)
    return await value if code.co_flags & inspect.CO_COROUTINE else value


def shown(value: Any) -> str:
    """What a notebook shows of a value: its HTML, bare of styles of its own, else its text."""
    if not hasattr(value, "_repr_html_"):
        return f"```text\n{value!r}\n```"
    text = re.sub(r"<style.*?</style>", "", value._repr_html_(), flags=re.DOTALL)
    text = re.sub(r"<(table|tr|div)\s[^>]*>", r"<\1>", text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f'<div class="output">{"".join(lines)}</div>'


if __name__ == "__main__":
    main()
