"""Metrics of format following: whether an answer keeps the rules that its sample names.

A sample's field `rules` is a list of objects, each with the key `rule` and the arguments of that rule; RULES
is the vocabulary. The idea of instructions that a program can verify is IFEval's (J. Zhou et al., arXiv:
2311.07911). All comparisons are made on the stripped answer, and items of a list are stripped. An empty
answer keeps no rule.
"""

from __future__ import annotations

import functools
import inspect
import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from evalkit.core.errors import ExtractorError, MetricError, did_you_mean
from evalkit.core.language import HAN, KANA, split_sentences
from evalkit.core.patterns import Pattern
from evalkit.metrics.answers import parse_number
from evalkit.metrics.base import Case, Context, Metric, check_type, sign

# A pattern from a task file is trusted, but not with unbounded text.
MAX_MATCHED = 20_000
_ASIAN_MARKS = "，。！？；：、“”‘’（）《》〈〉【】「」『』…—·～"
_WORDS = re.compile(f"[{HAN}{KANA}]|[^\\s{HAN}{KANA}{_ASIAN_MARKS}]+")
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "「": "」", "『": "』", "«": "»", "„": "“"}


def _items(text: str, separator: str) -> list[str]:
    """The parts of a list, stripped; white space as a separator never makes empty parts."""
    if not separator.strip():
        parts = text.splitlines() if "\n" in separator else text.split()
        return [part.strip() for part in parts if part.strip()]
    return [part.strip() for part in text.split(separator)]


def _fold(text: str, ignore_case: bool) -> str:
    return text.casefold() if ignore_case else text


def _within(n: float, count: int | None, min: float | None, max: float | None) -> bool:
    return (count is None or n == count) and (min is None or n >= min) and (max is None or n <= max)


def _full_match(pattern: str, text: str) -> bool:
    return len(text) <= MAX_MATCHED and _compile(pattern).fullmatch(text)


@functools.lru_cache(maxsize=512)
def _compile(pattern: str) -> Pattern:
    return Pattern(pattern, "rule", dot_all=True)


def list_length(
    text: str,
    *,
    separator: str = ",",
    count: int | None = None,
    min: int | None = None,
    max: int | None = None,
) -> bool:
    """The list has so many items, and none is empty."""
    items = _items(text, separator)
    return all(items) and _within(len(items), count, min, max)


def each_starts_with(text: str, *, value: str, separator: str = ",", ignore_case: bool = True) -> bool:
    """Every item begins with the value."""
    start = _fold(value, ignore_case)
    return all(_fold(item, ignore_case).startswith(start) for item in _items(text, separator))


def each_ends_with(text: str, *, value: str, separator: str = ",", ignore_case: bool = True) -> bool:
    """Every item ends with the value."""
    end = _fold(value, ignore_case)
    return all(_fold(item, ignore_case).endswith(end) for item in _items(text, separator))


def each_matches(text: str, *, pattern: str, separator: str = ",") -> bool:
    """Every item matches the regular expression as a whole."""
    return all(_full_match(pattern, item) for item in _items(text, separator))


def unique_items(text: str, *, separator: str = ",", ignore_case: bool = True) -> bool:
    """No item occurs twice."""
    items = [_fold(item, ignore_case) for item in _items(text, separator)]
    return len(set(items)) == len(items)


def sorted_items(text: str, *, separator: str = ",", order: str = "ascending", by: str = "text") -> bool:
    """The items stand in order by text (case ignored), number or length; equal neighbours are in order."""
    items = _items(text, separator)
    keys: list[Any]
    if by == "number":
        keys = [parse_number(item) for item in items]
        if None in keys:
            return False
    else:
        keys = [len(item) if by == "length" else item.casefold() for item in items]
    return keys == sorted(keys, reverse=order == "descending")


def each_one_of(text: str, *, values: Sequence[str], separator: str = ",", ignore_case: bool = True) -> bool:
    """Every item is one of the values."""
    allowed = {_fold(value, ignore_case) for value in values}
    return all(_fold(item, ignore_case) in allowed for item in _items(text, separator))


def item_length(text: str, *, separator: str = ",", min: int | None = None, max: int | None = None) -> bool:
    """Every item has so many characters, white space not counted."""
    return all(_within(len("".join(item.split())), None, min, max) for item in _items(text, separator))


def word_count(
    text: str, *, count: int | None = None, min: int | None = None, max: int | None = None
) -> bool:
    """The answer has so many words: a Han or kana character is a word, as is a run of anything else with a
    letter or digit in it."""
    n = sum(any(map(str.isalnum, word)) for word in _WORDS.findall(text))
    return _within(n, count, min, max)


def char_count(
    text: str, *, count: int | None = None, min: int | None = None, max: int | None = None
) -> bool:
    """The answer has so many characters, white space not counted, punctuation counted."""
    return _within(len("".join(unicodedata.normalize("NFC", text).split())), count, min, max)


def sentence_count(
    text: str, lang: str, *, count: int | None = None, min: int | None = None, max: int | None = None
) -> bool:
    """The answer has so many sentences; a line break alone ends none."""
    return _within(len(split_sentences(" ".join(text.split()), lang)), count, min, max)


def line_count(
    text: str, *, count: int | None = None, min: int | None = None, max: int | None = None
) -> bool:
    """The answer has so many lines, blank ones counted."""
    return _within(len(text.splitlines()), count, min, max)


def paragraph_count(
    text: str, *, count: int | None = None, min: int | None = None, max: int | None = None
) -> bool:
    """The answer has so many paragraphs, divided by blank lines."""
    return _within(len(re.split(r"\n[^\S\n]*\n\s*", text)), count, min, max)


def contains(
    text: str, *, values: Sequence[str], ignore_case: bool = True, times: int = 1, whole_words: bool = False
) -> bool:
    """Every value occurs at least `times` times, as a part of a word too unless `whole_words` is set."""
    folded = _fold(text, ignore_case)
    for value in (_fold(value, ignore_case) for value in values):
        pattern = re.escape(value)
        if whole_words:
            pattern = rf"(?<!\w){pattern}(?!\w)"
        if len(re.findall(pattern, folded)) < times:
            return False
    return True


def excludes(text: str, *, values: Sequence[str], ignore_case: bool = True) -> bool:
    """None of the values occurs, not even inside a longer word."""
    folded = _fold(text, ignore_case)
    return not any(_fold(value, ignore_case) in folded for value in values)


def excludes_characters(text: str, *, values: Sequence[str] | str) -> bool:
    """None of the characters occurs; they are compared as written."""
    return not set("".join(values)) & set(text)


def starts_with(text: str, *, value: str, ignore_case: bool = False) -> bool:
    """The answer begins with the value."""
    return _fold(text, ignore_case).startswith(_fold(value, ignore_case))


def ends_with(text: str, *, value: str, ignore_case: bool = False) -> bool:
    """The answer ends with the value."""
    return _fold(text, ignore_case).endswith(_fold(value, ignore_case))


def matches(text: str, *, pattern: str) -> bool:
    """The whole answer matches the regular expression; a dot matches line breaks too."""
    return _full_match(pattern, text)


def one_of(text: str, *, values: Sequence[str], ignore_case: bool = True) -> bool:
    """The answer is one of the values."""
    return _fold(text, ignore_case) in {_fold(value, ignore_case) for value in values}


def lowercase(text: str) -> bool:
    """There are letters with cases, and none is a capital."""
    return text.islower()


def uppercase(text: str) -> bool:
    """There are letters with cases, and none is small."""
    return text.isupper()


def title_case(text: str) -> bool:
    """Every word begins with a capital, where its script has capitals."""
    firsts = [next((ch for ch in word if ch.isalnum()), "") for word in text.split()]
    return not any(first.islower() for first in firsts)


def no_punctuation(text: str) -> bool:
    """No character is punctuation (Unicode's category P)."""
    return not any(unicodedata.category(ch).startswith("P") for ch in text)


def json_object(text: str, *, keys: Sequence[str] = (), exact: bool = True) -> bool:
    """The answer is a JSON object with these keys, and with `exact` no others."""
    found = _parse_json(text)
    if not isinstance(found, dict):
        return False
    return set(keys) == set(found) if exact and keys else set(keys) <= set(found)


def json_list(text: str, *, count: int | None = None, min: int | None = None, max: int | None = None) -> bool:
    """The answer is a JSON list with so many elements."""
    found = _parse_json(text)
    return isinstance(found, list) and _within(len(found), count, min, max)


def _parse_json(text: str) -> Any:
    """The value that the text, or the one fenced block that it is, encodes; None when it is not JSON."""
    fenced = re.fullmatch(r"```(?:json)?\s*\n(.*?)\n?```", text, re.DOTALL)
    try:
        return json.loads(fenced.group(1) if fenced else text, parse_constant=lambda name: 1 / 0)
    except (ValueError, RecursionError, ZeroDivisionError):
        return None


def number_range(text: str, *, min: float | None = None, max: float | None = None) -> bool:
    """The answer is a number between the bounds, both included."""
    number = parse_number(text)
    return number is not None and _within(float(number), None, min, max)


def bullet_list(text: str, *, count: int, marker: str = "-") -> bool:
    """So many lines begin with the marker and white space."""
    lines = [line.strip() for line in text.splitlines()]
    return sum(line.startswith(marker) and line[len(marker) :][:1].isspace() for line in lines) == count


def numbered_list(text: str, *, count: int) -> bool:
    """So many lines begin with a number and . ) or 、, counting from 1."""
    found = re.findall(r"^\s*(\d{1,6})[.)、．）]", text, re.MULTILINE)
    return [int(n) for n in found] == list(range(1, count + 1))


def palindrome(text: str) -> bool:
    """Letters and digits read the same backwards, case ignored."""
    letters = [ch for ch in text.casefold() if ch.isalnum()]
    return len(letters) > 1 and letters == letters[::-1]


def quoted(text: str) -> bool:
    """The whole answer stands in one pair of quotation marks."""
    return len(text) > 2 and _QUOTES.get(text[0]) == text[-1]


_FUNCTIONS: tuple[Callable[..., bool], ...] = (
    list_length, each_starts_with, each_ends_with, each_matches, unique_items, sorted_items, each_one_of,
    item_length, word_count, char_count, sentence_count, line_count, paragraph_count, contains, excludes,
    excludes_characters, starts_with, ends_with, matches, one_of, lowercase, uppercase, title_case,
    no_punctuation, json_object, json_list, number_range, bullet_list, numbered_list, palindrome, quoted,
)  # fmt: skip
RULES: dict[str, Callable[..., bool]] = {function.__name__: function for function in _FUNCTIONS}
"""The vocabulary: a rule's name -> the function that checks it."""

_CHOICES = {"order": ("ascending", "descending"), "by": ("text", "number", "length")}


@lru_cache(maxsize=64)
def _parameters(rule: str) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(RULES[rule]).parameters
    return {name: p for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}


def check_rule(spec: Any) -> tuple[str, dict[str, Any]]:
    """The rule's name and its arguments; raises MetricError that names what is wrong with them."""
    if not isinstance(spec, Mapping) or not isinstance(spec.get("rule"), str):
        raise MetricError(f"a rule is an object with the key 'rule', not {spec!r}")
    rule = spec["rule"]
    if rule not in RULES:
        raise MetricError(
            f"there is no rule {rule!r}.{did_you_mean(rule, RULES)} Rules: {', '.join(sorted(RULES))}"
        )
    parameters = _parameters(rule)
    arguments = {str(key): value for key, value in spec.items() if key != "rule"}
    for name, value in arguments.items():
        if name not in parameters:
            raise MetricError(
                f"rule {rule!r} has no argument {name!r}.{did_you_mean(name, parameters)} "
                f"It takes: {', '.join(parameters) or 'none'}"
            )
        _check_argument(rule, name, value, str(parameters[name].annotation))
    for name, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and name not in arguments:
            raise MetricError(f"rule {rule!r} needs the argument {name!r}")
    bounds = {"count", "min", "max"} & set(parameters)
    if len(bounds) > 1 and not bounds & set(arguments) and rule != "json_list":
        raise MetricError(f"rule {rule!r} needs one of the arguments {', '.join(sorted(bounds))}")
    return rule, arguments


def _check_argument(rule: str, name: str, value: Any, annotation: str) -> None:
    check_type(f"rule {rule!r}", name, value, annotation)
    if name in _CHOICES and value not in _CHOICES[name]:
        raise MetricError(f"rule {rule!r}: {name!r} must be {' or '.join(_CHOICES[name])}, not {value!r}")
    if name == "separator" and not value:
        raise MetricError(f"rule {rule!r}: the argument 'separator' is empty")
    if name == "pattern":
        try:
            _compile(value)
        except ExtractorError as error:
            raise MetricError(f"rule {rule!r}: 'pattern' is no regular expression: {error}") from error


def check_rules(rules: Any, answer: str | None, lang: str) -> tuple[bool, ...]:
    """Whether the answer keeps each of the rules, in their order; no answer keeps none."""
    if not isinstance(rules, list | tuple) or not rules:
        raise MetricError(f"the sample's rules are a list of objects, not {rules!r}")
    checked = [check_rule(spec) for spec in rules]
    text = "" if answer is None else answer.strip()
    if not text:
        return (False,) * len(checked)
    return tuple(
        RULES[rule](text, lang, **arguments) if rule == "sentence_count" else RULES[rule](text, **arguments)
        for rule, arguments in checked
    )


class RuleShare(Metric):
    """The share of the sample's rules that the answer keeps, 0 to 1."""

    def __init__(self, context: Context, *, name: str = "rule_share", field: str = "rules") -> None:
        self.name, self.field, self.lang = name, field, context.language
        self.signature = sign("rule_share", v=1)

    def score(self, case: Case) -> float:
        """The share of rules kept; 0 without an answer."""
        kept = self.kept(case)
        return sum(kept) / len(kept)

    def kept(self, case: Case) -> tuple[bool, ...]:
        """Whether each rule of the sample is kept."""
        if self.field not in case.fields:
            raise MetricError(f"metric {self.name!r}: the sample has no field {self.field!r} with its rules")
        return check_rules(case.fields[self.field], case.answer, self.lang)


class RulesFollowed(RuleShare):
    """1 when the answer keeps every rule of the sample, else 0."""

    def __init__(self, context: Context, *, name: str = "rules_followed", field: str = "rules") -> None:
        super().__init__(context, name=name, field=field)
        self.signature = sign("rules_followed", v=1)

    def score(self, case: Case) -> float:
        """1.0 or 0.0."""
        return float(all(self.kept(case)))
