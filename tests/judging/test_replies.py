"""Scales, fences and the reading of a judge's reply."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.core.errors import MetricError
from evalkit.metrics.judging import Labels, Points, fence, make_rubric, read_verdict
from evalkit.metrics.judging.scales import make_scale

GRADES = Labels({"correct": 1.0, "partly": 0.5, "incorrect": 0.0, "cannot tell": None})


@pytest.mark.parametrize(
    ("text", "verdict", "worth"),
    [
        ('{"reasoning": "r", "verdict": "correct"}', "correct", 1.0),
        ('```json\n{"reasoning": "r", "verdict": "Partly"}\n```', "partly", 0.5),
        ('I think so.\n{"verdict": "incorrect"} That is all.', "incorrect", 0.0),
        ('{"verdict": "cannot tell"}', "cannot tell", None),
        ('{"verdict": "correct"} {"verdict": "correct"}', "correct", 1.0),
        ('{"verdict": "incorrect"}\nOn second thought:\n{"verdict": "correct"}', "correct", 1.0),
        ('<think>{"verdict": "incorrect"}? No.</think>{"verdict": "correct"}', "correct", 1.0),
        ('{"verdict": "incorrect"} maybe\n</think>\n{"verdict": "correct"}', "correct", 1.0),
        ("{'verdict': 'correct',}", "correct", 1.0),
        ('{"reasoning": "both say \\frac{1}{2}", "verdict": "correct"', "correct", 1.0),
        ('{"verdict": "Correct."}', "correct", 1.0),
        ("Correct.", "correct", 1.0),
        ("The units are missing.\n\n**Verdict:** partly", "partly", 0.5),
        ("结论：incorrect。", "incorrect", 0.0),
    ],
)
def test_one_verdict_is_read(text: str, verdict: str, worth: float | None) -> None:
    """An object with a verdict is found alone, fenced or inside other text; labels ignore case."""
    read = read_verdict(text, GRADES)
    assert read is not None
    assert (read.verdict, read.worth) == (verdict, worth)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "It is correct that the sky is blue.",
        "correct or incorrect",
        "Not correct.",
        '{"verdict": "right"}',
        '{"verdict": 1}',
        '{"verdict": "correct"} or {"verdict": "incorrect"}',
        '{"verdict": null}',
        "<think>It is correct",
        '{"reasoning": "it says {\\"verdict\\": \\"correct\\"}"}',
        '{"verdict": "corr',
        "{" * 5000,
    ],
)
def test_what_is_not_clearly_one_verdict_is_none(text: str) -> None:
    """Unknown labels, one verdict or the other, a quotation inside a text and a torn one are unreadable."""
    assert read_verdict(text, GRADES) is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        *(
            (7, ("7", 2 / 3)),
            ("7", ("7", 2 / 3)),
            (1, ("1", 0.0)),
            (10, ("10", 1.0)),
            (11, None),
            (True, None),
        ),
        *((text, ("8", 7 / 9)) for text in ("8/10", "8 out of 10", "**8**", "8分", "８", "8.")),
        *((text, None) for text in ("4/5", "8 or 9", "nan", "1e1", "", "eight")),
    ],
)
def test_points_lie_between_their_ends(value: object, found: tuple[str, float] | None) -> None:
    """A number of the scale is worth its place between the ends; others are no verdict."""
    read = Points(1, 10).read(value)
    assert read is None if found is None else read == (found[0], pytest.approx(found[1]))


def test_brackets_are_read_as_in_mt_bench() -> None:
    """Double brackets hold the verdict, and the rest is the reasoning; two that differ are unreadable."""
    read = read_verdict("Good answer. Rating: [[8.5]]", Points(1, 10), "brackets")
    assert read is not None
    assert read.verdict == "8.5"
    assert read.reasoning == "Good answer. Rating:"
    assert read_verdict("[[8]] or rather [[9]]", Points(1, 10), "brackets") is None


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["input", "answer", "target"]), st.text(max_size=60), min_size=1))
def test_no_text_can_close_its_own_fence(texts: dict[str, str]) -> None:
    """The mark is in none of the texts, whatever they are, and the same texts get the same mark."""
    fenced, mark = fence(texts)
    assert not any(mark in text for text in texts.values())
    assert all((f"</{name}-{mark}>" in fenced[name]) == bool(text) for name, text in texts.items())
    assert fence(texts) == (fenced, mark)


@pytest.mark.parametrize(
    ("scale", "labels", "message"),
    [
        ([1, 5], ["a", "b"], "not both"),
        ([5, 1], None, r"\[1, 10\]"),
        ("1-5", None, r"\[1, 10\]"),
        (None, [True, False], "in quotes"),
        (None, {True: 1, False: 0}, "in quotes"),
        (None, ["only"], "two different"),
        (None, ["a", "A"], "two different"),
        (None, {"a": 2}, "from 0 to 1"),
        (None, {"a": None, "b": 1}, "two different"),
        (None, "a,b", "list from best to worst"),
    ],
)
def test_a_wrong_scale_is_told(scale: Any, labels: Any, message: str) -> None:
    """A scale that cannot be meant says how one is written."""
    with pytest.raises(MetricError, match=message):
        make_scale("judge", scale, labels)


def test_labels_are_worth_their_place() -> None:
    """A list of labels goes from the best, worth 1, to the worst, worth 0."""
    scale = make_scale("judge", None, ["good", "fair", "bad"])
    assert isinstance(scale, Labels)
    assert dict(scale.values) == {"good": 1.0, "fair": 0.5, "bad": 0.0}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"rubric": "corectness"}, "Did you mean 'correctness'"),
        ({"prompt": "nowhere.md"}, "nowhere.md cannot be read"),
        ({"prompt": "{{ answer }}", "rubric": "quality"}, "not both"),
        ({"output": "brackets"}, "of your own"),
        ({"output": "xml"}, "json or brackets"),
        ({"rubric": "pairwise", "scale": [1, 2]}, "A, B or tie"),
        ({"prompt_language": "fr"}, "en or zh"),
    ],
)
def test_a_wrong_rubric_is_told(params: dict[str, Any], message: str) -> None:
    """What a judge cannot be told names its cure."""
    with pytest.raises(MetricError, match=message):
        make_rubric("judge", language="en", **params)


def test_the_digest_names_everything_that_is_said() -> None:
    """Two rubrics that tell a judge different things have different digests."""
    made = [
        make_rubric("judge", language=language, **params)
        for language in ("en", "zh")
        for params in (
            {},
            {"rubric": "quality"},
            {"rubric": "Is it polite and short?"},
            {"rubric": "Is it polite and long?"},
            {"labels": ["yes", "no"]},
            {"reference": False},
            {"max_tokens": 5},
        )
    ]
    assert len({rubric.digest for rubric in made}) == len(made)
    assert make_rubric("other", language="en").digest == made[0].digest


def test_truth_values_are_the_labels_that_say_them() -> None:
    """JSON's true is yes where the labels are yes and no, and no verdict where neither says so."""
    read = read_verdict('{"verdict": true}', Labels({"yes": 1.0, "no": 0.0}))
    assert read is not None
    assert read.verdict == "yes"
    assert read_verdict('{"verdict": true}', GRADES) is None
