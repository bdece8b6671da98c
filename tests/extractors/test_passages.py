"""Steps that choose a passage or rewrite it, and the vote over repeats."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.metrics.extractors import build_extractor, majority_vote

TEXT = "\n First line. \nAnswer: one\nANSWER: two \n\n"
CASES = [
    ("first_line", "First line."),
    ("last_line", "ANSWER: two"),
    ({"after_marker": "Answer:"}, "one\nANSWER: two"),
    ({"after_marker": {"marker": "answer:", "ignore_case": True}}, "two"),
    ({"after_marker": {"marker": "answer:", "ignore_case": True, "which": "first"}}, "one\nANSWER: two"),
    ({"after_marker": "Result:"}, None),
    ({"before_marker": "Answer:"}, "First line."),
    ({"before_marker": "Result:"}, TEXT.strip()),
    ({"regex": r"nswer: (\w+)"}, "one"),
    ({"regex": {"pattern": r"nswer: (?P<word>\w+)", "group": "word"}}, "one"),
    ({"regex": {"pattern": r"answer: (\w+)", "which": "last", "ignore_case": True}}, "two"),
    ({"regex": {"pattern": r"nswer: (\w+)", "group": 0}}, "nswer: one"),
    ({"regex": r"x(\w+)"}, None),
    ({"regex": r"(never)?line"}, None),
]


@pytest.mark.parametrize(("step", "answer"), CASES)
def test_passages(step, answer):
    """Each step finds its passage, or no answer where there is none."""
    found = build_extractor([step]).extract(TEXT)
    assert (found and found.answer) == answer


@pytest.mark.parametrize(
    ("steps", "text", "answer"),
    [
        (["strip"], "  a b \n", "a b"),
        ([{"strip": "*。 "}], " **答案。** ", "答案"),
        (["lowercase"], "ÀB", "àb"),
        (["uppercase"], "straße", "STRASSE"),
        (["strip", {"map": {"是": "yes", "否": "no"}}], " 是 ", "yes"),
        ([{"map": {"是": "yes"}}], "maybe", "maybe"),
    ],
)
def test_rewriting(steps, text, answer):
    """Rewritten answers still say where they come from."""
    found = build_extractor(steps).extract(text)
    assert found is not None
    assert found.answer == answer
    assert 0 <= found.start < found.end <= len(text)


def test_the_vote_takes_the_most_frequent_answer():
    """Repeats without an answer do not vote; ties go to the answer seen first."""
    assert majority_vote(["7", None, "8", "8", None, None]) == "8"
    assert majority_vote(["b", "a", "a", "b"]) == "b"
    assert majority_vote([None, None]) is None
    assert majority_vote([]) is None


@given(st.lists(st.none() | st.sampled_from("abc")))
def test_nobody_has_more_votes_than_the_winner(answers):
    """The winner is an answer that no other outnumbers."""
    winner = majority_vote(answers)
    given_answers = [answer for answer in answers if answer is not None]
    if winner is None:
        assert not given_answers
    else:
        assert answers.count(winner) == max(map(answers.count, given_answers))
