"""Patterns of users: as `re` reads them, and ended when they take too long."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core.errors import EvalkitError, ExtractorError
from evalkit.core.patterns import Pattern, compile_pattern
from evalkit.interop.lm_eval.filters import RegexFilter
from evalkit.metrics.answers import ExactMatch
from evalkit.metrics.base import Context
from evalkit.metrics.extractors.excerpt import Excerpt
from evalkit.metrics.extractors.passages import match_regex
from evalkit.metrics.rules import check_rules

SLOW = r"(a|aa)+$"
LONG = "a" * 60 + "!"

PATTERNS = (
    r"answer is (\-?[0-9\.\,]+)",
    r"(?i)the answer is \(?([A-D])\)?",
    r"#### (\-?[0-9\.\,]+)",
    r"(\-?[$0-9.,]{2,})|(\-?[0-9]+)",
    r"[,$]|(?<=\d)\.$",
    r"(?P<letter>[A-J])[.)]",
    r"\b(yes|no)\b",
    r"[一二三四五六七八九十]+",
    r"(?s)<answer>(.*?)</answer>",
    r"[^\W\d_]+",
    r"x*",
)
"""The forms of tasks of lm-evaluation-harness and of ours."""


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=st.text(alphabet="aAxX bBdD()[]#.,$-0189 yesnoYN答案是一二<answer></answer>\n", max_size=40))
def test_matches_are_those_of_re(pattern: str, text: str) -> None:
    """findall, sub and whole matches, on any text."""
    ours, theirs = Pattern(pattern, "test"), re.compile(pattern)
    assert ours.findall(text) == theirs.findall(text)
    assert ours.sub("_", text) == theirs.sub("_", text)
    assert ours.fullmatch(text) == (theirs.fullmatch(text) is not None)
    assert [found.span() for found in ours.finditer(text)] == [each.span() for each in theirs.finditer(text)]


def slow_extractor() -> None:
    """A pattern of task.yaml."""
    match_regex(SLOW)(Excerpt(LONG))


def slow_rule() -> None:
    """A pattern of a rule."""
    check_rules([{"rule": "matches", "pattern": SLOW}], LONG, "en")


def slow_metric() -> None:
    """A pattern that exact_match leaves out."""
    ExactMatch(Context(language="en"), regexes_to_ignore=[SLOW])._edit(LONG)


def slow_filter() -> None:
    """A pattern of a task of lm-evaluation-harness."""
    RegexFilter(SLOW).apply([[LONG]], [{}])


@pytest.mark.parametrize("slow", [slow_extractor, slow_rule, slow_metric, slow_filter])
def test_a_slow_pattern_is_ended_and_named(slow: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a user writes one: an error with the pattern and the cure, in time."""
    monkeypatch.setattr("evalkit.core.patterns.SECONDS", 0.1)
    begun = time.monotonic()
    with pytest.raises(EvalkitError, match=r"the pattern .* took longer than 0\.1 s.*repeats") as caught:
        slow()  # type: ignore[operator]
    assert SLOW in str(caught.value)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("pattern", ["((a{1000}){1000}){1000}", "(a{999999999}b){2}"])
def test_repeats_that_would_fill_the_memory_are_refused(pattern: str) -> None:
    """The library writes counted repeats out; a bound that may be reached and need not be costs nothing."""
    with pytest.raises(ExtractorError, match="counted repeats multiply"):
        compile_pattern(pattern)
    assert compile_pattern("a{1,999999999}").fullmatch("aaa")


@pytest.mark.parametrize("pattern", ["(", "[a", "(?P<1>x)", "a**", "\\"])
def test_what_is_no_pattern_is_told(pattern: str) -> None:
    """With the pattern, and where it stands."""
    with pytest.raises(ExtractorError, match="is no regular expression"):
        compile_pattern(pattern)
