"""A task of lm-evaluation-harness as a task of a run: asked and scored by its own rules.

Every document may take several calls; equal contexts share one. Scores keep the field's names,
`metric,filter`. Models that give no likelihoods are not asked what needs them: the field has no letters.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalkit.core.errors import TaskError
from evalkit.core.language import detect_language
from evalkit.core.records import Message, Request, Response, ResponseError, Sample, digest
from evalkit.interop.lm_eval.cells import Asked, LmEvalScorer
from evalkit.interop.lm_eval.requests import DocRequests, Item, sampling_params
from evalkit.interop.lm_eval.task import LmEvalTask
from evalkit.interop.lm_eval.turns import ChatOptions
from evalkit.models.parameters import merge_parameters
from evalkit.models.protocol import Templated
from evalkit.running.cells import PlannedCell
from evalkit.running.executors.work import Ask, Work
from evalkit.running.scoring import CellScorer
from evalkit.tasks.prompts import Template, Variant
from evalkit.tasks.schema import DataSpec, FewShotSpec, GenerationSpec, GroupSpec, TaskSpec
from evalkit.tasks.solvers.merging import merge_responses
from evalkit.tasks.task import Task

_KINDS = {
    "generate_until": "generate",
    "multiple_choice": "choice",
    "loglikelihood": "choice",
    "loglikelihood_rolling": "perplexity",
}
_VARIANT = "lm_eval"


class _Verbatim(Template):
    """A template of another tool, shown and never rendered here."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.where = "lm_eval"


@dataclass(frozen=True)
class LmEvalBridge(Task):
    """The task behind the interface of evalkit's own tasks."""

    own_rules = True
    lm: LmEvalTask = field(kw_only=True)
    asked: dict[tuple[int, int], Asked] = field(default_factory=dict, kw_only=True)
    """(cell, position) -> what awaits scoring."""

    @property
    def headline(self) -> str:
        """The `metric,filter` that stands for the task."""
        return self.lm.headline

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 of the task's configuration."""
        return digest(_plain(vars(self.lm.config)))

    @property
    def data_revision(self) -> str:
        """The data set as the file names it; the field pins no revision."""
        config = self.lm.config
        part = f"/{config.dataset_name}" if config.dataset_name else ""
        return f"hub:{config.dataset_path}{part} (not pinned)"

    def variant_names(self) -> tuple[str, ...]:
        """One: the prompt that the file defines."""
        return (_VARIANT,)

    def variant(
        self, name: str, num_fewshot: int | None = None, library: Mapping[str, Any] | None = None
    ) -> Variant:
        """The file's prompt, for the records; techniques and libraries do not apply. Raises TaskError."""
        if name != _VARIANT:
            raise TaskError(f"task {self.name!r} is of lm-evaluation-harness and has its own prompt only")
        config = self.lm.config
        text = "\n".join(
            f"[{key}] {value}"
            for key in ("description", "doc_to_text", "doc_to_target", "doc_to_choice", "gen_prefix")
            if (value := _shown(getattr(config, key))) is not None
        )
        return Variant(
            name=name,
            user=_Verbatim(text),
            system=None,
            assistant=None,
            answer=None,
            num_fewshot=self.lm.num_fewshot(num_fewshot),
            sampler="first",
            multiturn=False,
            target_delimiter=str(config.target_delimiter),
            shot_delimiter=str(config.fewshot_delimiter),
            params=sampling_params(config.generation_kwargs or {}) if self.spec.kind == "generate" else {},
            extract=(),
            scoring="choices",
            language=self.spec.language,
        )

    def mode(self, variant: Variant, capabilities: frozenset[str]) -> tuple[str, bool]:
        """How a model of these capabilities is asked, and whether it can be."""
        if self.spec.kind == "perplexity":
            return "rolling", "rolling" in capabilities
        if self.spec.kind == "choice":
            return "loglikelihood", "loglikelihood" in capabilities
        return "generate", "generate" in capabilities

    def few_shot_pool(self) -> Sequence[Sample]:
        """Nothing: the field's sampler chooses the worked examples itself."""
        return ()

    def samples(self, limit: int | None = None) -> Iterator[Sample]:
        """The documents as samples. Raises TaskError and DataError."""
        for asked in self.lm.requests(0, limit=limit):
            yield _sample(asked)

    def work(self, cell: PlannedCell) -> Iterator[Work]:
        """The work of one cell in the order of the documents, whose order decides the worked examples."""
        bound, route = cell.bound, cell.model.route
        chats = "chat" in bound.capabilities and "loglikelihood" not in bound.capabilities
        if isinstance(bound, Templated):  # plain text, as the field asks, unless the user wants the template
            chats = bound.chats_always
            bound = bound if chats else bound.without_template()
        chat = ChatOptions() if chats else None
        for position, asked in enumerate(
            self.lm.requests(cell.variant.num_fewshot, chat=chat, limit=cell.limit)
        ):
            sample = _sample(asked)
            calls = list(_calls(asked.items, route, cell.asked_params, sample.id, self.lm.repeats))
            solve = functools.partial(self._solve, key=(cell.index, position), doc=asked, calls=calls)
            yield Work(cell.index, position, sample, calls[0].request, bound, solve)

    def scorer(self, cell: PlannedCell) -> CellScorer:
        """What scores the documents by the field's rules."""
        return LmEvalScorer(
            cell.mode,
            cell.extractor,
            (),
            cell=cell.index,
            lm=self.lm,
            asked=self.asked,
            version=str(self.spec.version),
        )

    async def _solve(
        self, ask: Ask, *, key: tuple[int, int], doc: DocRequests, calls: Sequence[_Call]
    ) -> Response:
        responses = await asyncio.gather(*(ask(call.request) for call in calls))
        failed = next((response for response in responses if response.status == "error"), None)
        if failed is not None:
            return failed
        found: list[list[Any]] = [[] for _ in doc.items]
        for call, response in zip(calls, responses, strict=True):
            values = _values(call.request, response)
            if len(values) != len(call.items):  # unscored, as any answer without its likelihoods
                why = f"{len(values)} likelihoods came for {len(call.items)} continuations"
                return Response(status="error", error=ResponseError("no_logprobs", why))
            for item, value in zip(call.items, values, strict=True):
                found[item].append(value)
        self.asked[key] = Asked(doc, [values if len(values) > 1 else values[0] for values in found])
        return merge_responses(responses[0], responses)


@dataclass(frozen=True)
class _Call:
    """One request and the items of the document that it answers."""

    request: Request
    items: tuple[int, ...]


def _calls(
    items: Sequence[Item], route: str, params: Mapping[str, Any], sample_id: str, repeats: int
) -> Iterator[_Call]:
    """The calls of a document: continuations of one context go together, repeats are asked apart."""
    for kind, group in itertools.groupby(enumerate(items), key=lambda pair: (pair[1].kind, pair[1].context)):
        members = list(group)
        for repeat in range(repeats):
            yield _Call(
                _request(kind[0], [item for _, item in members], route, params, sample_id, repeat),
                tuple(number for number, _ in members),
            )


def _request(
    kind: str, items: Sequence[Item], route: str, params: Mapping[str, Any], sample_id: str, repeat: int
) -> Request:
    if kind == "rolling":
        return Request("rolling", route, text=items[0].continuation, repeat=repeat, sample_id=sample_id)
    context = items[0].context
    messages = (Message("user", context),) if isinstance(context, str) else context
    if kind == "loglikelihood":
        return Request(
            "loglikelihood",
            route,
            messages=messages,
            continuations=tuple(item.continuation for item in items),
            repeat=repeat,
            sample_id=sample_id,
        )
    own = merge_parameters(sampling_params(items[0].params), params)
    return Request("generate", route, messages=messages, params=own, repeat=repeat, sample_id=sample_id)


def _values(request: Request, response: Response) -> Sequence[Any]:
    return [response.text or ""] if request.kind == "generate" else response.loglikelihoods


def _sample(asked: DocRequests) -> Sample:
    choices: tuple[str, ...] = ()
    gold: tuple[int, ...] = ()
    first = asked.items[0]
    if first.kind == "loglikelihood":
        choices = tuple(item.continuation for item in asked.items)
        targets = asked.target if isinstance(asked.target, list) else [asked.target]
        if asked.choices is None:
            gold = (0,)
        else:
            listed = list(asked.choices)
            gold = tuple(
                target if isinstance(target, int) else listed.index(target)
                for target in targets
                if (isinstance(target, int) and 0 <= target < len(listed)) or target in listed
            )
    return Sample(
        id=str(asked.doc_id),
        fields=asked.doc,
        target=(asked.target_text,),
        choices=choices,
        gold=gold,
        text=first.continuation if first.kind == "rolling" else None,
    )


def make_bridge(lm: LmEvalTask, group: str | None = None) -> LmEvalBridge:
    """The task as a run takes it. Raises TaskError with the reason when it cannot be run."""
    if lm.refusal is not None:
        raise TaskError(lm.refusal)
    config = lm.config
    texts = [_shown(getattr(config, key)) or "" for key in ("doc_to_text", "description")]
    version = (config.metadata or {}).get("version", 1) if isinstance(config.metadata, Mapping) else 1
    spec = TaskSpec.model_construct(
        schema_=1,
        name=lm.name,
        description=f"{lm.name}, as lm-evaluation-harness defines it.",
        language=detect_language(texts) if any(texts) else "en",
        tags=["lm_eval"],
        version=str(version),
        license="",
        source=str(config.dataset_path or ""),
        data=DataSpec(hub=str(config.dataset_path or "custom"), remote=True),
        where={},
        matrix=None,
        group=GroupSpec(),
        kind=_KINDS[lm.output_type],
        labels=[],
        metadata=[],
        prompts={_VARIANT: ""},
        few_shot=FewShotSpec(),
        generation=GenerationSpec(),
        extract=[],
        metrics=[lm.headline or "none"],
        chance=None,
        repeats=1,
        target_delimiter=None,
        text=None,
        id=None,
    )
    return LmEvalBridge(spec, lm.file or _nowhere(lm), group=group, lm=lm)


def _nowhere(lm: LmEvalTask) -> Any:
    from pathlib import Path

    return Path(f"{lm.name}.yaml")


def _shown(value: Any) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else f"<{getattr(value, '__name__', type(value).__name__)}>"


def _plain(value: Any) -> Any:
    """The configuration with functions by their names, for a digest."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return f"<{getattr(value, '__qualname__', type(value).__qualname__)}>"
