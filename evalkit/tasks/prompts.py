"""Prompts: the rule that turns a sample into messages, and the choice of worked examples before it.

Templates are Jinja in a sandbox, compiled once, with undefined names as errors. They come from the task's
file alone: a value of the data is put in verbatim and is never rendered itself.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from evalkit.core.errors import PromptError, did_you_mean, list_names
from evalkit.core.language import base_language
from evalkit.core.records import ImagePart, Message, Sample, TextPart, digest
from evalkit.tasks.images import image_urls
from evalkit.tasks.jinja import check_defined, sandbox_environment
from evalkit.tasks.samplers import SAMPLERS as SAMPLERS
from evalkit.tasks.samplers import Pool


@functools.cache
def _environment(strict: bool = True) -> Any:
    return sandbox_environment(strict=strict, written=_written)


def _written(value: Any) -> Any:
    """A value as a prompt shows it: null is empty. Raises PromptError for what has no text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bytes) or (isinstance(value, float) and not math.isfinite(value)):
        kind = "bytes" if isinstance(value, bytes) else f"the number {value!r}"
        raise PromptError(f"{kind} cannot stand in a prompt; write a text, or null where there is nothing")
    return value


class Template:
    """A compiled Jinja template that knows where it was written."""

    def __init__(self, source: str, where: str) -> None:
        self.source = source
        self.where = where
        self._literal = "{{" not in source and "{%" not in source and "{#" not in source
        self._template = None if self._literal else _compile(source, where)

    def render(self, fields: Mapping[str, Any]) -> str:
        """The template filled with the columns of a sample. Raises PromptError."""
        if self._template is None:
            return self.source
        import jinja2

        try:
            text: str = self._template.render(fields)
        except jinja2.UndefinedError as error:
            near = _missing_column_hint(str(error), fields)
            raise PromptError(
                f"{self.where}: {error.message}. Columns of the sample: {list_names(fields)}.{near}"
            ) from error
        except PromptError as error:
            raise PromptError(f"{self.where}: {error}") from error
        except Exception as error:  # a template may divide by zero, overflow, or break the sandbox's rules
            raise PromptError(
                f"{self.where}: cannot be rendered ({type(error).__name__}: {error})"
            ) from error
        return text

    def render_known(self, fields: Mapping[str, Any]) -> str:
        """The template filled with the columns that are there, nothing in place of the others.

        Raises PromptError.
        """
        if self._template is None:
            return self.source
        try:
            text: str = _environment(strict=False).from_string(self.source).render(fields)
        except Exception as error:  # what is missing may still be looked into
            raise PromptError(
                f"{self.where}: cannot be rendered ({type(error).__name__}: {error})"
            ) from error
        return text


@functools.cache
def _compile(source: str, where: str) -> Any:
    import jinja2

    try:
        return _environment().from_string(source)
    except jinja2.TemplateSyntaxError as error:
        raise PromptError(f"{where}: {error.message} (line {error.lineno} of the template)") from error
    except (RecursionError, SyntaxError) as error:  # Python's own limits on nested blocks and expressions
        raise PromptError(f"{where}: the template is nested too deeply") from error
    except ValueError as error:
        raise PromptError(f"{where}: not a valid template ({error})") from error


def _missing_column_hint(message: str, fields: Mapping[str, Any]) -> str:
    name = message.split("'")[1] if message.count("'") >= 2 else ""
    return did_you_mean(name, fields)


@functools.cache
def _expression(source: str) -> Any:
    return _environment().compile_expression(source, undefined_to_none=False)


def evaluate_column(rule: str, fields: Mapping[str, Any], where: str) -> Any:
    """The value that a rule of the task file takes from a sample.

    A column's name gives the column as it is; a text that is one `{{ expression }}` gives the value of the
    expression in its own type; any other template gives text. Raises PromptError.
    """
    if rule in fields:
        return fields[rule]
    stripped = rule.strip()
    if stripped.startswith("{{") and stripped.endswith("}}") and stripped.count("{{") == 1:
        import jinja2

        try:
            value = _expression(stripped[2:-2].strip())(fields)
            if not isinstance(value, jinja2.Undefined):
                check_defined(value)
        except jinja2.TemplateError as error:
            raise PromptError(
                f"{where}: {error.message}. Columns of the sample: {list_names(fields)}"
            ) from error
        except PromptError as error:
            raise PromptError(f"{where}: {error}") from error
        except Exception as error:
            raise PromptError(f"{where}: cannot be evaluated ({type(error).__name__}: {error})") from error
        if isinstance(value, jinja2.Undefined):
            raise PromptError(
                f"{where}: {rule!r} is undefined. Columns of the sample: {list_names(fields)}."
                + did_you_mean(value._undefined_name or "", fields)
            )
        return value
    if "{{" in rule or "{%" in rule:
        return Template(rule, where).render(fields)
    raise PromptError(
        f"{where}: no column {rule!r}; the data has {list_names(fields)}.{did_you_mean(rule, fields)}"
    )


class Aid(Protocol):
    """Brings what a prompt shows beside the columns of a sample, such as passages that were found for it."""

    def fields(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """The columns with what is brought. Raises PromptError."""


@dataclass(frozen=True)
class Variant:
    """A named prompt of a task, compiled."""

    name: str
    user: Template
    system: Template | None
    assistant: Template | None
    answer: Template | None
    """How the answer of a worked example is written; None for the target itself."""
    num_fewshot: int
    sampler: str
    multiturn: bool
    """Whether worked examples are turns of a conversation; False joins them into one user message."""
    target_delimiter: str
    """Stands between a prompt and its answer or continuation where neither brings white space."""
    shot_delimiter: str
    params: Mapping[str, Any]
    extract: Sequence[Any]
    scoring: str
    """Of a choice task: `choices` ranks the option texts, `letter` the letters, `reason` lets the model think
    before it writes a letter."""
    choices_order: str = "data"
    """Of a choice task whose options are listed under letters: data, seeded or circular."""
    description: str = ""
    language: str = "en"
    inner: Template | None = None
    """The task's own prompt, `{{ prompt }}` in a technique's template; None for a task's variant."""
    votes: int = 1
    """Answers asked of each sample, of which the most frequent counts."""
    picks: bool = False
    """Whether of several answers the best counts, as a judge or check sees it, not the most frequent."""
    images: tuple[str, ...] = ()
    """Columns, or templates, of the images that stand before the question."""
    folder: Path | None = None
    """The task's folder, in which image files are looked for."""
    solver: Mapping[str, Any] = field(default_factory=dict)
    """How a sample is worked: `name` (pal, rag, react) and settings; empty where it is asked once."""
    aid: Aid | None = field(default=None, repr=False, compare=False)
    """What a solver brings into the prompt; None for most."""
    _kept: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The pool that was used last, and worked examples as they are rendered: prompts share them."""

    def text(self) -> str:
        """The templates as a reader sees them."""
        parts = [
            f"[{role}] {template.source}"
            for role, template in (
                ("system", self.system),
                ("user", self.user),
                ("assistant", self.assistant),
            )
            if template is not None
        ]
        if self.inner is not None:
            parts.insert(0, f"[prompt] {self.inner.source}")
        if self.num_fewshot:
            parts.append(f"[few-shot] {self.num_fewshot} ({self.sampler})")
        if self.votes > 1:
            parts.append(f"[{'best of' if self.picks else 'votes'}] {self.votes}")
        if self.choices_order != "data":
            parts.append(f"[choices] {self.choices_order}")
        if self.images:
            parts.append(f"[images] {', '.join(self.images)}")
        if self.solver:
            settings = ", ".join(
                f"{key} {value}" for key, value in self.solver.items() if key not in ("name", "documents")
            )
            parts.append(f"[solver] {self.solver['name']}{f' ({settings})' if settings else ''}")
        return "\n".join(parts) if len(parts) > 1 else self.user.source

    def digest(self) -> str:
        """The SHA-256 of everything in the variant that can change a prompt or its answer's reading."""
        return digest({**self._source(), "extract": list(self.extract)})

    def asked_digest(self) -> str:
        """The SHA-256 of everything in the variant that can change what is asked: all but the extractor."""
        return digest(self._source())

    def _source(self) -> dict[str, Any]:
        source = {
            "user": self.user.source,
            "system": self.system.source if self.system else None,
            "assistant": self.assistant.source if self.assistant else None,
            "answer": self.answer.source if self.answer else None,
            "num_fewshot": self.num_fewshot,
            "sampler": self.sampler,
            "multiturn": self.multiturn,
            "delimiters": [self.target_delimiter, self.shot_delimiter],
            "params": dict(self.params),
            "scoring": self.scoring,
        }
        if self.inner is not None:
            source["inner"] = self.inner.source
        if self.votes > 1:
            source["votes"] = self.votes
        if self.picks:
            source["picks"] = True
        if self.images:
            source["images"] = list(self.images)
        if self.choices_order != "data":
            source["choices_order"] = self.choices_order
        if self.solver:
            source["solver"] = dict(self.solver)
        return source

    def choose_shots(self, pool: Sequence[Sample], sample: Sample, seed: int) -> list[Sample]:
        """The worked examples of a sample: a function of the seed and the sample alone, never itself.

        Raises PromptError when the pool is too small.
        """
        if not self.num_fewshot:
            return []
        kept = self._kept.get("pool")
        if kept is None or kept.source is not pool:
            self._kept.clear()
            kept = self._kept["pool"] = Pool(pool)
        shots = SAMPLERS[self.sampler](kept, sample, self.num_fewshot, f"{seed}:{sample.id}")
        if len(shots) < self.num_fewshot:
            raise PromptError(
                f"{self.user.where}: {self.num_fewshot} worked examples are asked for, the few-shot data "
                f"has {len(shots)}; lower --num-fewshot or add to the few_shot data"
            )
        return shots

    def shot_answer(self, shot: Sample) -> str:
        """The answer of a worked example as the prompt shows it."""
        if self.answer is not None:
            return self.answer.render({**shot.fields, "target": list(shot.target)})
        if self.scoring == "letter" and shot.gold:
            return letter(shot.gold[0])
        return shot.target[0] if shot.target else ""

    def full_answer(self, sample: Sample) -> str:
        """A right answer in the form in which the prompt asks for it: the target, where it has no form of its
        own. Columns of the form that only worked examples have are left empty; where the target is such a
        column, it stands without the form. Raises PromptError.
        """
        target = sample.target[0] if sample.target else ""
        if self.answer is None:
            return target
        fields = {**sample.fields, "target": list(sample.target)}
        try:
            return self.answer.render(fields)
        except PromptError:
            worded = self.answer.render_known(fields)
            return worded if target in worded else target

    def question(self, sample: Sample, letters: bool = False) -> str:
        """What the user says of one sample; with `letters` its options are listed under letters."""
        fields = self._fields(sample)
        if self.inner is not None:
            prompt = self.inner.render(fields)
            fields = {**fields, "prompt": prompt if letters else without_cue(prompt)}
        text = self.user.render(fields)
        if letters and self.scoring != "letter":
            return ask_for_letter(text, sample.choices, self.language, reason=self.scoring == "reason")
        return text

    def render(
        self, sample: Sample, shots: Sequence[Sample] = (), *, letters: bool = False
    ) -> tuple[Message, ...]:
        """The messages of a sample after its worked examples. Raises PromptError.

        `letters` is for choice tasks on models that give no likelihoods: options are listed under letters, in
        the worked examples too.
        """
        messages = [Message("system", self.system.render(self._fields(sample)))] if self.system else []
        text = ""
        before: list[TextPart | ImagePart] = []  # what stands before `text`, where there are images
        for shot in shots:
            question, answer, images = self._worked(shot, letters)
            if self.multiturn:
                messages += [_user(images, question), Message("assistant", answer)]
                continue
            if images:
                before += [*_text_part(text), *images]
                text = ""
            text += self.join(question, answer) + self.shot_delimiter
        images = self._images(sample)
        if images:
            before += [*_text_part(text), *images]
            text = ""
        messages.append(_user(before, text + self.question(sample, letters)))
        if self.assistant:
            if letters:
                raise PromptError(
                    f"{self.assistant.where}: a prompt with an assistant prefill cannot be turned into a "
                    "question for a letter; use another prompt, or a model that gives likelihoods"
                )
            messages.append(Message("assistant", self.assistant.render(sample.fields)))
        return tuple(messages)

    def _fields(self, sample: Sample) -> Mapping[str, Any]:
        """The columns of the sample, and what the solver brings. Raises PromptError."""
        return sample.fields if self.aid is None else self.aid.fields(sample.fields)

    def _images(self, sample: Sample) -> list[ImagePart]:
        """The sample's images. Raises PromptError."""
        urls: list[str] = []
        for rule in self.images:
            where = f"{self.user.where.removesuffix('user')}images"
            value = evaluate_column(rule, sample.fields, where)
            urls += image_urls(value, self.folder if rule in sample.fields else None, where)
        return [ImagePart(url) for url in urls]

    def _worked(self, shot: Sample, letters: bool) -> tuple[str, str, list[ImagePart]]:
        """A worked example's question, answer and images, made once."""
        kept = self._kept.get((id(shot), letters))
        if kept is None or kept[0] is not shot:
            question = self.question(shot, letters)
            answer = letter(shot.gold[0]) if letters and shot.gold else self.shot_answer(shot)
            kept = self._kept[id(shot), letters] = (shot, (question, answer, self._images(shot)))
        made: tuple[str, str, list[ImagePart]] = kept[1]
        return made

    def join(self, question: str, answer: str) -> str:
        """A question and its answer as one text."""
        return question + self.gap(question, answer) + answer

    def gap(self, before: str, after: str) -> str:
        """What stands between a prompt and a text that goes on from it."""
        if before[-1:].isspace() or after[:1].isspace():
            return ""
        return self.target_delimiter


def _text_part(text: str) -> list[TextPart]:
    return [TextPart(text)] if text else []


def _user(before: Sequence[TextPart | ImagePart], text: str) -> Message:
    """A message of the user: plain text, or parts where something stands before it."""
    return Message("user", (*before, TextPart(text)) if before else text)


def letter(position: int) -> str:
    """The letter of an option: 0 -> A, 25 -> Z, 26 -> AA."""
    name = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def ask_for_letter(text: str, choices: Sequence[str], language: str, *, reason: bool = False) -> str:
    """The question with its options listed under letters and the wish for one of them.

    The options go before a last line that asks for the answer ("Answer:"), where there is one. With `reason`
    the model is to think first and to end with the letter.
    """
    head, cue = _split_cue(text)
    letters = [letter(position) for position in range(len(choices))]
    options = "\n".join(f"{name}. {choice}" for name, choice in zip(letters, choices, strict=True))
    chinese = base_language(language) == "zh"
    if reason:
        cue = ""
        request = (
            "请一步一步思考，最后一行写“答案：”和一个字母。"
            if chinese
            else 'Think step by step. End with a line "Answer: " and one letter.'
        )
    elif chinese:
        request = f"只回答一个字母（{'、'.join(letters)}）。"
    else:
        request = f"Answer with one letter only ({', '.join(letters[:-1])} or {letters[-1]})."
    return "\n".join(part for part in (head, options, request, cue) if part)


def without_cue(text: str) -> str:
    """The prompt without a last line that asks for the answer ("Answer:"), where there is one."""
    return _split_cue(text)[0]


def _split_cue(text: str) -> tuple[str, str]:
    head, _, cue = text.rpartition("\n")
    if not head or not cue.rstrip().endswith((":", "：")):
        return text, ""
    return head, cue
