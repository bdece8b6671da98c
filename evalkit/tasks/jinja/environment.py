"""The sandbox in which templates of task files are rendered: no way into Python, and no text without end.

`{{ 'a' * 10 ** 9 }}` would fill the memory from one line of a task file. Whatever can make much of little is
counted before it is done (see sizes.py): nothing may be longer than `MOST_CHARACTERS`, all together
not more than `MOST_IN_ALL`, in which a turn of a loop is `TURN` characters. The template's tree is rewritten
before it is compiled, so that concatenations, slices, literals, comparisons and loops are counted too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from evalkit.tasks.jinja.sizes import (
    FILTERS,
    METHODS,
    MOST_CHARACTERS,
    too_large,
    weigh,
    weigh_operation,
)

MOST_IN_ALL = 10 * MOST_CHARACTERS
"""Characters that one rendering may make on its way."""
TURN = 500
"""Characters that a turn of a loop counts for, and half of what a call does: they take as long."""
ITEM = 50
"""Characters that an item counts for which a filter hands on."""
_MOST_ARGUMENTS = 10_000
_BY_ATTRIBUTE = ("groupby", "max", "min", "sort", "unique")
_TO_TEXT = frozenset({"%", "~", "format", "format_map", "join", "pprint", "string"})
"""What writes out the parts of a list, of which none may be missing then."""
_LAZY = frozenset({"batch", "items", "map", "slice", "unique"})


def sandbox_environment(
    *, immutable: bool = True, strict: bool = True, written: Callable[[Any], Any] = lambda value: value
) -> Any:
    """A Jinja environment for templates of task files: sandboxed, bounded, undefined names are errors, or
    empty where it is not `strict`; `written` gives a value as it is put into the text."""
    import jinja2
    from jinja2 import nodes, runtime, sandbox, visitor

    base: Any = sandbox.ImmutableSandboxedEnvironment if immutable else sandbox.SandboxedEnvironment

    missing = jinja2.Undefined if strict else None

    class Counted(runtime.Context):
        """What one rendering knows, and how much it has made."""

        made = 0

    class Counting(visitor.NodeTransformer):
        """Puts a filter that counts wherever something is made without a call."""

        def visit_Concat(self, node: Any) -> Any:
            """`a ~ b`."""
            self.generic_visit(node)
            parts = _filtered(nodes, nodes.List(node.nodes, lineno=node.lineno), " parts")
            return _filtered(nodes, parts, " concat")

        def visit_For(self, node: Any) -> Any:
            """The turns of a loop."""
            self.generic_visit(node)
            node.iter = _filtered(nodes, node.iter, " turns")
            return node

        def visit_Getitem(self, node: Any) -> Any:
            """A part of a text or list."""
            self.generic_visit(node)
            if not isinstance(node.arg, nodes.Slice):
                return node
            ends = [end or nodes.Const(None) for end in (node.arg.start, node.arg.stop, node.arg.step)]
            return _filtered(nodes, node.node, " part", ends)

        def visit_Compare(self, node: Any) -> Any:
            """Two values, which may be nested without end."""
            self.generic_visit(node)
            node.expr = _weighed(nodes, node.expr)
            for operand in node.ops:
                operand.expr = _weighed(nodes, operand.expr)
            return node

        def visit_List(self, node: Any) -> Any:
            """A list, a tuple or a dict that is written out."""
            self.generic_visit(node)
            return node if getattr(node, "ctx", "load") == "store" else _weighed(nodes, node)

        visit_Tuple = visit_Dict = visit_List

    class Bounded(base):  # type: ignore[misc]
        """The sandbox with all that makes much of little counted."""

        intercepted_binops = frozenset({"+", "*", "**", "%"})
        concat = staticmethod(_join)
        context_class = Counted

        def from_string(self, source: Any, *args: Any, **kwargs: Any) -> Any:
            """The compiled template."""
            tree = self.parse(source) if isinstance(source, str) else source
            tree = Counting().visit(tree)
            tree.set_environment(self)
            return super().from_string(tree, *args, **kwargs)

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            """The operator's value. Raises PromptError where it would be too large."""
            _charge(context, weigh_operation(operator, left, right), operator)
            _check_parts(operator, (right,), missing)
            return super().call_binop(context, operator, left, right)

        def call(self, context: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
            """What the function returns. Raises PromptError where it would make too much."""
            owner, name = _method(function)
            if name == "join" and args and hasattr(args[0], "__next__"):
                args = (_taken(context, args[0]), *args[1:])
            if len(args) > _MOST_ARGUMENTS:
                raise too_large("a call is", f"{_MOST_ARGUMENTS:,} arguments")
            cost = METHODS.get(name) if isinstance(owner, str | bytes | int) else None
            weight = cost(owner, *args, **kwargs) if cost else sum(map(weigh, (*args, *kwargs.values())))
            _charge(context, weight + 2 * TURN, name or "a call")
            _check_parts(name, (*args, *kwargs.values()), missing)
            made = super().call(context, function, *args, **kwargs)
            if isinstance(made, list):
                _charge(context, weigh(made), name)
            return made

    environment = Bounded(
        undefined=jinja2.StrictUndefined if strict else jinja2.Undefined,
        keep_trailing_newline=True,
        finalize=jinja2.pass_context(_finalizer(missing, written)),
    )
    del environment.globals["lipsum"]  # its text is another in each rendering
    _count_filters(environment, jinja2.pass_context, missing)
    return environment


def _filtered(nodes: Any, node: Any, name: str, args: Iterable[Any] = ()) -> Any:
    """The node behind a filter of ours; a space keeps its name out of templates."""
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)


def _weighed(nodes: Any, node: Any) -> Any:
    plain = (nodes.Const, nodes.TemplateData, nodes.Name)
    inner = node.items if isinstance(node, nodes.List | nodes.Tuple) else [node]
    if all(isinstance(item, nodes.Const) for item in inner) or isinstance(node, plain[:2]):
        return node
    return _filtered(nodes, node, " weighed_value")


def _count_filters(environment: Any, pass_context: Callable[[Any], Any], missing: Any) -> None:
    """Puts before each filter that can make much of little one that counts, and those of our own."""
    filters = environment.filters
    for name, cost in FILTERS.items():
        filters[f" {name}"] = filters[name]
        filters[name] = pass_context(_counted(name, cost, missing))
    for function in (_turns, _concat, _part, _weighed_value):
        filters[f" {function.__name__[1:]}"] = pass_context(function)

    def parts(values: list[Any]) -> list[Any]:
        _check_parts("~", values, missing)
        return values

    filters[" parts"] = parts


def _counted(name: str, cost: Callable[..., int], undefined: Any) -> Callable[..., Any]:
    """The filter `name`, refusing what is too large, and values that are missing where they must not be."""
    import itertools

    def counted(context: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        call = context.environment.call_filter
        if undefined is not None and name == "items" and isinstance(value, undefined):
            str(value)  # raises
        if hasattr(value, "__next__"):
            value = _taken(context, value)
        _charge(context, cost(value, *args, **kwargs), name)
        _check_parts(name, (value, *args, *kwargs.values()), undefined)
        if undefined is not None and name in _BY_ATTRIBUTE:
            value = _check_attribute(context, name, value, args, kwargs)
        made = call(f" {name}", value, args, kwargs, context=context)
        if name == "map" and undefined is not None:
            made = _defined(made, undefined)
        return _turning(context, made) if name in _LAZY and not isinstance(made, list) else made

    def _check_attribute(context: Any, name: str, value: Any, args: Any, kwargs: Any) -> Any:
        place = {"groupby": 0, "max": 1, "min": 1, "sort": 2, "unique": 1}[name]
        attribute = args[place] if len(args) > place else kwargs.get("attribute")
        if attribute is None or "default" in kwargs or (name == "groupby" and len(args) > 1):
            return value
        for one in str(attribute).split(",") if name == "sort" else [attribute]:
            made = context.environment.call_filter(" map", value, [], {"attribute": one}, context=context)
            for _ in _defined(itertools.islice(made, None), undefined):
                pass
        return value

    return counted


def _check_parts(name: str, values: Iterable[Any], undefined: Any) -> None:
    """Nothing; raises UndefinedError where a value is written out of which a part is missing."""
    if undefined is not None and name in _TO_TEXT:
        for value in values:
            if isinstance(value, list | tuple | dict | set):
                weigh(value, undefined)


def _defined(values: Iterable[Any], undefined: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, undefined):
            str(value)  # raises, for undefined is strict
        yield value


def _taken(context: Any, values: Iterator[Any]) -> list[Any]:
    """What an iterator gives, as a list that can be weighed."""
    return list(_turning(context, values))


def _turning(context: Any, values: Iterable[Any], each: int = ITEM) -> Iterator[Any]:
    for value in values:
        _charge(context, each, "loop")
        yield value


def _turns(context: Any, values: Any) -> Any:
    """What is looped over, its turns counted."""
    if not hasattr(values, "__len__"):
        return _turning(context, values, TURN) if hasattr(values, "__iter__") else values
    _charge(context, TURN * len(values), "loop")
    return values


def _concat(context: Any, parts: list[Any]) -> str:
    """The parts as one text."""
    _charge(context, sum(map(weigh, parts)), "~")
    return _join(map(str, parts))


def _part(context: Any, value: Any, *ends: Any) -> Any:
    """The part of the value between the ends."""
    if isinstance(value, str | bytes | list | tuple):
        _charge(context, len(value) // 10, "slice")
    return value[slice(*ends)]


def _weighed_value(context: Any, value: Any) -> Any:
    """The value, once it is known to be finite."""
    if not isinstance(value, str):
        _charge(context, weigh(value) // 2, "list")
    return value


def _method(function: Any) -> tuple[Any, str]:
    """Whose method is called, and its name."""
    plain = getattr(function, "__wrapped__", function)  # the sandbox wraps str.format
    return getattr(plain, "__self__", None), str(getattr(plain, "__name__", ""))


def _charge(context: Any, weight: int, what: str) -> None:
    """Adds to what the rendering has made. Raises PromptError where it, or all, is too much."""
    if weight > MOST_CHARACTERS:
        raise too_large(f"{what} makes a value")
    context.made += weight
    if context.made > MOST_IN_ALL:
        raise too_large("the template makes values", f"{MOST_IN_ALL:,} characters in all")


def _finalizer(undefined: Any, written: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def finalize(context: Any, value: Any) -> Any:
        """What is put into the text: all but a text is weighed, and has no undefined parts."""
        if not isinstance(value, str):
            _charge(context, weigh(value, undefined), "output")
            return written(value)
        return value

    return finalize


def _join(pieces: Iterable[str]) -> str:
    """The pieces as one text. Raises PromptError where it would be longer than `MOST_CHARACTERS`."""
    kept: list[str] = []
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > MOST_CHARACTERS:
            raise too_large("the template gives a text")
        kept.append(piece)
    return "".join(kept)


def check_defined(value: Any) -> None:
    """Nothing. Raises jinja2.UndefinedError where a part of the value is missing, PromptError where it is too
    large."""
    import jinja2

    if weigh(value, jinja2.Undefined) > MOST_CHARACTERS:
        raise too_large("the template gives a value")
