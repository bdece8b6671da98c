"""Filter pipelines: from the responses of a task to what its metrics see, by the rules of lm_eval 0.4.13.

A filter's `apply` takes, for every request, the list of its repeats, and gives the same shape back;
`take_first` reduces each list to its first.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.core.errors import ExtractorError, did_you_mean
from evalkit.core.patterns import Pattern, compile_pattern

Responses = Iterable[Any]


class Filter:
    """The base of filters, built-in ones and those of a task's own Python."""

    def __init__(self, **kwargs: Any) -> None:
        """Options of the filter, from its item in `filter_list`."""

    def apply(self, resps: Responses, docs: Sequence[Mapping[str, Any]]) -> Responses:
        """The filtered responses, one for each request, in order."""
        return resps


def _texts(change: Callable[[str], Any]) -> type[Filter]:
    """A filter without options that changes every text by itself."""

    class TextFilter(Filter):
        def __init__(self) -> None:
            pass

        def apply(self, resps: Responses, docs: Sequence[Mapping[str, Any]]) -> Responses:
            return [[change(text) for text in repeats] for repeats in resps]

    return TextFilter


class RegexFilter(Filter):
    """The `group_select`-th match of a pattern, stripped; `fallback` where there is none."""

    def __init__(
        self,
        regex_pattern: str = r"#### (\-?[0-9\.\,]+)",
        group_select: int = 0,
        fallback: str = "[invalid]",
    ) -> None:
        self.regex_pattern = regex_pattern
        self.regex = Pattern(regex_pattern, "regex_pattern")
        self.group_select = group_select
        self.fallback = fallback

    def apply(self, resps: Responses, docs: Sequence[Mapping[str, Any]]) -> Responses:
        """Each text's match."""
        return [[self._find(text) for text in repeats] for repeats in resps]

    def _find(self, text: Any) -> str:
        found = self.regex.findall(text if isinstance(text, str) else "")
        if not found:
            return self.fallback
        match = found[self.group_select]
        if isinstance(match, tuple):
            match = next((group for group in match if group), self.fallback)
        return str(match).strip()


class ChoiceRegexFilter(Filter):
    """A letter in brackets: by the pattern, else by a choice's text in the response, else by a letter
    after a colon. The document's `choices` column gives the texts."""

    def __init__(
        self,
        regex_pattern: str = r"#### (\-?[0-9\.\,]+)",
        group_select: int = 0,
        fallback: str = "[invalid]",
        ignore_case: bool = False,
        ignore_punctuation: bool = False,
        regexes_to_ignore: list[str] | None = None,
    ) -> None:
        self.regex = Pattern(regex_pattern, "regex_pattern")
        self.group_select = group_select
        self.fallback = fallback
        self.ignore_case = ignore_case
        self.ignore_punctuation = ignore_punctuation
        self.regexes_to_ignore = regexes_to_ignore

    def apply(self, resps: Responses, docs: Sequence[Mapping[str, Any]]) -> Responses:
        """Each text's letter, as `(A)`."""
        return [self._letters(repeats, doc) for repeats, doc in zip(resps, docs, strict=True)]

    def _letters(self, repeats: Iterable[Any], doc: Mapping[str, Any]) -> list[Any]:
        by_text: dict[str, str] = {}
        by_letter: dict[str, str] = {}
        patterns = []
        for position, choice in enumerate(doc["choices"]):
            letter = chr(ord("A") + position)
            text = self._clean(choice.strip())
            patterns.append(re.escape(text))
            by_text[text] = by_letter[letter] = f"({letter})"
        choice_regex = Pattern("|".join(sorted(patterns, key=len, reverse=True)), "choices")
        letter_regex = Pattern(rf":[\s]*({'|'.join(by_letter)})", "letters")
        answers = []
        for text in repeats:
            match = self._find(self.regex, text, {})
            if not match:
                match = self._find(choice_regex, self._clean(text), by_text)
            if not match:
                match = self._find(letter_regex, text, by_letter)
            answers.append(match or self.fallback)
        return answers

    def _find(self, regex: Pattern, text: Any, names: Mapping[str, str]) -> str:
        found = regex.findall(text if isinstance(text, str) else "")
        if not found:
            return ""
        match = found[self.group_select]
        if isinstance(match, tuple):
            match = next((group for group in match if group), "")
        match = match.strip()
        return names.get(match, match) if match else match

    def _clean(self, text: str) -> str:
        for pattern in self.regexes_to_ignore or ():
            text = compile_pattern(pattern).sub("", text)
        if self.ignore_case:
            text = text.lower()
        return text.translate(_punctuation()) if self.ignore_punctuation else text


@functools.cache
def _punctuation() -> dict[int, None]:
    points = range(sys.maxunicode)
    return dict.fromkeys(point for point in points if unicodedata.category(chr(point)).startswith("P"))


class TagFilter(Filter):
    """The tags of `('word', 'TAG')` pairs in a text; `["invalid"]` where there are none."""

    def __init__(self, regex_pattern: str = "", group_select: int = 0, fallback: Any = None) -> None:
        self.fallback = ["invalid"] if fallback is None else fallback

    def apply(self, resps: Responses, docs: Sequence[Mapping[str, Any]]) -> Responses:
        """Each text's list of tags."""
        return [[self._tags(text) for text in repeats] for repeats in resps]

    def _tags(self, value: Any) -> Any:
        pairs = re.findall(r"\('([^']*)', '([^']*)'\)", value) if isinstance(value, str) else value
        return [tag for _, tag in pairs] or self.fallback


class MapFilter(Filter):
    """A value looked up in `mapping_dict`, else `default_value`."""

    def __init__(self, mapping_dict: Mapping[Any, Any] | None = None, default_value: Any = None) -> None:
        if mapping_dict is not None and not isinstance(mapping_dict, Mapping):
            raise TypeError("mapping_dict must be a mapping")
        self.mapping_dict = mapping_dict or {}
        self.default_value = default_value

    def apply(self, resps: Responses, docs: Sequence[Mapping[str, Any]]) -> Responses:
        """Each text's value."""
        return [[self.mapping_dict.get(text, self.default_value) for text in repeats] for repeats in resps]


class TakeFirstFilter(Filter):
    """The first of the repeats."""

    def __init__(self) -> None:
        pass

    def apply(self, resps: Responses, docs: Sequence[Mapping[str, Any]]) -> Responses:
        """One response for each request."""
        return [repeats[0] for repeats in resps]


class TakeFirstKFilter(Filter):
    """The first k of the repeats."""

    def __init__(self, k: int) -> None:
        self.k = k

    def apply(self, resps: Responses, docs: Sequence[Mapping[str, Any]]) -> Responses:
        """k responses for each request."""
        all_repeats = list(resps)
        if all_repeats and len(all_repeats[0]) < self.k:
            raise ExtractorError(
                f"take_first_k: {self.k} repeats are wanted, there are {len(all_repeats[0])}; raise `repeats`"
            )
        return [repeats[: self.k] for repeats in all_repeats]


class MajorityVoteFilter(Filter):
    """The most frequent of the repeats, the earliest among equals, as a list of one."""

    def __init__(self) -> None:
        pass

    def apply(self, resps: Responses, docs: Sequence[Mapping[str, Any]]) -> Responses:
        """A list of one response for each request."""
        return [[Counter(repeats).most_common(1)[0][0]] for repeats in resps]


class CustomFilter(Filter):
    """`filter_fn(responses, documents)` of the task's own Python."""

    def __init__(self, filter_fn: Callable[..., Any]) -> None:
        self.filter_fn = filter_fn

    def apply(self, resps: Responses, docs: Sequence[Mapping[str, Any]]) -> Responses:
        """What the function makes of them."""
        result: Responses = self.filter_fn(resps, docs)
        return result


_ENTITY_LABELS = {
    "person": "PER",
    "location": "LOC",
    "organization": "ORG",
    "counties": "LOC",
    "places": "LOC",
    "people": "PER",
    "persons": "PER",
    "company": "ORG",
    "country": "LOC",
    "continent": "LOC",
    "time": "DATE",
    "date": "DATE",
    "per": "PER",
    "loc": "LOC",
    "org": "ORG",
}
"""Word before a colon -> the label it stands for."""


def _format_span(text: str) -> str:
    """Named entities as `label: value $ label: value`; lists are split, `none` is left out."""
    text = text.lower()
    for word, label in _ENTITY_LABELS.items():
        text = re.sub(rf"\b{word}\s*:", f"{label}:", text)
    text = "$".join(text.split("$$")).rstrip("$").replace("\n", "$").strip()
    entities = [
        f"{label.lower()}: {value.strip()}"
        for label, values in re.findall(r"\b(PER|LOC|ORG|DATE):\s*([^$]+)", text)
        for value in values.split(",")
        if value.strip().lower() != "none"
    ]
    return " $ ".join(entities)


FILTERS: dict[str, Callable[..., Any]] = {
    "regex": RegexFilter,
    "regex_pos": TagFilter,
    "remove_whitespace": _texts(str.strip),
    "multi_choice_regex": ChoiceRegexFilter,
    "take_first": TakeFirstFilter,
    "take_first_k": TakeFirstKFilter,
    "majority_vote": MajorityVoteFilter,
    "lowercase": _texts(str.lower),
    "uppercase": _texts(str.upper),
    "map": MapFilter,
    "format_span": _texts(_format_span),
    "custom": CustomFilter,
}
"""Name in a task file -> filter; task modules add theirs through `register_filter`."""


@dataclass(frozen=True)
class Pipeline:
    """A named chain of filters."""

    name: str
    steps: tuple[Filter, ...]
    where: str

    def apply(self, responses: Sequence[Sequence[Any]], doc: Mapping[str, Any]) -> list[Any]:
        """What the metrics see of one document's requests. Raises ExtractorError."""
        state: Responses = responses
        docs = [doc] * len(responses)
        for step in self.steps:
            try:
                state = list(step.apply(state, docs))
            except ExtractorError:
                raise
            except Exception as error:
                raise ExtractorError(
                    f"{self.where}: filter_list.{self.name}: {type(step).__name__} failed "
                    f"({type(error).__name__}: {error})"
                ) from error
        return list(state)


def build_pipelines(filter_list: Sequence[Any] | None, where: str) -> tuple[Pipeline, ...]:
    """The pipelines of a task; `none: take_first` where it lists none. Raises ExtractorError."""
    if filter_list is None:
        return (Pipeline("none", (TakeFirstFilter(),), where),)
    pipelines = []
    for item in filter_list:
        if not isinstance(item, Mapping) or not isinstance(item.get("filter"), list) or "name" not in item:
            raise ExtractorError(f"{where}: filter_list: each item needs `name` and a list `filter`")
        steps = tuple(_build(step, f"{where}: filter_list.{item['name']}") for step in item["filter"])
        pipelines.append(Pipeline(str(item["name"]), steps, where))
    return tuple(pipelines)


def _build(step: Any, where: str) -> Filter:
    if not isinstance(step, Mapping) or "function" not in step:
        raise ExtractorError(f"{where}: each filter is a mapping with `function`, not {step!r:.60}")
    made_by = find_filter(step["function"], where)
    options = {key: value for key, value in step.items() if key != "function"}
    try:
        made: Filter = made_by(**options)
    except Exception as error:
        raise ExtractorError(f"{where}: {step['function']}: {type(error).__name__}: {error}") from error
    return made


def find_filter(name: Any, where: str) -> Callable[..., Any]:
    """The filter of a name, or the class that a `!function` named. Raises ExtractorError."""
    if callable(name):
        made: Callable[..., Any] = name
        return made
    if isinstance(name, str) and name in FILTERS:
        return FILTERS[name]
    registry = sys.modules.get("lm_eval.api.registry")
    if registry is not None and name in getattr(registry, "FILTER_REGISTRY", ()):
        found: Callable[..., Any] = registry.get_filter(name)
        return found
    raise ExtractorError(
        f"{where}: no filter {name!r:.60}; there are: {', '.join(sorted(FILTERS))}."
        + did_you_mean(str(name), FILTERS)
    )
