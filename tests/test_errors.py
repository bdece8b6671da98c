"""The error tree: documented, complete, with the exit codes that CI relies on."""

from __future__ import annotations

import re

import pytest

from evalkit.core import errors
from evalkit.core.errors import CallError, EvalkitError, did_you_mean

CLASSES = {
    name: item
    for name, item in vars(errors).items()
    if isinstance(item, type) and item.__module__ == errors.__name__
}

EXIT_CODES = {
    "NotComparableError": 4,
    "InterruptedRunError": 130,
}


def test_all_names_what_is_public_in_order() -> None:
    """`__all__` lists every error, sorted, and nothing else but the hints."""
    assert errors.__all__ == sorted(errors.__all__)
    assert set(errors.__all__) == {*CLASSES, "did_you_mean", "list_names"}


def test_every_error_is_an_evalkit_error() -> None:
    """One `except EvalkitError` catches whatever evalkit raises on purpose."""
    for item in CLASSES.values():
        assert issubclass(item, EvalkitError)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_exit_codes(name: str) -> None:
    """Bad input ends with 2; only the documented errors end otherwise."""
    assert CLASSES[name].exit_code == EXIT_CODES.get(name, 2)


def test_docstring_draws_the_tree_as_it_is() -> None:
    """The drawing at the head of errors.py shows every error below its true parent."""
    stack: list[str] = []
    drawn: dict[str, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ([│ ]*(?:├── |└── )?)([A-Z]\w+Error)\b", line)
        if match:
            depth = len(match[1]) // 4
            drawn[match[2]] = stack[depth - 1] if depth else "Exception"
            stack[depth:] = [match[2]]
    assert drawn == {name: item.__bases__[0].__name__ for name, item in CLASSES.items()}


def test_call_error_carries_what_the_runner_does() -> None:
    """A failed call says why, what to do about it, and how long the server asked to wait."""
    error = CallError("slow down", kind="rate_limit", action="retry", retry_after=2.5)
    assert (str(error), error.kind, error.action, error.retry_after) == (
        "slow down",
        "rate_limit",
        "retry",
        2.5,
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("promts", " Did you mean 'prompts'?"),
        ("metric", " Did you mean 'metrics'?"),
        ("", ""),
        ("zzzz", ""),
    ],
)
def test_did_you_mean_names_the_nearest_or_nothing(name: str, hint: str) -> None:
    """A hint is given where a name is near, with the space that joins it to the sentence before."""
    assert did_you_mean(name, ["prompts", "metrics"]) == hint


def test_did_you_mean_joins_several_names() -> None:
    """Several near names are all offered."""
    assert did_you_mean("sentiment", ["sentiment_en", "sentiment_zh"]).count(" or ") == 1
