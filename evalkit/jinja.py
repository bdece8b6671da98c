"""The sandbox in which templates of task files are rendered: no way into Python, and no text without end.

`{{ 'a' * 10 ** 9 }}` would fill the memory from one line of a task file. Whatever can make much of little is
counted before it is done, and a rendered template may not be longer than `MOST_CHARACTERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from evalkit.errors import PromptError

MOST_CHARACTERS = 10_000_000
"""Characters (or items of a list) that a template may make."""
_MOST_BITS = 1_000_000
"""Of a whole number that a template may calculate."""
_SIZED = (str, list, tuple)
_PADDING = frozenset({"ljust", "rjust", "center", "zfill", "expandtabs"})
"""Methods of texts that take a width."""
_PADDING_FILTERS = ("center", "indent", "wordwrap", "round")


def sandbox_environment(*, immutable: bool = True, strict: bool = True) -> Any:
    """A Jinja environment for templates of task files: sandboxed, bounded, undefined names are errors, or
    empty where it is not `strict`."""
    import jinja2
    from jinja2 import compiler, sandbox

    base: Any = sandbox.ImmutableSandboxedEnvironment if immutable else sandbox.SandboxedEnvironment

    class Compiler(compiler.CodeGenerator):
        """Writes `a ~ b` as a join that is counted."""

        def visit_Concat(self, node: Any, frame: Any) -> None:
            """Write the code of a concatenation."""
            self.write("environment.concat((str(part) for part in (")
            for part in node.nodes:
                self.visit(part, frame)
                self.write(", ")
            self.write(")))")

    class Bounded(base):  # type: ignore[misc]
        """The sandbox with its operators, joins and paddings counted."""

        code_generator_class = Compiler
        intercepted_binops = frozenset({"+", "*", "**", "%"})
        concat = staticmethod(_join)

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            """The operator's value. Raises PromptError where it would be too large."""
            _check_operator(operator, left, right)
            return super().call_binop(context, operator, left, right)

        def call(self, context: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
            """What the function returns. Raises PromptError where it would pad without end."""
            _check_padding(function, args, kwargs)
            return super().call(context, function, *args, **kwargs)

    undefined = jinja2.StrictUndefined if strict else jinja2.Undefined
    environment = Bounded(undefined=undefined, keep_trailing_newline=True)
    for name in _PADDING_FILTERS:
        environment.filters[name] = _bounded_filter(environment.filters[name])
    return environment


def _join(pieces: Iterable[str]) -> str:
    """The pieces as one text. Raises PromptError where it would be longer than `MOST_CHARACTERS`."""
    kept: list[str] = []
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > MOST_CHARACTERS:
            raise _too_large("the template gives a text")
        kept.append(piece)
    return "".join(kept)


def _check_operator(operator: str, left: Any, right: Any) -> None:
    both_sized = isinstance(left, _SIZED) and isinstance(right, _SIZED)
    if operator == "+" and both_sized and len(left) + len(right) > MOST_CHARACTERS:
        raise _too_large("+ makes a value")
    if operator == "*":
        for many, times in ((left, right), (right, left)):
            if isinstance(times, int) and isinstance(many, str | bytes | list | tuple):
                if len(many) * times > MOST_CHARACTERS:
                    raise _too_large(f"{type(many).__name__} * {times} is a value")
                return
        if isinstance(left, int) and isinstance(right, int):
            _check_bits(left.bit_length() + right.bit_length(), "*")
    elif operator == "**" and isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() * right, "**")
    elif operator == "%" and isinstance(left, str):
        widths = [int(digits) for digits in _numbers(left)]
        widths += [abs(value) for value in _flat(right) if isinstance(value, int) and "*" in left]
        if max(widths, default=0) > MOST_CHARACTERS:
            raise _too_large("a format has a width")


def _check_bits(bits: int, operator: str) -> None:
    if bits > _MOST_BITS:
        raise _too_large(f"{operator} makes a number", f"{_MOST_BITS:,} bits")


def _check_padding(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    function = getattr(function, "__wrapped__", function)  # the sandbox wraps str.format
    owner = getattr(function, "__self__", None)
    name = getattr(function, "__name__", "")
    if isinstance(owner, str) and name in _PADDING:
        _check_width(args, kwargs)
    elif isinstance(owner, str) and name in ("format", "format_map"):
        if max((int(digits) for digits in _numbers(owner)), default=0) > MOST_CHARACTERS:
            raise _too_large("a format has a width")
        if ":" in owner and owner.count("{") > 1:  # a width may be among the arguments
            _check_width(args, kwargs)
    elif isinstance(owner, str) and name == "replace" and len(args) >= 2:
        old, new = str(args[0]), str(args[1])
        n = owner.count(old) if old else len(owner) + 1
        if len(owner) + n * len(new) > MOST_CHARACTERS:
            raise _too_large("replace makes a text")
    elif isinstance(owner, str) and name == "join" and args and hasattr(args[0], "__len__"):
        if len(owner) * len(args[0]) > MOST_CHARACTERS:
            raise _too_large("join makes a text")
    elif name == "generate_lorem_ipsum":
        _check_width(tuple(100 * value for value in args if isinstance(value, int)), kwargs)


def _check_width(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    for value in (*args, *kwargs.values()):
        if isinstance(value, int) and value > MOST_CHARACTERS:
            raise _too_large("a text is padded to a width")


def _bounded_filter(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, refusing widths that fill the memory."""
    import functools

    @functools.wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        _check_width(args[1:], kwargs)
        return function(*args, **kwargs)

    return bounded


def _numbers(text: str) -> Iterator[str]:
    """The runs of digits in a format, each cut to what decides whether it is too large."""
    import re

    return (digits[:20] for digits in re.findall(r"[0-9]+", text))


def _flat(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _too_large(what: str, limit: str = f"{MOST_CHARACTERS:,} characters") -> PromptError:
    return PromptError(f"{what} of more than {limit}; no prompt needs that")
