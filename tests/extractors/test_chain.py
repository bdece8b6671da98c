"""Chains of steps: what they find, where, by which rule, and what they say of themselves."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.core.errors import ExtractorError
from evalkit.core.records import Extraction
from evalkit.metrics.extractors import build_extractor
from evalkit.metrics.extractors.catalogue import CATALOGUE

SPECS = [
    "identity",
    "strip",
    {"strip": "*。"},
    "strip_reasoning",
    "lowercase",
    "uppercase",
    "first_line",
    "last_line",
    {"after_marker": "Answer:"},
    {"before_marker": {"marker": "\n\n", "ignore_case": True}},
    {"regex": r"([A-Za-z]+)-(\d+)?"},
    "number",
    "last_number",
    "gsm8k",
    {"letter": "ABCD"},
    {"label": {"aliases": {"yes": ["是"]}}},
    {"json": "a.b[0]"},
    {"json": ""},
    "boxed",
    "code_block",
    {"code_block": "python"},
    {"map": {"B": "b"}},
    {"first_of": [["boxed", "number"], ["last_line"]]},
]
LABELS = ("yes", "no", "正面")
SNIPPETS = [
    *(
        "答案",
        "：",
        "是",
        "B",
        "Ｂ",
        "不",
        "选",
        "A",
        "、",
        "都",
        "错误",
        "answer is",
        "Answer:",
        " ",
        "\n",
        "####",
    ),
    *("18", "1,234", "-", "$", "/", "|", "\\boxed{", "}", "{", "\\frac{1}{2}", "<think>", "</think>", "```"),
    *(
        "```python",
        "[",
        "]",
        "三十五",
        "第",
        "点",
        "分之",
        "万",
        "yes",
        "no",
        "正面",
        "or",
        "not",
        "?",
        "．",
        "٣",
    ),
    *("\ud800", "İ", "ſ", "\x00", "é", "<thinking>", '{"a": {"b": [1]}}', "，", "=", "…", "\r", "\u2028"),
]
TEXTS = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(SNIPPETS), max_size=40).map("".join))


def extract(specs, text: str, **options) -> Extraction | None:
    return build_extractor(specs, **options).extract(text)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_no_text_makes_a_step_raise(text):
    """Any text has an answer or none, whose place is inside the text, twice the same."""
    for spec in SPECS:
        extractor = build_extractor([spec], labels=LABELS)
        found = extractor.extract(text)
        assert found == extractor.extract(text)
        if found is not None:
            assert 0 <= found.start <= found.end <= len(text)
            assert found.answer.strip()
            assert found.rule


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.lists(st.sampled_from(SPECS), min_size=2, max_size=4))
def test_no_chain_raises_or_leaves_the_text(text, specs):
    """Any chain of steps keeps its answer inside the text."""
    found = extract(specs, text, labels=LABELS)
    assert found is None or 0 <= found.start <= found.end <= len(text)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_a_literal_answer_stands_at_its_place(text):
    """Steps that only choose a passage give exactly the text at their span."""
    for spec in (
        "strip",
        "first_line",
        "last_line",
        {"after_marker": ":"},
        {"regex": r"\w+"},
        "boxed",
        "code_block",
    ):
        found = extract([spec], text)
        assert found is None or text[found.start : found.end] == found.answer


HOSTILE = {
    "letters": "A ",
    "answer": "answer ",
    "anchors": "答案是",
    "digits": "1",
    "groups": "1,234,",
    "fractions": "1/",
    "braces": "{",
    "boxes": "\\boxed{",
    "brackets": "[",
    "objects": '{"a":',
    "think": "<think>",
    "fences": "```\n",
    "numerals": "一",
    "units": "一百",
    "labels": "yes or no ",
    "spaces": " ",
    "lines": "\n",
    "stars": "*",
    "hashes": "#",
    "prose": "The answer may be 5, or B. 不是 A。\n",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_time_grows_with_the_text_only(kind):
    """No step is worse than linear in 50,000 characters of the worst, whatever the speed of the machine."""

    def seconds(extractor, n):
        text = HOSTILE[kind] * (n // len(HOSTILE[kind]))
        before = time.process_time()
        extractor.extract(text)
        return time.process_time() - before

    for spec in SPECS:
        extractor = build_extractor([spec], labels=LABELS)
        if seconds(extractor, 50_000) < 0.2:  # a step that compared all with all would take minutes
            continue
        half, whole = (min(seconds(extractor, n) for _ in range(3)) for n in (25_000, 50_000))
        assert whole < 3 * half, spec


def test_steps_run_from_left_to_right():
    """Each step sees what the one before left; the span still refers to the whole reply."""
    text = "<think>Answer: 7</think> So.\nAnswer: **18.00** dollars"
    found = extract(["strip_reasoning", {"after_marker": "Answer:"}, "number"], text)
    assert found == Extraction("18", "number:last", text.index("18.00"), text.index("18.00") + 5)


def test_a_step_that_finds_nothing_ends_the_chain():
    """There is no answer, even if a later step would find one."""
    assert extract([{"after_marker": "Answer:"}, "number"], "It is 5.") is None


def test_an_empty_chain_is_the_text_itself():
    """Without steps the answer is the whole text."""
    assert extract([], "abc") == Extraction("abc", "identity", 0, 3)


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_a_blank_text_is_no_answer(text):
    """A model that says nothing has not answered."""
    assert extract(["identity"], text) is None


def test_the_rule_is_that_of_the_step_which_chose():
    """Steps that only rewrite do not hide which rule found the answer."""
    found = extract(["number", "strip", "lowercase"], "so 5")
    assert found is not None
    assert found.rule == "number:last"


def test_first_of_takes_the_first_chain_that_finds_something():
    """Alternatives are tried in order; the rule names the one that matched."""
    specs = [{"first_of": [["boxed", "number"], [{"after_marker": "Answer:"}, "first_line"], "last_number"]}]
    assert extract(specs, r"Answer: 1, \boxed{2}") == Extraction("2", "number:last", 18, 19)
    found = extract(specs, "7\nAnswer: six\n8")
    assert found is not None
    assert (found.answer, found.rule) == ("six", "first_line")
    assert extract(specs, "none") is None


def test_a_hook_of_a_task_is_a_step():
    """A Python function finds the answer; its place is looked up in the text."""
    hooks = {"second_word": lambda text: text.split()[1] if len(text.split()) > 1 else None}
    found = extract(["strip", "second_word", "uppercase"], " one two three", hooks=hooks)
    assert found == Extraction("TWO", "second_word", 5, 8)
    assert extract(["second_word"], "one", hooks=hooks) is None


def test_a_hook_that_returns_no_text_is_a_typed_error():
    """The message names the function and what it returned."""
    with pytest.raises(ExtractorError, match=r"'odd' of task.py returned int"):
        extract(["odd"], "x", hooks={"odd": lambda text: 5})


def test_the_signature_tells_every_setting():
    """What decides an answer is in the signature, the language and the labels where they matter."""
    extractor = build_extractor(
        ["strip_reasoning", {"regex": "a(b)"}, "number", "label"], language="de", labels=["x"]
    )
    assert extractor.signature == (
        'strip_reasoning(v=2) | regex(pattern="a(b)") | number(decimal=",", v=2) | label(labels=["x"], v=2)'
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("numbr", "Did you mean 'number'"),
        ({"regex": {"patern": "x"}}, "Did you mean 'pattern'"),
        ({"regex": "("}, "no regular expression"),
        ({"regex": {"pattern": "a", "group": 2}}, "no group 2"),
        ({"regex": {"pattern": "a", "group": True}}, "group must be"),
        ("regex", "needs pattern"),
        ({"after_marker": 5}, "marker must be a text"),
        ({"after_marker": {"marker": "x", "which": "middle"}}, "first or last"),
        ({"json": "a..b"}, r"a\.\.b"),
        ({"json": "a["}, r"a\["),
        ({"map": {True: "yes"}}, "quotes"),
        ({"letter": "12"}, "letters"),
        ({"number": {"x": 1}}, "it has none"),
        ({"number": 5}, "no mapping"),
        ({"a": 1, "b": 2}, "name"),
        (5, "name"),
        ({"first_of": []}, "alternatives"),
        ({"first_of": [5]}, "list of extractors"),
    ],
)
def test_a_wrong_step_is_a_typed_error(spec, message):
    """An unknown step, parameter or value is named before any text is read, with the cure."""
    with pytest.raises(ExtractorError, match=message):
        build_extractor([spec])


def test_every_step_of_the_catalogue_is_tested_here():
    """A new step must join the tests on hostile text."""
    named = {spec if isinstance(spec, str) else next(iter(spec)) for spec in SPECS}
    assert named == {*CATALOGUE, "first_of"}
