"""Tasks that are Python classes (`class: !function task.Name`), driven through their own methods."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from evalkit.core.errors import DataError, MetricError, TaskError
from evalkit.interop.lm_eval import aggregations
from evalkit.interop.lm_eval.config import FewshotConfig, TaskConfig
from evalkit.interop.lm_eval.dataset import Dataset
from evalkit.interop.lm_eval.definition import Definition
from evalkit.interop.lm_eval.documents import Rows, first_documents, local_seed, real_datasets
from evalkit.interop.lm_eval.fields import FieldRules
from evalkit.interop.lm_eval.requests import DocRequests, Item, ItemKind, Probe, RequestBuilder
from evalkit.interop.lm_eval.sampling import make_sampler
from evalkit.interop.lm_eval.sources import task_rows
from evalkit.interop.lm_eval.task import DEFAULT_SEED, LmEvalTask, aggregate_values, read_responses
from evalkit.interop.lm_eval.turns import ChatOptions

_KINDS: Mapping[str, ItemKind] = {
    "generate_until": "generate",
    "loglikelihood": "loglikelihood",
    "loglikelihood_rolling": "rolling",
}


class _Splits(dict[str, Any]):
    """The splits of a class's data, read when they are asked for."""

    def __init__(self, rows: Rows) -> None:
        super().__init__()
        self._rows = rows

    def __missing__(self, split: str) -> Any:
        data = self._rows(split)
        if not hasattr(data, "features"):
            datasets = real_datasets()
            data = Dataset(list(data)) if datasets is None else datasets.Dataset.from_list(list(data))
        self[split] = data
        return data


class ClassTask(LmEvalTask):
    """A task whose class says how documents are read, asked and scored."""

    def __init__(self, definition: Definition, values: Mapping[str, Any], *, rows: Rows | None) -> None:
        made_by = values["class"]
        name = values.get("task")
        if not isinstance(made_by, type):
            raise TaskError(f"{definition.where('class')}: a class is wanted, not {type(made_by).__name__}")
        if name is None:
            raise TaskError(f"{definition.file}: task: the key is missing")
        self._class = made_by
        self._values = values
        self._given = rows
        self._title = str(name)
        super().__init__(
            TaskConfig(task=str(name), doc_to_text="", doc_to_target=""), definition.file, rows=rows
        )

    @functools.cached_property
    def object(self) -> Any:
        """The instance of the class, its `download` replaced by our data. Raises TaskError."""
        rows = self._given

        def download(made: Any, *_: Any, **__: Any) -> None:
            source = rows
            if source is None:
                config = TaskConfig(dataset_path=made.DATASET_PATH, dataset_name=made.DATASET_NAME)
                source = task_rows(config, self._where)
            if source is None:
                raise TaskError(f"{self._where}: class: there is no data")
            made.dataset = _Splits(source)

        bound = type(self._class.__name__, (self._class,), {"download": download})
        try:
            if "config" in inspect.signature(self._class).parameters:
                made = bound(config=dict(self._values))
            else:
                made = bound()
        except (TaskError, DataError):
            raise
        except Exception as error:
            raise TaskError(f"{self._where}: class: {type(error).__name__}: {error}") from error
        return made

    def _read(self, method: str) -> list[Any]:
        try:
            with local_seed(f"{DEFAULT_SEED}:{self._title}:{method}"):
                return list(getattr(self.object, method)())
        except (TaskError, DataError):
            raise
        except Exception as error:
            raise DataError(f"{self._where}: class: {method}: {type(error).__name__}: {error}") from error

    @functools.cached_property
    def _evaluated(self) -> list[Any]:
        made = self.object
        method = "test_docs" if made.has_test_docs() else "validation_docs"
        docs = self._read(method)
        if not docs:
            raise DataError(f"{self._where}: class: {method} gives no documents")
        return docs

    @functools.cached_property
    def _pool(self) -> list[Any]:
        return self._read("fewshot_docs")

    @property
    def headline(self) -> str:
        """The first metric that the class aggregates."""
        return self.metric_names[0]

    @property
    def metric_names(self) -> tuple[str, ...]:
        """All that the class aggregates."""
        return tuple(f"{name},none" for name in self.object.aggregation())

    def higher_is_better(self, metric: str) -> bool | None:
        """What the class says of the metric."""
        found = self.object.higher_is_better().get(metric.rpartition(",")[0] or metric)
        return None if found is None else bool(found)

    def n_docs(self, limit: float | None = None) -> int:
        """How many documents there are under a limit."""
        return first_documents(self._evaluated, limit)

    def docs(self, limit: float | None = None) -> Iterator[Mapping[str, Any]]:
        """The documents in order."""
        yield from self._evaluated[: self.n_docs(limit)]

    def requests(
        self,
        num_fewshot: int | None = None,
        chat: ChatOptions | None = None,
        limit: float | None = None,
        seed: int = DEFAULT_SEED,
        system: str | None = None,
    ) -> Iterator[DocRequests]:
        """The requests of each document, in order."""
        made = self.object
        own = getattr(made.config, "num_fewshot", None)
        n_shots = 0 if own == 0 else (own or 0) if num_fewshot is None else num_fewshot
        sampler = make_sampler(self.config, self._pool, seed, self._where) if n_shots else None
        rules = FieldRules(made.doc_to_text, made.doc_to_target, None, made.doc_to_prefix)
        builder = RequestBuilder(
            # Split names decide on exclusion; a class sets none, and two unset names count as the same.
            TaskConfig(task=self._title, output_type="generate_until", fewshot_config=_CLASS_SHOTS),
            (rules, rules),
            Probe(0, 0),
            sampler,
            n_shots,
            chat,
            system,
            unconditional=False,
            seed=seed,
            where=self._where,
        )
        for asked in builder.build(self._evaluated, self.n_docs(limit)):
            yield self._ask(asked, chat)

    def _ask(self, asked: DocRequests, chat: ChatOptions | None) -> DocRequests:
        context = asked.items[0].context
        try:
            made = self.object.construct_requests(
                copy.deepcopy(asked.doc),
                context,
                metadata=(self._title, asked.doc_id, 1),
                apply_chat_template=chat is not None,
                chat_template=chat.template if chat is not None else None,
            )
        except Exception as error:
            raise TaskError(
                f"{self._where}: class: construct_requests: {type(error).__name__}: {error}"
            ) from error
        items = tuple(_item(one) for one in (made if isinstance(made, list) else [made]))
        return DocRequests(asked.doc_id, asked.doc, asked.target_text, items, asked.target)

    def score(self, asked: DocRequests, responses: Sequence[Any]) -> dict[str, Any]:
        """`metric,none` -> value of one document, as the class judges it."""
        results = [repeats[0] for repeats in read_responses(asked.items, responses)]
        try:
            values = self.object.process_results(copy.deepcopy(asked.doc), results)
        except Exception as error:
            where = f"{self._where}: class: process_results"
            raise MetricError(f"{where}: document {asked.doc_id}: {type(error).__name__}: {error}") from error
        return {f"{name},none": value for name, value in values.items()}

    def aggregate(
        self, scored: Iterable[Mapping[str, Any]], *, bootstrap: int = aggregations.BOOTSTRAP_ITERATIONS
    ) -> dict[str, tuple[Any, float | None]]:
        """`metric,none` -> (value, standard error or None), by the class's aggregations."""
        return aggregate_values(scored, self.object.aggregation(), bootstrap, self._where)


_CLASS_SHOTS = FewshotConfig(fewshot_delimiter="\n\n", target_delimiter=" ")


def _item(made: Any) -> Item:
    arguments = made.arguments if isinstance(made.arguments, tuple) else (made.arguments,)
    kind = _KINDS[made.request_type]
    if kind == "rolling":
        return Item(kind, "", arguments[0])
    if kind == "generate":
        return Item(kind, arguments[0], params=dict(arguments[1]) if len(arguments) > 1 else {})
    return Item(kind, arguments[0], arguments[1])
