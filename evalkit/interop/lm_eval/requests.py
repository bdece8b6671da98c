"""From documents to requests: what is asked of the model for each, in the field's order."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from evalkit.core.errors import PromptError
from evalkit.core.records import Message
from evalkit.interop.lm_eval.config import TaskConfig
from evalkit.interop.lm_eval.documents import local_seed
from evalkit.interop.lm_eval.fields import FieldRules, field_or_template
from evalkit.interop.lm_eval.sampling import Sampler, excludes
from evalkit.interop.lm_eval.templates import is_mutating
from evalkit.interop.lm_eval.turns import (
    ChatOptions,
    Turn,
    as_context,
    as_text,
    join,
    question_turns,
    shot_turns,
)

ItemKind = Literal["generate", "loglikelihood", "rolling"]
Context = str | tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One request of a document."""

    kind: ItemKind
    context: Context
    """What the model is shown: a text, or messages for a chat server. Empty for rolling items."""
    continuation: str = ""
    """The text whose loglikelihood is asked (the whole text for rolling items); empty for generate items."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """The task's generation_kwargs under its own names (until, max_gen_toks, ...); see `sampling_params`."""


@dataclass(frozen=True, slots=True)
class DocRequests:
    """All that is asked for one document."""

    doc_id: int
    """Position among the evaluated documents."""
    doc: Mapping[str, Any]
    target_text: str
    """The target as text, as the field hashes and logs it."""
    items: tuple[Item, ...]
    target: Any = None
    """What doc_to_target gave, in its own type."""
    choices: Any = None
    """What doc_to_choice gave; None without it."""
    text: Any = None
    """What doc_to_text gave: the gold position of a task with several inputs."""


@dataclass(frozen=True)
class Probe:
    """What the first document shows of all: the field looks at it alone."""

    multiple_input: int
    """How many contexts a document has; 0 for one."""
    multiple_target: int
    """How many targets the first document has; 0 when it is no list."""


def probe(rules: FieldRules, doc: Mapping[str, Any], where: str) -> Probe:
    """How many inputs and targets the documents have, from the first one. Raises PromptError."""
    doc = copy.deepcopy(doc)
    text, target = rules.text(doc), rules.target(doc)
    several = 0
    if rules.choices is not None:
        choices = rules.choices(doc)
        if not isinstance(choices, list):
            raise PromptError(f"{where}: doc_to_choice: a list is wanted, not {type(choices).__name__}")
        several = len(choices) if isinstance(text, int) else 0
    return Probe(several, len(target) if isinstance(target, list) else 0)


class RequestBuilder:
    """Builds the requests of one task under one setting; worked examples are rendered once each."""

    def __init__(
        self,
        config: TaskConfig,
        rules: tuple[FieldRules, FieldRules],
        found: Probe,
        sampler: Sampler | None,
        num_fewshot: int,
        chat: ChatOptions | None,
        system: str | None,
        *,
        unconditional: bool,
        seed: int,
        where: str,
    ) -> None:
        self._config = config
        self._asked, self._shot = rules
        self._probe = found
        self._sampler = sampler
        self._num_fewshot = num_fewshot
        self._chat = chat
        self._system = system
        self._unconditional = unconditional
        self._seed = seed
        self._where = where
        self._excludes = excludes(config)
        self._description = field_or_template(config.description, f"{where}: description")
        self._memo: dict[int, tuple[tuple[Turn, ...], str]] = {}
        # Functions and some templates may write into the document; what is scored stays as it was read.
        rules_given = (config.doc_to_text, config.doc_to_target, config.doc_to_choice, config.gen_prefix)
        self._has_code = any(callable(rule) for rule in rules_given)
        self._copies = self._has_code or any(map(is_mutating, (*rules_given, config.description)))

    def build(self, docs: Sequence[Mapping[str, Any]], n_docs: int) -> Iterator[DocRequests]:
        """The requests of the first documents, in order."""
        for doc_id in range(n_docs):
            if self._has_code or self._code_in_shots:
                with local_seed(f"{self._seed}:{self._config.task}:{doc_id}"):
                    built = self._one(doc_id, docs[doc_id])
            else:
                built = self._one(doc_id, docs[doc_id])
            yield built

    @functools.cached_property
    def _code_in_shots(self) -> bool:
        shots = self._config.fewshot_config
        return any(callable(rule) for rule in (shots.doc_to_text, shots.doc_to_target, shots.doc_to_choice))

    def _one(self, doc_id: int, original: Mapping[str, Any]) -> DocRequests:
        doc = copy.deepcopy(original) if self._copies else original
        prefix = self._asked.prefix(doc)
        head = join(self._system, self._description(doc), self._config.fewshot_delimiter)
        shots = self._draw(doc)
        text = self._asked.text(doc)
        choices = self._asked.choices(doc) if self._asked.choices is not None else None
        target = self._asked.target(doc)
        if self._probe.multiple_input:
            if not isinstance(choices, list):
                raise PromptError(f"{self._where}: doc_to_choice: several inputs need a list of choices")
            contexts = [self._context(head, shots, choice, prefix, "") for choice in choices]
        else:
            contexts = [self._context(head, shots, text, prefix, self._config.target_delimiter)]
        items = self._items(contexts, choices, target)
        return DocRequests(doc_id, original, str(target), items, target, choices, text)

    def _draw(self, doc: Mapping[str, Any]) -> Sequence[int]:
        if self._sampler is None or not self._num_fewshot:
            return ()
        return self._sampler.draw(self._num_fewshot, doc if self._excludes else None)

    def _context(
        self, head: str, shots: Sequence[int], question: Any, prefix: Any, target_delimiter: str
    ) -> Context:
        own = question_turns(question, prefix, target_delimiter, self._where)
        if self._chat is None:
            return head + "".join([self._shot_parts(position)[1] for position in shots]) + as_text(own)
        turns: list[Turn] = [Turn("system", head)] if head else []
        for position in shots:
            turns.extend(self._shot_parts(position)[0])
        return as_context((*turns, *own), self._chat, prefix)

    def _shot_parts(self, position: int) -> tuple[tuple[Turn, ...], str]:
        known = self._memo.get(position)
        if known is None:
            turns = self._render_shot(self._sampler.pool[position] if self._sampler else {})
            known = self._memo[position] = (turns, as_text(turns))
        return known

    def _render_shot(self, doc: Mapping[str, Any]) -> tuple[Turn, ...]:
        rules, shots = self._shot, self._config.fewshot_config
        question = rules.text(doc)
        choices = rules.choices(doc) if rules.choices is not None else None
        answer = rules.target(doc)
        prefix = rules.prefix(doc)
        if self._probe.multiple_input:
            try:
                question, choices = choices[question], None  # type: ignore[index]
            except (IndexError, KeyError, TypeError) as error:
                raise PromptError(
                    f"{self._where}: doc_to_text: {question!r:.60} is no position in the choices of a "
                    "worked example"
                ) from error
        return shot_turns(
            question,
            choices,
            answer,
            prefix,
            self._delimiter(shots.target_delimiter, "target_delimiter"),
            self._delimiter(shots.fewshot_delimiter, "fewshot_delimiter"),
            self._where,
        )

    def _delimiter(self, value: str | None, key: str) -> str:
        if value is None:
            raise PromptError(f"{self._where}: fewshot_config.{key}: a text is wanted, not null")
        return value

    def _items(self, contexts: Sequence[Context], choices: Any, target: Any) -> tuple[Item, ...]:
        kind = self._config.output_type
        if kind == "generate_until":
            return (Item("generate", contexts[0], params=dict(self._config.generation_kwargs or {})),)
        if kind == "loglikelihood":
            return (Item("loglikelihood", contexts[0], self._text_target(target)),)
        if kind == "loglikelihood_rolling":
            return (Item("rolling", "", self._text_target(target)),)
        if not isinstance(choices, list | tuple):
            raise PromptError(
                f"{self._where}: doc_to_choice: multiple_choice needs a list of choices, the document gives "
                f"{type(choices).__name__}"
            )
        delimiter = self._choice_delimiter()
        if self._probe.multiple_input:
            items = [Item("loglikelihood", context, f"{delimiter}{target}") for context in contexts]
        else:
            items = [Item("loglikelihood", contexts[0], f"{delimiter}{choice}") for choice in choices]
        if self._unconditional:
            items += [Item("loglikelihood", "", f"{delimiter}{choice}") for choice in choices]
        return tuple(items)

    def _choice_delimiter(self) -> str:
        """What stands before a choice: in a chat only after a prefill that does not end in white space."""
        prefix = self._config.gen_prefix
        if self._chat is not None and (not prefix or prefix[-1].isspace()):
            return ""
        return self._config.target_delimiter

    def _text_target(self, target: Any) -> str:
        if isinstance(target, str):
            return target
        raise PromptError(
            f"{self._where}: doc_to_target: a text is wanted for {self._config.output_type}, the document "
            f"gives {type(target).__name__}"
        )


def sampling_params(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The task's generation_kwargs under LiteLLM's names: stop, max_tokens, temperature, top_p, ...

    Of several names for the length the first of max_gen_toks, max_new_tokens, max_tokens,
    max_completion_tokens counts; `do_sample: false` means temperature 0. Keys without a counterpart are
    left out.
    """
    params: dict[str, Any] = {}
    until = kwargs.get("until")
    if until:
        params["stop"] = [until] if isinstance(until, str) else [str(stop) for stop in until]
    for name in ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens"):
        if kwargs.get(name) is not None:
            params["max_tokens"] = int(kwargs[name])
            break
    for name in ("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty"):
        if kwargs.get(name) is not None:
            params[name] = kwargs[name]
    if kwargs.get("do_sample") is False:
        params["temperature"] = 0.0
    return params
