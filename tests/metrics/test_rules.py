"""The vocabulary of format rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core.errors import MetricError
from evalkit.core.records import Response
from evalkit.metrics import Case, Metric
from evalkit.metrics.rules import MAX_MATCHED, RULES, check_rules

TASKS = Path(__file__).resolve().parents[2] / "tasks"

# rule, arguments, an answer that keeps it, an answer that does not
TABLE: list[tuple[str, dict[str, Any], str, str]] = [
    ("list_length", {"count": 3}, "Ida, Ivan, Isabel", "Ida, Ivan,"),
    ("list_length", {"count": 3}, "a,b,c", "a, b, c,"),
    ("list_length", {"separator": "、", "min": 2, "max": 3}, "甲、乙", "甲"),
    ("list_length", {"separator": "\n", "count": 2}, "a\n\nb", "a b"),
    ("list_length", {"separator": " ", "count": 2}, "a   b", "a b c"),
    ("each_starts_with", {"value": "I"}, "ida, Ivan", "Ida, Paul"),
    ("each_starts_with", {"value": "I", "ignore_case": False}, "Ida, Ivan", "ida, Ivan"),
    ("each_ends_with", {"value": "ing", "separator": ";"}, "doing; BEING", "doing; done"),
    ("each_matches", {"pattern": "[a-z]{3}"}, "abc, def", "abc, defg"),
    ("unique_items", {}, "a, b", "a, A"),
    ("unique_items", {"ignore_case": False}, "a, A", "a, a"),
    ("sorted_items", {}, "Apple, banana, Cherry", "banana, apple"),
    ("sorted_items", {"by": "number"}, "2, 10, 1000", "10, 2"),
    ("sorted_items", {"by": "number", "order": "descending"}, "10, 9.5, 9.5, -2", "1, 2"),
    ("sorted_items", {"by": "number"}, "1, 2", "one, two"),
    ("sorted_items", {"by": "length", "separator": "、"}, "茶、咖啡、牛奶、苹果汁", "苹果汁、茶"),
    ("each_one_of", {"values": ["spring", "summer"]}, "Summer, spring", "winter"),
    ("each_one_of", {"values": ["A"], "ignore_case": False}, "A, A", "a"),
    ("item_length", {"min": 2, "max": 3}, "ab, a b c", "abcd"),
    ("word_count", {"count": 3}, "Well-known, don't -- go!", "two words"),
    ("word_count", {"count": 4}, "我用GPT4写，", "我们用GPT4写"),
    ("word_count", {"min": 2, "max": 4}, "one two", "one two three four five"),
    ("char_count", {"count": 4}, "a b，好", "ab"),
    ("sentence_count", {"count": 2}, "Mr. Smith paid 3.5 dollars. Really?", "One. Two. Three."),
    ("sentence_count", {"max": 1}, "No end mark", "One! Two!"),
    ("line_count", {"count": 3}, "a\n\nb", "a\nb"),
    ("paragraph_count", {"count": 2}, "a\nb\n \nc", "a\nb"),
    ("contains", {"values": ["rain", "SUN"]}, "Rain and sun", "rain"),
    ("contains", {"values": ["风"], "times": 3}, "风，风，风", "风，风"),
    ("contains", {"values": ["cat"], "whole_words": True}, "a cat.", "concatenate"),
    ("contains", {"values": ["A"], "ignore_case": False}, "A", "a"),
    ("excludes", {"values": ["train"]}, "rail", "Trains"),
    ("excludes_characters", {"values": "eE"}, "a sold path", "Eel"),
    ("excludes_characters", {"values": ["的", "了"]}, "好", "好的"),
    ("starts_with", {"value": "Some"}, "Sometimes", "sometimes"),
    ("starts_with", {"value": "some", "ignore_case": True}, "Sometimes", "At times"),
    ("ends_with", {"value": "?"}, "So? ", "So."),
    ("matches", {"pattern": r"\d{2}.x"}, "12\nx", "12\nxy"),
    ("one_of", {"values": ["red", "green"]}, " Red ", "blue"),
    ("lowercase", {}, "all small, 1 too", "Not"),
    ("lowercase", {}, "a", "12"),
    ("uppercase", {}, "WELCOME TO 10", "Welcome"),
    ("title_case", {}, "One Pot 4 All “Seasons”", "One pot"),
    ("no_punctuation", {}, "plain + text", "not, plain"),
    ("no_punctuation", {}, "没有标点", "有，标点"),
    ("json_object", {"keys": ["a", "b"]}, '{"b": 1, "a": {}}', '{"a": 1}'),
    ("json_object", {"keys": ["a"]}, '```json\n{"a": 1}\n```', '{"a": 1, "b": 2}'),
    ("json_object", {"keys": ["a"], "exact": False}, '{"a": 1, "b": 2}', '["a"]'),
    ("json_object", {}, "{}", "{'a': 1}"),
    ("json_object", {}, '{"a": null}', '{"a": NaN}'),
    ("json_list", {"count": 2}, "[1, [2, 3]]", "[1]"),
    ("json_list", {}, "[]", "{}"),
    ("number_range", {"min": 40, "max": 50}, "44.5", "fifty"),
    ("number_range", {"max": 0}, "-1,000", "1"),
    ("bullet_list", {"count": 2}, "- a\n- b", "-a\n- b"),
    ("bullet_list", {"count": 1, "marker": "*"}, "* a\n- b", "- a"),
    ("numbered_list", {"count": 2}, "1. a\n2) b", "1. a\n3. b"),
    ("numbered_list", {"count": 2}, "1、甲\n2、乙", "一、甲\n二、乙"),
    ("palindrome", {}, "A man, a plan, a canal: Panama", "ab"),
    ("palindrome", {}, "清水池里池水清", "清水"),
    ("quoted", {}, "“好。”", '"open'),
    ("quoted", {}, "'x'", '""'),
]


@pytest.mark.parametrize(("rule", "arguments", "keeps", "breaks"), TABLE)
def test_rule(rule: str, arguments: dict[str, Any], keeps: str, breaks: str) -> None:
    """Each rule holds for an answer that keeps it, and for no answer that does not."""
    spec = {"rule": rule, **arguments}
    lang = "zh" if any(ch > "\u2e80" for ch in keeps) else "en"
    assert check_rules([spec], keeps, lang) == (True,)
    assert check_rules([spec], breaks, lang) == (False,)
    assert check_rules([spec], "  ", lang) == check_rules([spec], None, lang) == (False,)


def test_every_rule_is_tried() -> None:
    """No rule of the vocabulary is without an example."""
    assert {row[0] for row in TABLE} == set(RULES)


@given(st.text(max_size=60))
def test_no_answer_breaks_a_rule_in_code(text: str) -> None:
    """Whatever a model writes, every rule is decided."""
    for rule, arguments, *_ in TABLE:
        assert check_rules([{"rule": rule, **arguments}], text, "zh")[0] in (True, False)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("x", "object with the key 'rule'"),
        ({"rule": "list_lenght", "count": 1}, "no rule 'list_lenght'. Did you mean 'list_length'"),
        ({"rule": "list_length"}, "'list_length' needs one of the arguments count, max, min"),
        ({"rule": "list_length", "count": "3"}, "'list_length': 'count' must be a whole number, not '3'"),
        ({"rule": "list_length", "count": True}, "'count' must be a whole number"),
        ({"rule": "list_length", "n": 3}, "'list_length' has no argument 'n'"),
        ({"rule": "contains"}, "'contains' needs the argument 'values'"),
        ({"rule": "contains", "values": "abc"}, "'values' must be a list of texts"),
        ({"rule": "contains", "values": []}, "'values' must be a list of texts"),
        ({"rule": "sorted_items", "by": "size"}, "'by' must be text or number or length"),
        ({"rule": "matches", "pattern": "("}, "'pattern' is no regular expression"),
        ({"rule": "unique_items", "separator": ""}, "'separator' is empty"),
    ],
)
def test_wrong_rules(spec: Any, message: str) -> None:
    """A wrong rule names itself and its argument."""
    with pytest.raises(MetricError, match=message.replace("(", r"\(")):
        check_rules([spec], "answer", "en")


def test_share_and_all(metric: Callable[..., Metric]) -> None:
    """rule_share is the share of rules kept, rules_followed whether all are."""
    rules = [{"rule": "lowercase"}, {"rule": "word_count", "count": 2}]
    for answer, share in (("two words", 1.0), ("Two words", 0.5), ("Three Big Words", 0.0), (None, 0.0)):
        case = Case(answer, Response(), fields={"rules": rules})
        assert metric("rule_share").score(case) == share
        assert metric("rules_followed").score(case) == float(share == 1.0)


def test_missing_rules(metric: Callable[..., Metric]) -> None:
    """A sample without rules is a fault of the task, not an answer that keeps them all."""
    with pytest.raises(MetricError, match="no field 'rules'"):
        metric("rule_share").score(Case("x", Response()))
    with pytest.raises(MetricError, match="list of objects"):
        metric("rule_share").score(Case("x", Response(), fields={"rules": []}))
    assert metric({"name": "rule_share", "field": "checks"}).score(
        Case("x", Response(), fields={"checks": [{"rule": "lowercase"}]})
    )


def test_long_answers_match_no_pattern() -> None:
    """Patterns are not tried on unbounded text."""
    assert check_rules([{"rule": "matches", "pattern": "a+"}], "a" * (MAX_MATCHED + 1), "en") == (False,)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_bundled_examples_keep_their_rules(lang: str) -> None:
    """Every example of the bundled format tasks keeps all rules of its sample."""
    file = TASKS / f"format_following_{lang}" / "samples.jsonl"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    for line in file.read_text("utf-8").splitlines():
        sample = json.loads(line)
        assert all(check_rules(sample["rules"], sample["example"], lang)), sample["id"]
