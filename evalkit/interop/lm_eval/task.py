"""A task of lm-evaluation-harness, ready to ask and to score, with the field's prompts byte for byte."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.core.errors import MetricError, TaskError
from evalkit.core.records import Loglikelihood
from evalkit.interop.lm_eval import aggregations
from evalkit.interop.lm_eval.config import TaskConfig
from evalkit.interop.lm_eval.documents import Documents, Rows, first_documents
from evalkit.interop.lm_eval.fields import FieldRules, compile_rules
from evalkit.interop.lm_eval.filters import build_pipelines
from evalkit.interop.lm_eval.metrics import build_metrics
from evalkit.interop.lm_eval.requests import DocRequests, Item, Probe, RequestBuilder, probe
from evalkit.interop.lm_eval.sampling import check_sampler, make_sampler
from evalkit.interop.lm_eval.scoring import DocScorer
from evalkit.interop.lm_eval.sources import task_rows
from evalkit.interop.lm_eval.templates import compile_template
from evalkit.interop.lm_eval.turns import ChatOptions

DEFAULT_SEED = 1234
"""The field's seed of the few-shot stream."""


class LmEvalTask:
    """One task. `requests` asks, `score` judges one document, `aggregate` sums all up."""

    def __init__(
        self,
        config: TaskConfig,
        file: Path | None = None,
        *,
        rows: Rows | None = None,
        facade: bool = False,
    ) -> None:
        self.config = config
        self.file = file
        self._where = str(file) if file is not None else (config.task or "task")
        self._metrics = build_metrics(config, self._where)
        self._pipelines = build_pipelines(config.filter_list, self._where)
        check_sampler(config.fewshot_config.sampler, self._where)
        self._check_templates()
        self._documents = Documents(
            config, rows if rows is not None else task_rows(config, self._where), self._where, facade=facade
        )

    def _check_templates(self) -> None:
        config, shots = self.config, self.config.fewshot_config
        for prefix, record in (("", config), ("fewshot_config.", shots)):
            for key in ("doc_to_text", "doc_to_target", "doc_to_choice", "description", "gen_prefix"):
                rule = getattr(record, key, None)
                if isinstance(rule, str):
                    compile_template(rule, f"{self._where}: {prefix}{key}")

    @property
    def name(self) -> str:
        """The task's name."""
        return self.config.task or (self.file.stem if self.file is not None else "task")

    @property
    def output_type(self) -> str:
        """loglikelihood, multiple_choice, loglikelihood_rolling or generate_until."""
        return self.config.output_type

    @property
    def headline(self) -> str:
        """The `metric,filter` that stands for the task: the first metric under the first pipeline."""
        return f"{self._metrics[0].name},{self._pipelines[0].name}" if self._metrics else ""

    @property
    def metric_names(self) -> tuple[str, ...]:
        """All `metric,filter` names of the file; process_results and metrics that give dicts may add more."""
        return tuple(f"{m.name},{p.name}" for p in self._pipelines for m in self._metrics)

    @property
    def repeats(self) -> int:
        """How often each request is to be sent."""
        return self.config.repeats

    @property
    def refusal(self) -> str | None:
        """Why the task cannot be run, as a sentence; None when it can."""
        config = self.config
        for key in ("doc_to_image", "doc_to_audio"):
            if getattr(config, key) is not None:
                what = "images" if key == "doc_to_image" else "sound"
                return f"{self._where}: {key}: the task asks with {what}, which are not served here"
        if config.use_prompt is not None:
            return f"{self._where}: use_prompt: prompts of promptsource are not served"
        if config.process_results is None:
            for metric in self._metrics:
                if metric.function is None:
                    return (
                        f"{self._where}: metric_list: {metric.name!r} would be downloaded as code from the "
                        "Hugging Face hub"
                    )
        return None

    def higher_is_better(self, metric: str) -> bool | None:
        """Whether more is better, by the metric's name with or without `,filter`; None when nobody says."""
        name = metric.rpartition(",")[0] or metric
        name = self._scorer.expanded.get(name, name) if "_scorer" in self.__dict__ else name
        return next((item.higher_is_better for item in self._metrics if item.name == name), None)

    def n_docs(self, limit: float | None = None) -> int:
        """How many documents there are under a limit. Raises DataError."""
        return first_documents(self._documents.evaluated(), limit)

    def docs(self, limit: float | None = None) -> Iterator[Mapping[str, Any]]:
        """The documents in order, after process_docs. Raises TaskError and DataError."""
        docs = self._documents.evaluated()
        yield from docs[: first_documents(docs, limit)]

    @functools.cached_property
    def _rules(self) -> tuple[FieldRules, FieldRules]:
        return compile_rules(self.config, self._documents.columns(), self._where)

    @functools.cached_property
    def _probe(self) -> Probe:
        return probe(self._rules[0], self._documents.evaluated()[0], self._where)

    @functools.cached_property
    def _scorer(self) -> DocScorer:
        return DocScorer(self.config, self._metrics, self._probe, self._where)

    def num_fewshot(self, asked: int | None) -> int:
        """The worked examples in effect: the number asked for, except where the file pins 0."""
        own = self.config.num_fewshot
        return own or 0 if own == 0 or asked is None else asked

    def requests(
        self,
        num_fewshot: int | None = None,
        chat: ChatOptions | None = None,
        limit: float | None = None,
        seed: int = DEFAULT_SEED,
        system: str | None = None,
    ) -> Iterator[DocRequests]:
        """The requests of each document, in order.

        `chat` makes the contexts conversations, `system` stands before the task's description. A `limit`
        below 1 is a share of the documents. Raises TaskError (with the reason of a refusal), DataError,
        PromptError.
        """
        if self.refusal is not None:
            raise TaskError(self.refusal)
        docs = self._documents.evaluated()
        n_shots = self.num_fewshot(num_fewshot)
        if n_shots < 0:
            raise TaskError(f"num_fewshot {n_shots}: 0 or more is wanted")
        sampler = make_sampler(self.config, self._documents.pool(), seed, self._where) if n_shots else None
        builder = RequestBuilder(
            self.config,
            self._rules,
            self._probe,
            sampler,
            n_shots,
            chat,
            system,
            unconditional=any(metric.name == "acc_mutual_info" for metric in self._metrics),
            seed=seed,
            where=self._where,
        )
        yield from builder.build(docs, first_documents(docs, limit))

    def score(self, asked: DocRequests, responses: Sequence[Any]) -> dict[str, Any]:
        """`metric,filter` -> value of one document; the value is what its aggregation takes.

        `responses` holds one entry for each item, in order: a text (generate), a Loglikelihood or a pair
        (logprob, is_greedy), a number or Loglikelihood (rolling); or a list of such, one for each repeat.
        Raises MetricError and ExtractorError.
        """
        given = read_responses(asked.items, responses)
        values: dict[str, Any] = {}
        for pipeline in self._pipelines:
            results = pipeline.apply(given, asked.doc)
            for name, value in self._scorer.score(asked, results).items():
                values[f"{name},{pipeline.name}"] = value
        return values

    def aggregate(
        self, scored: Iterable[Mapping[str, Any]], *, bootstrap: int = aggregations.BOOTSTRAP_ITERATIONS
    ) -> dict[str, tuple[Any, float | None]]:
        """`metric,filter` -> (value over all documents, standard error or None), from what `score` gave.

        `bootstrap` is the number of replicates behind the errors of metrics without a formula; 0 gives no
        error at all. Raises MetricError.
        """
        functions = {metric.name: metric.aggregation for metric in self._metrics}
        if "_scorer" in self.__dict__:
            for key, source in self._scorer.expanded.items():
                functions.setdefault(key, functions.get(source, aggregations.mean))
        return aggregate_values(scored, functions, bootstrap, self._where)


def aggregate_values(
    scored: Iterable[Mapping[str, Any]],
    functions: Mapping[str, Any],
    bootstrap: int,
    where: str,
) -> dict[str, tuple[Any, float | None]]:
    """The values of all documents by `metric,filter`, each through its function; the mean without one."""
    columns: dict[str, list[Any]] = {}
    for values in scored:
        for key, value in values.items():
            columns.setdefault(key, []).append(value)
    result: dict[str, tuple[Any, float | None]] = {}
    for key, column in columns.items():
        name = key.rpartition(",")[0]
        function = functions.get(name, aggregations.mean)
        try:
            value = function(column)
            result[key] = (value, aggregations.stderr(name, function, column, bootstrap))
        except Exception as error:
            raise MetricError(
                f"{where}: metric_list: the aggregation of {key!r} failed ({type(error).__name__}: {error})"
            ) from error
    return result


def read_responses(items: Sequence[Item], responses: Sequence[Any]) -> list[list[Any]]:
    """For each item the list of its repeats, in the form that filters take. Raises MetricError."""
    if len(responses) != len(items):
        raise MetricError(f"{len(items)} requests were asked, {len(responses)} responses came")
    return [
        [_plain(item, one) for one in (response if isinstance(response, list) else [response])]
        for item, response in zip(items, responses, strict=True)
    ]


def _plain(item: Item, response: Any) -> Any:
    if isinstance(response, Loglikelihood):
        response = (response.logprob, response.is_greedy)
    if item.kind == "rolling" and isinstance(response, tuple):
        return response[0]
    return response
