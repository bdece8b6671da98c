"""Extractors: chains of steps from a response's text to its answer.

A chain is a list, as task.yaml writes it: `[strip_reasoning, {after_marker: "Answer:"}, number]`. Each step
works on what the one before left; a step that finds nothing ends the chain without an answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.core.errors import ExtractorError, did_you_mean
from evalkit.core.records import Extraction
from evalkit.metrics.extractors.catalogue import CATALOGUE, Options
from evalkit.metrics.extractors.excerpt import Excerpt, Found, Step

__all__ = ["Extractor", "Hook", "Spec", "build_extractor"]

Spec = str | Mapping[str, Any]
"""One step: its name, or {name: parameters}."""
Hook = Callable[[str], "str | None"]
"""An extractor in Python: the text to the answer, None for no answer."""


@dataclass(frozen=True, slots=True)
class Extractor:
    """A chain of steps that is ready to use."""

    steps: tuple[Step, ...]
    signature: str
    """The steps with their settings: two answers compare only when it is equal."""
    default_rule: str = "identity"
    """The rule of an answer that no step chose: the name of the last step."""

    def extract(self, text: str, options: Sequence[str] = ()) -> Extraction | None:
        """The answer with its rule and its place in the text; None when there is none, or a blank one.

        `options` are the texts of a choice in the order in which they were listed, for replies that name the
        text alone.
        """
        found = self.run(Excerpt(text, options=tuple(options)))
        if found is None or not found.excerpt.text.strip():
            return None
        start, end = found.excerpt.span
        return Extraction(found.excerpt.text, found.rule or self.default_rule, start, end)

    def run(self, excerpt: Excerpt) -> Found | None:
        """What the steps leave of an excerpt; None when one finds nothing."""
        rule = ""
        for step in self.steps:
            found = step(excerpt)
            if found is None:
                return None
            excerpt, rule = found.excerpt, found.rule or rule
        return Found(excerpt, rule)


def build_extractor(
    specs: Sequence[Spec] | Spec,
    *,
    language: str = "en",
    labels: Sequence[str] = (),
    hooks: Mapping[str, Hook] | None = None,
) -> Extractor:
    """The extractor that these steps make, from left to right; an empty list takes the text as it is.

    `labels` are the task's classes, or the letters of its options; `hooks` are the extractors that a task.py
    defines, by name. Raises ExtractorError that names the step, the parameter and the nearest known name.
    """
    if isinstance(specs, str | Mapping):
        specs = [specs]
    if not isinstance(specs, Sequence):
        raise ExtractorError(f"extract must be a list of extractors, not {specs!r}")
    options = Options(language=language, labels=tuple(labels))
    steps: list[Step] = []
    written: list[str] = []
    names: list[str] = []
    for spec in specs:
        name, parameters = _read(spec)
        if hooks and name in hooks:
            if parameters is not None:
                raise ExtractorError(f"extractor {name!r} of task.py takes no parameters")
            steps.append(_hooked(hooks[name], name))
            written.append(f"task.{name}")
        elif name == "first_of":
            chains = _alternatives(parameters, language, labels, hooks)
            steps.append(_first_of(chains))
            written.append(f"first_of({' / '.join(chain.signature for chain in chains)})")
        elif name in CATALOGUE:
            step, settings = CATALOGUE[name].make(name, parameters, options)
            steps.append(step)
            written.append(name + _settings(settings))
        else:
            known = [*CATALOGUE, "first_of", *(hooks or ())]
            raise ExtractorError(
                f"no extractor {name!r}; there are {', '.join(sorted(known))}." + did_you_mean(name, known)
            )
        names.append(name)
    if not steps:
        return build_extractor(["identity"])
    return Extractor(tuple(steps), " | ".join(written), names[-1])


def _read(spec: Any) -> tuple[str, Any]:
    if isinstance(spec, str):
        return spec, None
    if isinstance(spec, Mapping) and len(spec) == 1:
        ((name, parameters),) = spec.items()
        if isinstance(name, str):
            return name, parameters
    raise ExtractorError(
        f"an extractor is a name or {{name: parameters}}, not {spec!r}; write for example "
        '[strip_reasoning, {after_marker: "Answer:"}, number]'
    )


def _alternatives(
    parameters: Any, language: str, labels: Sequence[str], hooks: Mapping[str, Hook] | None
) -> list[Extractor]:
    """The chains of a first_of step; a single step may stand for a chain of one."""
    if isinstance(parameters, str) or not isinstance(parameters, Sequence) or not parameters:
        raise ExtractorError(
            "first_of needs a list of alternatives: {first_of: [[boxed, number], [last_number]]}"
        )
    return [build_extractor(chain, language=language, labels=labels, hooks=hooks) for chain in parameters]


def _first_of(chains: Sequence[Extractor]) -> Step:
    def step(excerpt: Excerpt) -> Found | None:
        for chain in chains:
            found = chain.run(excerpt)
            if found is not None and found.excerpt.text.strip():
                return Found(found.excerpt, found.rule or chain.default_rule)
        return None

    return step


def _hooked(hook: Hook, name: str) -> Step:
    """The step of a Python function; its answer's place is where the text has it, else the whole text."""

    def step(excerpt: Excerpt) -> Found | None:
        answer = hook(excerpt.text)
        if answer is None:
            return None
        if not isinstance(answer, str):
            raise ExtractorError(
                f"extractor {name!r} of task.py returned {type(answer).__name__}; "
                "it must return a text or None"
            )
        at = excerpt.text.rfind(answer) if answer else -1
        if at >= 0:
            return Found(excerpt.part(at, at + len(answer)), name)
        return Found(excerpt.rewritten(answer), name)

    return step


def _settings(settings: Mapping[str, Any]) -> str:
    shown = (f"{key}={json.dumps(v, ensure_ascii=False, sort_keys=True)}" for key, v in settings.items())
    return f"({', '.join(shown)})" if settings else ""
