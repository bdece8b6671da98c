"""Exact match, quasi-exact match and token F1."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core.errors import MetricError
from evalkit.metrics import Metric
from evalkit.metrics.answers import answer_tokens, parse_number, token_f1

Value = Callable[..., float]

# chinese-metrics.md 5.3, column "char F1 (NFKC)".
CHINESE_F1 = [
    ("北京。", "北京", 1.00),
    ("北京市", "北京", 0.80),
    ("答案是北京", "北京", 0.57),
    ("北京是首都", "首都是北京", 1.00),
    ("《红楼梦》", "红楼梦", 1.00),
    ("１９４９年１０月１日", "1949年10月1日", 1.00),
    ("3.5%", "3.5％", 1.00),
    ("1949年", "1949年10月1日", 0.50),
    ("「紅樓夢」", "红楼梦", 0.00),
]


@pytest.mark.parametrize(("answer", "target", "f1"), CHINESE_F1)
def test_chinese_f1(answer: str, target: str, f1: float, value: Value) -> None:
    """Characters of NFKC text are the units of F1 in Chinese."""
    assert round(value("f1", "zh", answer, target), 2) == f1


@pytest.mark.parametrize(("answer", "target", "f1"), CHINESE_F1)
def test_squad_rules_are_blind_to_chinese(answer: str, target: str, f1: float, value: Value) -> None:
    """The table's first column: under English rules none of these pairs has anything in common."""
    assert value("f1", "en", answer, target) == 0.0
    assert value("exact_match", "en", answer, target) == 0.0


@pytest.mark.parametrize(("answer", "target", "f1"), CHINESE_F1)
def test_chinese_exact_match(answer: str, target: str, f1: float, value: Value) -> None:
    """Punctuation and width do not matter, order and characters do."""
    expected = f1 == 1.0 and answer != "北京是首都"
    assert value("exact_match", "zh", answer, target) == float(expected)


@pytest.mark.parametrize(
    ("answer", "target", "same"),
    [
        ("1,200", "1200.0", True),
        ("１，２００", "1200", True),
        ("-5", "5", False),
        ("−5", "-5", True),
        ("3.0", "30", False),
        (".5", "0.5", True),
        ("18.", "18", True),
        ("007", "7", False),
        ("1200 dollars", "1200", False),
        ("0", "-0", True),
    ],
)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_numbers_compare_as_numbers(answer: str, target: str, same: bool, lang: str, value: Value) -> None:
    """Where answer and target are numbers, their values decide, however they are written."""
    assert value("exact_match", lang, answer, target) == float(same)


def test_numbers_as_texts_on_request(value: Value) -> None:
    """numeric: off compares numbers as texts; YAML's bare off means the same."""
    for off in ("off", False):
        assert value({"name": "exact_match", "numeric": off}, "en", "1200.5", "1200.50") == 0.0
    assert value("exact_match", "en", "1200.5", "1200.50") == 1.0


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_numbers_are_read_back(number: Decimal) -> None:
    """A number is read as itself, with and without separators."""
    assert parse_number(f"{number}") == number
    assert parse_number(f" {number:,} ") == number


@pytest.mark.parametrize("text", ["", ".", "-", "1,20", "1.2.3", "12 apples", "1e5", "一", "½", "1,2000"])
def test_other_texts_are_no_numbers(text: str) -> None:
    """Whatever is not plainly one number is compared as a text."""
    assert parse_number(text) is None


def test_no_answer_is_wrong(value: Value) -> None:
    """A reply without an answer scores 0; a blank one answers an empty target."""
    for name in ("exact_match", "quasi_exact_match", "f1", "accuracy"):
        assert value(name, "en", None, "x") == 0.0
        assert value(name, "en", None, "") == float(name != "accuracy")


def test_empty_target_is_met_by_an_empty_answer(value: Value) -> None:
    """An unanswerable question (SQuAD 2.0) is answered rightly by nothing, and by nothing else."""
    for name in ("exact_match", "f1"):
        assert value(name, "en", "", "") == 1.0
        assert value(name, "en", "word", "") == 0.0
        assert value(name, "en", "", "word") == 0.0


def test_a_target_that_normalises_to_nothing_equals_an_answer_that_does(value: Value) -> None:
    """As the official scripts of SQuAD and Natural Questions have it; other answers are wrong."""
    for lang in ("en", "zh"):
        assert value("exact_match", lang, "!", "?") == 1.0
        assert value("exact_match", lang, "a word", "?") == 0.0
    assert value("exact_match", "en", "a", "the") == 1.0


@pytest.mark.parametrize("target", [")", "] }", "+", "&&", "*"])
def test_blank_reply_is_no_bracket(target: str, value: Value) -> None:
    """A target of brackets or operators alone is not met by silence, as sequences of brackets are (BBH)."""
    for edits in ({}, {"ignore_case": True}, {"normalize": "none"}):
        assert value({"name": "exact_match", **edits}, "en", "", target) == 0.0
        assert value({"name": "exact_match", **edits}, "en", target, target) == 1.0


NOT_EQUAL = [
    (r"-\frac12", r"\frac12"), ("x+1", "x-1"), ("x = -1", "x = 1"), ("3/4", "34"), ("-5 °C", "5 °C"),
    ("1.5 kg", "15 kg"), ("1e-5", "1e5"), ("[1,2)", "(1,2]"), ("C++", "C#"), ("C++", "C"),
    ("10:30", "1030"), ("x^2", "x2"), ("2-3", "23"), ("1,2", "12"), ("a<b", "a>b"),
    ("3+4", "34"), ("A+", "A"), ("5.0 m", "50 m"),
    ("+", "-"), ("{", "}"), ("] ]", "]"), ("*", "+"), ("&&", "||"), ("<", ">"), (")", "."),
]  # fmt: skip
EQUAL = [
    ("Paris.", "paris"), ("**Paris**", "Paris"), ("February 7, 2016", "February 7 2016"), ("U.S.", "US"),
    ("1,000 men", "1000 men"), ("B-17", "B17"), ("5", "5.0"), ("(1945)", "1945"), 
    ("COVID-19", "COVID19"), ("- Paris", "Paris"), ("] )", "])"),
]  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "zh", "fr"])
def test_signs_operators_and_brackets_tell_answers_apart(value: Value, lang: str) -> None:
    """What a normal form for prose drops counts in expressions, and stays dropped in prose."""
    for answer, target in NOT_EQUAL:
        assert value("exact_match", lang, answer, target) == 0.0, (answer, target)
        assert value("exact_match", lang, target, answer) == 0.0, (target, answer)
    for answer, target in EQUAL:
        assert value("exact_match", lang, answer, target) == 1.0, (answer, target)


def test_best_target_counts(value: Value) -> None:
    """With several targets the most favourable one decides."""
    assert value("exact_match", "en", "the Cat", "dog", "cat") == 1.0
    assert value("f1", "en", "the black cat", "dog", "cat", "black dog and more") == pytest.approx(2 / 3)


@given(st.text(alphabet="ab北京 。1", max_size=12), st.text(alphabet="ab北京 。1", max_size=12))
def test_f1_is_symmetric_and_bounded(left: str, right: str) -> None:
    """F1 does not ask which side is the answer, lies in [0, 1], and is 1 for a text with itself."""
    for lang in ("en", "zh"):
        one, two = answer_tokens(left, lang), answer_tokens(right, lang)
        assert token_f1(one, two) == pytest.approx(token_f1(two, one))
        assert 0.0 <= token_f1(one, two) <= 1.0
        assert token_f1(one, one) == 1.0


@given(st.lists(st.sampled_from("abcd"), max_size=9), st.lists(st.sampled_from("abcd"), max_size=9))
def test_f1_is_squads(left: list[str], right: list[str]) -> None:
    """The value is that of compute_f1 in SQuAD's evaluate-v2.0.py, restated here."""
    common = sum(min(left.count(ch), right.count(ch)) for ch in set(left))
    if not left or not right:
        expected = float(left == right)
    elif not common:
        expected = 0.0
    else:
        precision, recall = common / len(left), common / len(right)
        expected = 2 * precision * recall / (precision + recall)
    assert token_f1(left, right) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    ("options", "answer", "target", "same"),
    [
        ({"normalize": "none"}, "Cat", "cat", False),
        ({"normalize": "none"}, "1200", "1200.0", False),
        ({"ignore_case": True}, "Cat", "cat", True),
        ({"ignore_case": True}, "the cat", "cat", False),
        ({"ignore_case": False}, "cat", "cat", True),
        ({"ignore_punctuation": True}, "c.a-t!", "cat", True),
        ({"ignore_numbers": True}, "cat 1", "cat 22", True),
        ({"regexes_to_ignore": [",", r"\$", r"(?s).*#### "]}, "so #### $1,000", "1000", True),
        ({"regexes_to_ignore": ["the "]}, "the THE cat", "THE cat", True),
        ({"regexes_to_ignore": ["the "], "ignore_case": True}, "The cat", "cat", False),
    ],
)
def test_options_of_lm_eval(
    options: dict[str, object], answer: str, target: str, same: bool, value: Value
) -> None:
    """The options of lm-eval's exact_match replace the normal form; patterns are removed before case is."""
    assert value({"name": "exact_match", **options}, "en", answer, target) == float(same)


def test_quasi_exact_match(value: Value) -> None:
    """HELM's: normal forms are equal as texts, so that 3.0 is 30 in English."""
    assert value("quasi_exact_match", "en", "The  cat!", "cat") == 1.0
    assert value("quasi_exact_match", "en", "1200", "1200.0") == 0.0


def test_signatures_tell_the_settings_apart(metric: Callable[..., Metric]) -> None:
    """Whatever changes a score changes the signature, and nothing else does."""
    specs = [
        "exact_match",
        {"name": "exact_match", "numeric": "off"},
        {"name": "exact_match", "normalize": "none"},
        {"name": "exact_match", "ignore_case": True},
        {"name": "exact_match", "regexes_to_ignore": ["x"]},
        "quasi_exact_match",
        "f1",
    ]
    signatures = [metric(spec, lang).signature for spec in specs for lang in ("en", "zh", "de")]
    assert len(set(signatures)) == len(signatures) - 6  # the plain forms know no language
    assert metric("f1", "zh").signature == metric("f1", "zh-CN").signature == "f1|norm:chars-zh|v:2"


def test_wrong_settings(metric: Callable[..., Metric], value: Value) -> None:
    """A wrong setting, and a sample without target, are named."""
    with pytest.raises(MetricError, match="numeric must be one of auto, off"):
        metric({"name": "exact_match", "numeric": "maybe"})
    with pytest.raises(MetricError, match="regexes_to_ignore holds a wrong pattern"):
        metric({"name": "exact_match", "regexes_to_ignore": ["("]})
    with pytest.raises(MetricError, match="the sample has none"):
        value("f1", "en", "x")
