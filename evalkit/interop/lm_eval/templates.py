"""Jinja templates by lm_eval's rules: StrictUndefined, the trailing newline kept, `regex_replace`.

The sandbox is ours: a task file from elsewhere may not reach into Python through a template.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

from evalkit.core.errors import PromptError
from evalkit.core.patterns import compile_pattern
from evalkit.tasks.jinja import sandbox_environment

Render = Callable[[Mapping[str, Any]], str]

_MUTATING = re.compile(r"\.\s*(append|pop|update|insert|extend|remove|sort|reverse|clear|setdefault)\s*\(")


@functools.cache
def _environment() -> Any:
    environment = sandbox_environment(immutable=False)
    environment.filters["regex_replace"] = _regex_replace
    return environment


def _regex_replace(value: str, pattern: str, repl: str, count: int = 0) -> str:
    return compile_pattern(pattern).sub(repl, value, count)


@functools.lru_cache(maxsize=8192)
def _compile(source: str) -> Any:
    return _environment().from_string(source)


def is_mutating(source: Any) -> bool:
    """Whether a template may change the document it is rendered with."""
    return isinstance(source, str) and _MUTATING.search(source) is not None


def compile_template(source: str, where: str) -> Render:
    """A function from a document to text. Raises PromptError, now for syntax, later for missing columns."""
    import jinja2

    try:
        template = _compile(source)
    except jinja2.TemplateError as error:
        line = getattr(error, "lineno", None)
        place = f" (line {line} of the template)" if line else ""
        raise PromptError(f"{where}: {error.message}{place}") from error
    except (RecursionError, ValueError, SyntaxError, MemoryError, OverflowError) as error:
        raise PromptError(f"{where}: the template cannot be compiled ({error})") from error
    if "{{" not in source and "{%" not in source and "{#" not in source:
        constant: str = template.render()
        return lambda doc: constant
    render = template.render

    def fill(doc: Mapping[str, Any]) -> str:
        try:
            text: str = render(doc)
        except jinja2.UndefinedError as error:
            columns = ", ".join(sorted(map(str, doc)))
            raise PromptError(f"{where}: {error.message}. Columns of the document: {columns}") from error
        except PromptError as error:
            raise PromptError(f"{where}: {error}") from error
        except Exception as error:  # a template may divide by zero, index too far, or leave the sandbox
            raise PromptError(f"{where}: cannot be rendered ({type(error).__name__}: {error})") from error
        return text

    return fill


def literal(text: str, where: str) -> Any:
    """The Python literal that a rendered text spells. Raises PromptError."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise PromptError(f"{where}: gives {text!r:.200}, which is not a Python literal") from error
