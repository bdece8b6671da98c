"""What a task's own task.py may define beside `load_samples(path)` and `map_row(row)`.

    from evalkit import extractor, metric, tool

    @extractor
    def after_hash(text):              # text -> answer, or None for no answer
        return text.rpartition("#")[2] or None

    @metric(higher_is_better=True)
    def length_ratio(case):            # Case -> number, or None for unscored
        return min(1.0, len(case.answer or "") / len(case.target[0]))

    @metric(value=lambda hits, said, right: 2 * hits / (said + right))
    def pooled_f1(case):               # Case -> statistics, or None; value takes their sums over all samples
        said, right = set((case.answer or "").split()), set(case.target[0].split())
        return len(said & right), len(said), len(right)

    @tool
    def price(item: str) -> float:     # annotated parameters; the docstring is what the model is told
        'The price of an item in euros.'
        return PRICES[item]

task.yaml names them like any other: `extract: [after_hash]`, `metrics: [length_ratio]`, and in a prompt
`solver: {name: react, tools: [calculator, price]}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, TypeVar, overload

Function = TypeVar("Function", bound=Callable[..., Any])

_MARK = "__evalkit_hook__"


def extractor(function: Function) -> Function:
    """The function itself, marked as an extractor: it takes a text and gives an answer, or None."""
    setattr(function, _MARK, ("extractor", {}))
    return function


def tool(function: Function) -> Function:
    """The function itself, marked as a tool that a model may use; may be async."""
    setattr(function, _MARK, ("tool", {}))
    return function


@overload
def metric(function: Function) -> Function: ...
@overload
def metric(
    *,
    higher_is_better: bool = True,
    scale: str = "fraction",
    bounds: tuple[float, float] | None = None,
    value: Callable[..., float] | None = None,
    possible: Sequence[Sequence[float]] | None = None,
) -> Callable[[Function], Function]: ...


def metric(
    function: Function | None = None,
    *,
    higher_is_better: bool = True,
    scale: str = "fraction",
    bounds: tuple[float, float] | None = None,
    value: Callable[..., float] | None = None,
    possible: Sequence[Sequence[float]] | None = None,
) -> Function | Callable[[Function], Function]:
    """The function itself, marked as a metric: it takes a `Case` and gives a number, or None for unscored.

    With `value` it is a metric of the corpus: the function gives a sample's statistics, a tuple of numbers,
    and `value` takes their sums over all samples, one argument each; the interval and the paired tests come
    of them. `possible` holds the statistics of the most extreme samples: with them intervals hold at any
    size, without they are approximate, and there are no verdicts below 50 samples.
    """
    settings: dict[str, Any] = {"higher_is_better": higher_is_better, "scale": scale, "bounds": bounds}
    if value is not None:
        settings |= {"value": value, "possible": possible}
    elif possible is not None:
        raise TypeError("@metric: possible goes with value, the function of the sums")

    def mark(marked: Function) -> Function:
        setattr(marked, _MARK, ("metric", settings))
        return marked

    return mark(function) if function is not None else mark


def find_hooks(module: ModuleType, kind: str) -> dict[str, tuple[Callable[..., Any], Mapping[str, Any]]]:
    """The functions of a module that are marked as `kind`, with their settings, by name."""
    found = {}
    for name, value in vars(module).items():
        mark = getattr(value, _MARK, None)
        if callable(value) and isinstance(mark, tuple) and mark[0] == kind:
            found[name] = (value, mark[1])
    return found
