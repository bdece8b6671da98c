"""A task: what stands in task.yaml, checked, with its samples and its compiled prompts."""

from __future__ import annotations

import functools
import hashlib
import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from evalkit.core.errors import DataError, MetricError, PromptError, TaskError, did_you_mean
from evalkit.core.language import spaced_language
from evalkit.core.records import Sample, TaskGroup, digest
from evalkit.core.watchdog import doing
from evalkit.metrics.base import FunctionMetric
from evalkit.metrics.columns import check_columns
from evalkit.metrics.summed import SummedMetric
from evalkit.tasks.choices import reorder_fields
from evalkit.tasks.data import read_places
from evalkit.tasks.discovery import TaskEntry, read_entries
from evalkit.tasks.hooks import find_hooks
from evalkit.tasks.prompts import SAMPLERS, Template, Variant, evaluate_column
from evalkit.tasks.retrieval import Index, read_documents
from evalkit.tasks.samplers import Shots
from evalkit.tasks.schema import FewShotSpec, PromptSpec, TaskSpec, read_task_spec
from evalkit.tasks.solvers.making import make_aid, read_solver
from evalkit.tasks.sources import Hooks, Source
from evalkit.tasks.targets import Gold, choice_text, find_gold, optional_text, target_text
from evalkit.tasks.techniques import (
    TECHNIQUES,
    Technique,
    make_technique,
    plain_prompt,
    split_name,
    with_number,
)

HOOKS_FILE = "task.py"


@dataclass(frozen=True)
class Task:
    """One task, ready to give samples and prompts."""

    spec: TaskSpec
    file: Path
    """The task.yaml that defines it."""
    hooks: Hooks = field(default_factory=Hooks)
    """What the task's own task.py takes over."""
    group: str | None = None
    """The name that the tasks of one matrix share; None for a task of its own."""
    means: tuple[TaskGroup, ...] = ()
    """Groups that another tool's definition averages; where all their tasks run, so does evalkit."""

    own_rules: ClassVar[bool] = False
    """Whether the task asks and scores by rules of its own: `work` and `scorer` are then its."""

    def work(self, cell: Any) -> Iterator[Any]:
        """The work of a planned cell, where the task has rules of its own."""
        raise NotImplementedError

    def scorer(self, cell: Any) -> Any:
        """What scores the responses of a planned cell, where the task has rules of its own."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """The task's name, unique in its search path."""
        return self.spec.name

    @property
    def folder(self) -> Path:
        """The folder of task.yaml, to which paths are relative."""
        return self.file.parent

    @property
    def headline(self) -> str:
        """The metric that stands for the task: the first."""
        first = self.spec.metrics[0]
        spec = {"name": first} if isinstance(first, str) else first
        if spec["name"] != "rouge":
            return str(spec.get("as", spec["name"]))
        types = spec.get("types", "rouge1")
        kind = types if isinstance(types, str) else str(types[0])
        return f"{kind}_{spec['as']}" if "as" in spec else kind

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 of the definition: everything in task.yaml that decides a number, and task.py."""
        content = self.spec.model_dump(mode="json", exclude={"description", "tags", "license", "source"})
        # Tasks of before there were these keys keep their digest; a number was a position from 0 then.
        content["gold"] = None if content["gold"] == "index" else content["gold"]
        newer = [(content, "documents"), (content, "gold")]
        newer += [(content[part], key) for part in ("data", "few_shot") for key in ("encoding", "delimiter")]
        for part, key in newer:
            if part[key] is None:
                del part[key]
        for prompt in content["prompts"].values():
            if isinstance(prompt, dict) and prompt["solver"] is None:
                del prompt["solver"]
        return digest({"spec": content, "code": self.hooks.digest})

    @functools.cached_property
    def source(self) -> Source:
        """Where the samples come from."""
        names = (self.name, self.group, self.spec.data.hub)
        return Source(
            spec=self.spec.data,
            where=self.spec.where,
            folder=self.folder,
            hooks=self.hooks,
            names=tuple(name for name in names if name),
        )

    @property
    def data_revision(self) -> str:
        """`sha256:` and a digest of the local data, or `hub:` and the commit. Raises DataError."""
        return self.source.revision

    @functools.cached_property
    def index(self) -> Index | None:
        """The task's documents, ready to be searched; None where it has none. Raises DataError."""
        files = self.spec.documents
        if files is None:
            return None
        documents = read_documents(self.folder, [files] if isinstance(files, str) else files)
        return Index(documents, self.spec.language)

    def variant_names(self) -> tuple[str, ...]:
        """The names of the prompts, the default first; `text` alone for a perplexity task."""
        return tuple(self.spec.prompts) or ("text",)

    def variant(
        self, name: str, num_fewshot: int | None = None, library: Mapping[str, Technique] | None = None
    ) -> Variant:
        """The compiled prompt of this name; `num_fewshot` replaces its own number. Raises TaskError.

        The name is one of the task's own prompts, of the techniques that every task has (`few_shot:5`), or of
        the user's library.
        """
        if self.spec.kind == "perplexity" and name == "text":
            return self._compile("text", Technique(PromptSpec(user=""), wraps=False), 0)
        base, number = split_name(name)
        if base in self.spec.prompts:
            prompt = self.spec.prompts[base]
            own = PromptSpec(user=prompt) if isinstance(prompt, str) else prompt
            if own.solver is not None and number is not None:
                where = f"{self.file}, prompts.{base}.solver"
                solver = with_number(read_solver(own.solver), number, where)
                own, number = own.model_copy(update={"solver": solver}), None
            return self._compile(
                name, Technique(own, wraps=False), number if number is not None else num_fewshot
            )
        known = {**(library or {})}
        technique = known.get(base) if self.spec.prompts else None
        if technique is None and self.spec.prompts:
            technique = make_technique(base, number, self.spec)
        if technique is None:
            names = [*self.spec.prompts, *known, *TECHNIQUES]
            raise TaskError(
                f"task {self.name!r} has no prompt {name!r}; it has: {', '.join(self.variant_names())}; "
                f"every task has {', '.join(TECHNIQUES)}.{did_you_mean(base, names)}"
            )
        return self._compile(name, technique, number if base in known else num_fewshot)

    def _compile(self, name: str, technique: Technique, num_fewshot: int | None) -> Variant:
        prompt = technique.prompt
        where = f"{self.file}, prompts.{name}"
        made = make_aid(prompt, self.spec, lambda: self.index, self.hooks.tools, where)
        prompt = made.prompt
        own = prompt.few_shot
        rules = FewShotSpec(count=own) if isinstance(own, int) else own
        shared = self.spec.few_shot
        if num_fewshot is None:
            num_fewshot = rules.count if rules and rules.count is not None else (shared.count or 0)
        sampler = (rules and rules.sampler) or shared.sampler or "first"
        if sampler not in SAMPLERS:
            raise TaskError(f"{where}: no sampler {sampler!r}; there are {', '.join(SAMPLERS)}")
        params = {**made.generation(self.spec.generation.params()), **prompt.params()}
        delimiter = self.spec.target_delimiter
        spaced = spaced_language(self.spec.language)  # without spaces between words, none before an answer
        return Variant(
            name=name,
            user=Template(prompt.user, f"{where}.user"),
            system=Template(prompt.system, f"{where}.system") if prompt.system else None,
            assistant=Template(prompt.assistant, f"{where}.assistant") if prompt.assistant else None,
            answer=Template(prompt.answer, f"{where}.answer") if prompt.answer else None,
            num_fewshot=num_fewshot,
            sampler=sampler,
            multiturn=bool(rules.multiturn if rules and rules.multiturn is not None else shared.multiturn),
            target_delimiter=delimiter if delimiter is not None else (" " if spaced else ""),
            shot_delimiter="\n\n",
            params=params,
            extract=tuple(prompt.extract if prompt.extract is not None else self.spec.extract),
            scoring=prompt.scoring,
            choices_order=prompt.choices_order or self._own_order(technique) or self.spec.choices_order,
            description=prompt.description,
            language=self.spec.language,
            inner=self._inner(technique, where) if technique.wraps else None,
            votes=technique.votes,
            picks=technique.picks,
            images=_rules(prompt.images if prompt.images is not None else self._own_images(technique)),
            folder=self.folder,
            solver=made.settings,
            aid=made.aid,
        )

    def _own_order(self, technique: Technique) -> str | None:
        """The order of the options in the task's first prompt, which a technique wraps."""
        first = next(iter(self.spec.prompts.values()), None)
        return first.choices_order if technique.wraps and isinstance(first, PromptSpec) else None

    def reordered(self, sample: Sample, order: Sequence[int], *, shown: bool) -> Sample:
        """The sample with its options in this order, also in the columns from which its prompt lists them.

        Raises TaskError where the prompt lists them itself (`shown`) and the columns cannot be told.
        """
        rule = self.spec.choices or ""
        fields = reorder_fields(sample.fields, rule, sample.choices, order)
        choices = tuple(sample.choices[place] for place in order)
        listed = _list(self._value(rule, fields, "choices", f"sample {sample.id}")) if shown else ()
        if shown and tuple(map(str, listed)) != choices:
            raise TaskError(
                f"{self.file}, choices: the prompt lists the options itself, and evalkit cannot put them in "
                "another order where `choices` is not a column of options, or a list of columns; write "
                "choices_order: data, or a prompt without the options (scoring: choices)"
            )
        gold = tuple(order.index(position) for position in sample.gold)
        return replace(sample, fields=fields, choices=choices, gold=gold)

    def _own_images(self, technique: Technique) -> str | list[str] | None:
        """The images of the task's first prompt, which a technique wraps."""
        first = next(iter(self.spec.prompts.values()), None)
        return first.images if technique.wraps and isinstance(first, PromptSpec) else None

    def _inner(self, technique: Technique, where: str) -> Template:
        """The user template of the prompt which a technique wraps: the first that needs no other solver than
        the technique brings, else the first."""
        first = next(iter(self.spec.prompts.values()))
        own = PromptSpec(user=first) if isinstance(first, str) else first
        if own.solver is not None:
            brought = technique.prompt.solver
            if brought is None or read_solver(brought).name != read_solver(own.solver).name:
                own = plain_prompt(self.spec) or own
        return Template(own.user, f"{where}, the task's own prompt")

    def mode(self, variant: Variant, capabilities: frozenset[str]) -> tuple[str, bool]:
        """How a model of these capabilities is asked, and whether it can be."""
        if self.spec.kind == "perplexity":
            return "rolling", "rolling" in capabilities
        if self.spec.kind == "generate":
            return "generate", "generate" in capabilities
        if "loglikelihood" in capabilities and variant.scoring != "reason":
            return ("letter_logprobs" if variant.scoring == "letter" else "loglikelihood"), True
        return "letter_generate", "generate" in capabilities

    def samples(self, limit: int | None = None) -> Iterator[Sample]:
        """The samples in the order of the data, at most `limit`. Raises DataError that names file and row."""
        seen: set[str] = set()
        places = itertools.islice(self.source.places(), limit)
        for number, (where, row) in enumerate(places, start=1):
            with doing(self.file, "what it makes of", where):
                sample = self._sample(row, where)
            if sample.id in seen:
                if self.spec.id is not None or row.get("id") not in (None, ""):
                    raise DataError(f"{where}: id {sample.id!r} was there before; ids must be unique")
                sample = replace(sample, id=f"{sample.id}-{number}")
            seen.add(sample.id)
            yield sample

    def few_shot_pool(self) -> Sequence[Sample]:
        """The samples from which worked examples are taken, empty when there are none.

        They are read as far as they are taken, which is when a DataError may come.
        """
        return self._pool

    @functools.cached_property
    def _pool(self) -> Sequence[Sample]:
        few_shot = self.spec.few_shot
        if few_shot.samples is not None:
            where = f"{self.file}, few_shot.samples"
            places: Iterable[tuple[str, Mapping[str, Any]]] = (
                (f"{where}, sample {number}", row) for number, row in enumerate(few_shot.samples, start=1)
            )
        elif few_shot.file is not None:
            places = read_places((self.folder / few_shot.file).expanduser(), few_shot.form)
        else:
            split = few_shot.split or self.spec.data.few_shot_split
            if split is None or not self.source.has_split(split):
                return ()
            places = self.source.places(split)
        return Shots(self._sample(row, where, "shot-") for where, row in places)

    @functools.cached_property
    def gold(self) -> Gold | None:
        """How targets name the right option; None where there are no options. Raises DataError.

        The samples are read once for it where `gold:` does not say it, as far as they leave it open.
        """
        if self.spec.kind != "choice" or self.own_rules:
            return None
        if self.spec.gold is not None:
            return Gold(self.spec.gold, f"`gold:` in {self.file} says")
        return find_gold(map(self._gold_row, self.source.places()), self.file)

    def _gold_row(self, place: tuple[str, Mapping[str, Any]]) -> tuple[str, list[Any], tuple[str, ...]]:
        where, row = place
        choices = self._choices(row, where)
        return where, self._gold_values(row, choices, where), choices

    def _choices(self, row: Mapping[str, Any], where: str) -> tuple[str, ...]:
        listed = _list(self._value(self.spec.choices, row, "choices", where))
        return tuple(choice_text(item, where, "choices") for item in listed)

    def _gold_values(self, row: Mapping[str, Any], choices: Sequence[str], where: str) -> list[Any]:
        """What the row says of the right options. Raises DataError."""
        if len(choices) < 2:
            raise DataError(f"{where}: a choice needs at least two choices, got {len(choices)}")
        values = _list(self._value(self.spec.target, row, "target", where))
        if not values or values == [""]:
            raise DataError(f"{where}: the target is empty")
        return values

    def _sample(self, row: Mapping[str, Any], where: str, prefix: str = "") -> Sample:
        spec = self.spec
        text = self._value(spec.text, row, "text", where) if spec.text is not None else None
        cluster = self._value(spec.cluster, row, "cluster", where) if spec.cluster is not None else None
        identity = self._value(spec.id, row, "id", where) if spec.id is not None else row.get("id")
        choices = self._choices(row, where)
        gold: tuple[int, ...] = ()
        if self.gold is not None:
            values = self._gold_values(row, choices, where)
            gold = tuple(self.gold.position(value, choices, where) for value in values)
            targets = tuple(choices[position] for position in gold)
        else:
            named = spec.target if isinstance(spec.target, str) else "target"
            values = _list(self._value(spec.target, row, "target", where))
            targets = tuple(self._label(value, where, f"target {named}") for value in values)
            if not targets and spec.kind == "generate" and spec.target is not None and not spec.labels:
                targets = ("",)  # the sample says that there is no answer
        if spec.kind != "perplexity" and not targets:
            raise DataError(f"{where}: the target is empty")
        if spec.kind == "perplexity" and not isinstance(text, str):
            raise DataError(f"{where}: `text` must be a text, got {type(text).__name__}")
        if not prefix:
            try:
                check_columns(spec.metrics, row)
            except MetricError as error:
                raise DataError(f"{where}: {error}") from error
        name = optional_text(identity, where, "id")
        return Sample(
            id=prefix + (name if name is not None else digest(dict(row))[:16]),
            fields=row,
            target=targets,
            choices=choices,
            gold=gold,
            text=text,
            cluster=optional_text(cluster, where, "cluster"),
            metadata={column: row[column] for column in spec.metadata if column in row},
        )

    def _value(self, rule: str | Sequence[str] | None, row: Mapping[str, Any], key: str, place: str) -> Any:
        if rule is None:
            return ()
        where = f"{self.file}, {key}"
        try:
            if isinstance(rule, str):
                return evaluate_column(rule, row, where)
            return [Template(item, where).render(row) for item in rule]
        except PromptError as error:
            raise DataError(f"{place}: {error}") from error

    def _label(self, value: Any, where: str, column: str) -> str:
        """The target as text: a position in `labels` becomes the label."""
        text = target_text(value, where, column)
        labels = self.spec.labels
        if isinstance(value, int | float) and not isinstance(value, bool) and labels:
            return labels[int(value)] if text.isdecimal() and int(value) < len(labels) else text
        return text


def _rules(value: str | Sequence[str] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def load_task(entry: TaskEntry, *, trust: bool = False) -> Task:
    """The Task of an entry, its file checked and its hooks loaded. Raises TaskError.

    The task's own Python runs only where the task is in the workspace, installed or bundled, or with `trust`.
    """
    spec = read_task_spec(entry.file, entry.assignment)
    if spec.matrix is not None:
        read_entries(entry.file, entry.origin)  # says what is wrong with the matrix, where something is
        raise TaskError(f"{entry.file} has a matrix; name one of its tasks, or the group {spec.name!r}")
    file = entry.file.parent / HOOKS_FILE
    if file.is_file() and not (entry.trusted or trust):
        raise TaskError(
            f"task {spec.name!r} comes with Python code ({file}) from outside the workspace; "
            "read it, then allow it with --trust"
        )
    hooks = _load_hooks(file) if file.is_file() else Hooks()
    return Task(spec, entry.file, hooks, entry.group)


def _load_hooks(file: Path) -> Hooks:
    module = _import_hooks(file)
    for name in ("load_samples", "map_row"):
        if not callable(getattr(module, name, len)):
            raise TaskError(f"{file}: {name} is not a function")
    return Hooks(
        load_samples=getattr(module, "load_samples", None),
        map_row=getattr(module, "map_row", None),
        extractors={name: function for name, (function, _) in find_hooks(module, "extractor").items()},
        metrics={
            name: (SummedMetric if "value" in settings else FunctionMetric)(name, function, **settings)
            for name, (function, settings) in find_hooks(module, "metric").items()
        },
        tools={name: function for name, (function, _) in find_hooks(module, "tool").items()},
        file=file,
        digest=hashlib.sha256(file.read_bytes()).hexdigest(),
    )


@functools.cache
def _import_hooks(file: Path) -> Any:
    from importlib.util import module_from_spec, spec_from_file_location

    name = "evalkit_task_" + hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:12]
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise TaskError(f"{file} cannot be loaded as Python")
    module = module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and pickle look for the module of a class
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise TaskError(f"{file}: {type(error).__name__}: {error}") from error
    return module
