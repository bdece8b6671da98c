"""Reasoning that stands in the text is no part of the answer."""

from __future__ import annotations

import pytest

from evalkit.metrics.extractors import build_extractor

CASES = {
    "<think>It may be A.</think>B": "B",
    "<think>\n\n</think>\n\nB": "B",
    "<thinking>x</thinking> B": "B",
    "<THINK>x</THINK>B": "B",
    "◁think▷x◁/think▷B": "B",
    "It may be A.</think>\nB": "B",
    "<think>a <think> b</think> c</think>B": "B",
    "<think>a</think>B<think>c</think>": "B",
    "<think>It may be A. B": None,
    "B <think>or A": None,
    "<think>x</think>": None,
    "B": "B",
}


@pytest.mark.parametrize("text", CASES)
def test_reasoning_is_taken_away(text):
    """Closed reasoning goes; reasoning that never ends leaves no answer."""
    found = build_extractor(["strip_reasoning"]).extract(text)
    assert (found and found.answer) == CASES[text]


def test_places_survive_a_cut_in_the_middle():
    """What stands after removed reasoning is found at its place in the reply."""
    text = "First <think>no</think>then 42 apples"
    found = build_extractor(["strip_reasoning", "number"]).extract(text)
    assert found is not None
    assert (found.start, found.end) == (text.index("42"), text.index("42") + 2)
    whole = build_extractor(["strip_reasoning"]).extract(text)
    assert whole is not None
    assert (whole.answer, whole.start, whole.end) == ("First then 42 apples", 0, len(text))
