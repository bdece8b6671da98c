"""The doc_to_* rules: from a document to its question, its answer, its choices.

A text is the name of a column of the evaluated documents first, a Jinja template otherwise. The order of the
checks and their coercions (digits to int, `[...]` to list) are those of lm-evaluation-harness 0.4.13.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.core.errors import PromptError, TaskError
from evalkit.interop.lm_eval.config import Rule, TaskConfig
from evalkit.interop.lm_eval.templates import compile_template, literal

Doc = Mapping[str, Any]
Value = Callable[[Doc], Any]


@dataclass(frozen=True)
class FieldRules:
    """Compiled rules for one role: the evaluated document, or a worked example."""

    text: Value
    target: Value
    choices: Value | None
    """None where the task has no doc_to_choice."""
    prefix: Value
    """The start of the answer, None for none."""


def compile_rules(config: TaskConfig, columns: Collection[str], where: str) -> tuple[FieldRules, FieldRules]:
    """The rules for the evaluated document and for a worked example. Raises TaskError and PromptError.

    `columns` are those of the evaluated split; they decide for worked examples, too.
    """
    has_choice = config.doc_to_choice is not None
    shots = config.fewshot_config

    def both(key: str, own: Rule, rule: Rule, make: Callable[..., Value]) -> tuple[Value, Value]:
        asked = make(rule, columns, f"{where}: {key}", has_choice)
        if own is rule or own is None:
            return asked, asked
        return asked, make(own, columns, f"{where}: fewshot_config.{key}", has_choice)

    text, shot_text = both("doc_to_text", shots.doc_to_text, config.doc_to_text, _text)
    target, shot_target = both("doc_to_target", shots.doc_to_target, config.doc_to_target, _target)
    choices: Value | None = None
    if config.doc_to_choice:
        choices = _choices(config.doc_to_choice, columns, f"{where}: doc_to_choice")
    shot_choices: Value | None = None
    if shots.doc_to_choice:
        same = shots.doc_to_choice is config.doc_to_choice
        rule, key = shots.doc_to_choice, "doc_to_choice" if same else "fewshot_config.doc_to_choice"
        shot_choices = choices if same else _choices(rule, columns, f"{where}: {key}")
    asked = FieldRules(text, target, choices, prefix_rule(config.gen_prefix, columns, f"{where}: gen_prefix"))
    shot = FieldRules(
        shot_text,
        shot_target,
        shot_choices,
        field_or_template(shots.gen_prefix, f"{where}: fewshot_config.gen_prefix"),
    )
    return asked, shot


def _text(rule: Rule, columns: Collection[str], where: str, has_choice: bool) -> Value:
    if isinstance(rule, int):
        return _constant(rule)
    if isinstance(rule, str):
        if rule in columns:
            return _column(rule, where)
        render = compile_template(rule, where)
        if not has_choice:
            return render

        def text(doc: Doc) -> Any:
            rendered = render(doc)
            return literal(rendered, where) if rendered.isdigit() else rendered

        return text
    if callable(rule):
        return _called(rule, where)
    raise TaskError(f"{where}: a column, a template or a function is wanted, not {type(rule).__name__}")


def _target(rule: Rule, columns: Collection[str], where: str, has_choice: bool) -> Value:
    if isinstance(rule, int | list):
        return _constant(rule)
    if isinstance(rule, str):
        if rule in columns:
            return _column(rule, where)
        render = compile_template(rule, where)

        def target(doc: Doc) -> Any:
            rendered = render(doc)
            if has_choice and rendered.isdigit():
                return literal(rendered, where)
            if len(rendered) >= 2 and rendered[0] == "[" and rendered[-1] == "]":
                try:
                    return literal(rendered, where)
                except PromptError:
                    return rendered
            return rendered

        return target
    if callable(rule):
        return _called(rule, where)
    raise TaskError(
        f"{where}: a column, a template, a list or a function is wanted, not {type(rule).__name__}"
    )


def _choices(rule: Rule, columns: Collection[str], where: str) -> Value:
    if isinstance(rule, list):
        return _constant(rule)
    if isinstance(rule, dict):
        return _constant(list(rule.values()))
    if isinstance(rule, str):
        if rule in columns:
            return _column(rule, where)
        render = compile_template(rule, where)
        return lambda doc: literal(render(doc), where)
    if callable(rule):
        return _called(rule, where)
    raise TaskError(
        f"{where}: a column, a template, a list or a function is wanted, not {type(rule).__name__}"
    )


def prefix_rule(rule: str | None, columns: Collection[str], where: str) -> Value:
    """The gen_prefix of an evaluated document: a column or a template; None stays None."""
    if rule is None:
        return _constant(None)
    return _column(rule, where) if rule in columns else compile_template(rule, where)


def field_or_template(rule: str | None, where: str) -> Value:
    """A key of the very document first, a template otherwise; None for an empty rule."""
    if not rule:
        return _constant(None)
    render = compile_template(rule, where)
    return lambda doc: doc[rule] if rule in doc else render(doc)


def _constant(value: Any) -> Value:
    return lambda doc: value


def _column(name: str, where: str) -> Value:
    def column(doc: Doc) -> Any:
        try:
            return doc[name]
        except KeyError:
            raise PromptError(
                f"{where}: the document has no column {name!r}; it has: {', '.join(sorted(map(str, doc)))}"
            ) from None

    return column


def _called(function: Callable[..., Any], where: str) -> Value:
    def call(doc: Doc) -> Any:
        try:
            return function(doc)
        except Exception as error:
            raise PromptError(f"{where}: the function failed ({type(error).__name__}: {error})") from error

    return call
