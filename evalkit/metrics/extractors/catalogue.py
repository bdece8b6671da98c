"""The steps that a task may name, with their parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

from evalkit.core.errors import ExtractorError, did_you_mean
from evalkit.metrics.extractors import markup, number, passages
from evalkit.metrics.extractors.code import code_block
from evalkit.metrics.extractors.excerpt import Step
from evalkit.metrics.extractors.json_path import JsonPath
from evalkit.metrics.extractors.label import LabelFinder
from evalkit.metrics.extractors.letter import letter, letters_of
from evalkit.metrics.extractors.reasoning import strip_reasoning

__all__ = ["CATALOGUE", "Entry", "Options", "Parameter"]

Settings = Mapping[str, Any]
"""Parameter -> value."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a step may know of the task."""

    language: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a step."""

    kinds: tuple[type, ...] = (str,)
    """The types that its value may have; a bool is never an int."""
    default: Any = None
    """What it is when nobody sets it."""
    required: bool = False
    choices: tuple[str, ...] = ()
    """The values that it may have; empty when any will do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A step that a task may name."""

    summary: str
    """What it finds, in one line."""
    build: Callable[[dict[str, Any], Options], tuple[Step, Settings]]
    """The checked parameters and the task to the step, with the settings that its signature shows."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    main: str = ""
    """The parameter that a bare value sets, as in `{after_marker: "Answer:"}`; empty when there is none."""
    version: int = 1
    """Raised when the step reads otherwise than before, and then shown in its signature."""

    def make(self, name: str, given: Any, options: Options) -> tuple[Step, Settings]:
        """The step and its settings. Raises ExtractorError that names the parameter that is wrong."""
        if given is None:
            given = {}
        elif self.main and not (isinstance(given, Mapping) and dict not in self.parameters[self.main].kinds):
            given = {self.main: given}
        if not isinstance(given, Mapping):
            raise ExtractorError(f"extractor {name}: {given!r} is no mapping of parameters")
        values = {key: parameter.default for key, parameter in self.parameters.items()}
        for key, value in given.items():
            if key not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                hint = did_you_mean(str(key), self.parameters)
                raise ExtractorError(f"extractor {name} has no parameter {key!r}; it has {known}.{hint}")
            _check(f"extractor {name}: {key}", value, self.parameters[key])
            values[key] = value
        for key, parameter in self.parameters.items():
            if parameter.required and values[key] in (None, "", {}, []):
                raise ExtractorError(f"extractor {name} needs {key}")
        step, settings = self.build(values, options)
        return step, {**settings, "v": self.version} if self.version > 1 else settings


def _check(where: str, value: Any, parameter: Parameter) -> None:
    """Nothing, when the value suits the parameter. Raises ExtractorError when it does not."""
    if not isinstance(value, parameter.kinds) or (isinstance(value, bool) and bool not in parameter.kinds):
        wanted = " or ".join(_KIND_NAMES[kind] for kind in parameter.kinds)
        raise ExtractorError(f"{where} must be {wanted}, not {value!r}")
    if parameter.choices and value not in parameter.choices:
        raise ExtractorError(f"{where} must be {' or '.join(parameter.choices)}, not {value!r}")


_KIND_NAMES = {
    str: "a text", bool: "true or false", int: "a whole number", list: "a list", dict: "a mapping",
}  # fmt: skip


def _plain(step: Step) -> Callable[[dict[str, Any], Options], tuple[Step, Settings]]:
    return lambda values, options: (step, {})


def _with(step: Callable[..., Any]) -> Callable[[dict[str, Any], Options], tuple[Step, Settings]]:
    """Builds a step whose parameters are those of the function; its signature shows those that are set."""

    def build(values: dict[str, Any], options: Options) -> tuple[Step, Settings]:
        return partial(step, **values), {
            key: value for key, value in values.items() if value not in ("", False, None)
        }

    return build


def _number(step: Callable[..., Any]) -> Callable[[dict[str, Any], Options], tuple[Step, Settings]]:
    def build(values: dict[str, Any], options: Options) -> tuple[Step, Settings]:
        comma = number.decimal_comma(options.language)
        return partial(step, comma=comma), {"decimal": ","} if comma else {}

    return build


def _letter(values: dict[str, Any], options: Options) -> tuple[Step, Settings]:
    letters = values["letters"] or letters_of(options.labels)
    letters = "".join(letters).upper()
    if not letters or not letters.isascii() or not letters.isalpha():
        raise ExtractorError(
            f"extractor letter: letters must be letters from A to Z, not {values['letters']!r}"
        )
    return partial(letter, letters=letters), {"letters": letters}


def _label(values: dict[str, Any], options: Options) -> tuple[Step, Settings]:
    labels = [_text("label", "a label", value) for value in values["labels"] or options.labels]
    if not labels:
        raise ExtractorError(
            "extractor label needs labels: give the task `labels: [...]`, or write {label: {labels: [...]}}"
        )
    aliases: dict[str, list[str]] = {}
    for name, others in (values["aliases"] or {}).items():
        if name not in labels:
            hint = did_you_mean(str(name), labels)
            raise ExtractorError(f"extractor label: aliases of {name!r}, which is no label.{hint}")
        others = [others] if isinstance(others, str) else others
        if not isinstance(others, list):
            raise ExtractorError(f"extractor label: the aliases of {name!r} must be a list, not {others!r}")
        aliases[name] = [_text("label", f"an alias of {name}", other) for other in others]
    settings: dict[str, Any] = {"labels": labels}
    return LabelFinder(labels, aliases), settings | ({"aliases": aliases} if aliases else {})


def _regex(values: dict[str, Any], options: Options) -> tuple[Step, Settings]:
    shown = {key: value for key, value in values.items() if value not in (None, False, "first")}
    return passages.match_regex(**values), shown


def _json(values: dict[str, Any], options: Options) -> tuple[Step, Settings]:
    return JsonPath(values["path"]), {"path": values["path"]} if values["path"] else {}


def _map(values: dict[str, Any], options: Options) -> tuple[Step, Settings]:
    names = {
        _text("map", "an answer", key): _text("map", f"the name of {key!r}", value)
        for key, value in values["names"].items()
    }
    return passages.map_answers(names), {"names": names}


def _text(step: str, what: str, value: Any) -> str:
    """The value, which must be text; YAML reads a bare yes, no or 1 as something else."""
    if not isinstance(value, str) or not value:
        raise ExtractorError(f"extractor {step}: {what} must be a text, not {value!r}; put it in quotes")
    return value


_WHICH = Parameter(default="first", choices=("first", "last"))
_IGNORE_CASE = Parameter((bool,), default=False)

CATALOGUE: Mapping[str, Entry] = MappingProxyType(
    {
        "identity": Entry("The text as it is.", _plain(passages.identity)),
        "strip": Entry(
            "Without white space around it, and without these characters.",
            _with(passages.strip),
            {"characters": Parameter(default="")},
            main="characters",
        ),
        "strip_reasoning": Entry(
            "Without <think>…</think> and the like.", _plain(strip_reasoning), version=2
        ),
        "lowercase": Entry("In lower case.", _plain(passages.lowercase)),
        "uppercase": Entry("In upper case.", _plain(passages.uppercase)),
        "first_line": Entry("The first line that is not blank.", _plain(passages.first_line)),
        "last_line": Entry("The last line that is not blank.", _plain(passages.last_line)),
        "after_marker": Entry(
            "What follows the last occurrence of a text.",
            _with(passages.after_marker),
            {
                "marker": Parameter(required=True),
                "which": Parameter(default="last", choices=("first", "last")),
                "ignore_case": _IGNORE_CASE,
            },
            main="marker",
        ),
        "before_marker": Entry(
            "What comes before the first occurrence of a text; everything without it.",
            _with(passages.before_marker),
            {"marker": Parameter(required=True), "which": _WHICH, "ignore_case": _IGNORE_CASE},
            main="marker",
        ),
        "regex": Entry(
            "A group of the first match.",
            _regex,
            {
                "pattern": Parameter(required=True),
                "group": Parameter((int, str)),
                "which": _WHICH,
                "ignore_case": _IGNORE_CASE,
            },
            main="pattern",
        ),
        "number": Entry("The number that the text arrives at.", _number(number.number), version=2),
        "last_number": Entry("The last number.", _number(number.last_number), version=2),
        "gsm8k": Entry("The last number after `####`.", _plain(number.gsm8k)),
        "letter": Entry(
            "The letter of the option that is chosen.",
            _letter,
            {"letters": Parameter((str, list))},
            main="letters",
            version=2,
        ),
        "label": Entry(
            "The label of the task that is decided on.",
            _label,
            {"labels": Parameter((list,)), "aliases": Parameter((dict,))},
            version=2,
        ),
        "json": Entry(
            "The value at a path in the JSON of the text.",
            _json,
            {"path": Parameter(default="")},
            main="path",
            version=2,
        ),
        "boxed": Entry(r"The content of the last \boxed{}.", _plain(markup.boxed)),
        "code_block": Entry(
            "The content of the first fenced block, or of the one that corrects it; Python without fences.",
            _with(code_block),
            {"language": Parameter(default=""), "which": _WHICH},
            main="language",
            version=2,
        ),
        "map": Entry(
            "Another name for an answer.", _map, {"names": Parameter((dict,), required=True)}, main="names"
        ),
    }
)
"""Step name -> what it does; `first_of` and the hooks of a task.py come beside them."""
