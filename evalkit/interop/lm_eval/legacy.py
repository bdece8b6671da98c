"""The classes that Python-defined tasks (`class:`) build on, for the stand-in `lm_eval` package."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from evalkit.core.errors import TaskError
from evalkit.interop.lm_eval.config import OUTPUT_TYPES, TASK_KEYS, default_generation


@dataclass
class Instance:
    """One request, as Python-defined tasks make it."""

    request_type: str
    doc: Any
    arguments: Any
    idx: int
    metadata: Any = (None, None, None)
    resps: list[Any] = field(default_factory=list)
    filtered_resps: dict[str, Any] = field(default_factory=dict)
    task_name: str | None = None
    doc_id: int | None = None
    repeats: int | None = None

    @property
    def args(self) -> tuple[Any, ...]:
        """The arguments as a tuple."""
        return self.arguments if isinstance(self.arguments, tuple) else (self.arguments,)


class ContextSampler:
    """The base of samplers of a task's own Python."""

    def __init__(self, df: Sequence[Any] | None = None, *, rnd: Any = None, **_: Any) -> None:
        self.df = df or []
        self.rnd = random.Random(rnd)

    def set_rnd(self, rnd: Any) -> ContextSampler:
        """The sampler at the start of a stream."""
        self.rnd = random.Random(rnd)
        return self

    def fewshot_docs(self) -> list[Any]:
        """The pool."""
        return list(self.df)

    @staticmethod
    def rm_eval_doc(doc: Any, _iter: Any, n: int | None = None) -> list[Any]:
        """The documents that are not the evaluated one."""
        return [item for item in _iter if item != doc][:n]

    def sample(self, n: int, eval_doc: Any = None, df: Any = None, **_: Any) -> list[Any]:
        """`n` documents of the pool, without the evaluated one."""
        if not eval_doc:
            return self.rnd.sample(self.fewshot_docs(), n)
        return self.rm_eval_doc(eval_doc, self.rnd.sample(self.fewshot_docs(), n + 1), n)


class NotServed:
    """Something of lm_eval or datasets that cannot run here; it says so when it is used."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise TaskError(
            "the task's Python asks for a part of lm_eval or datasets that is not there; "
            "pip install lm_eval datasets"
        )


class Group:
    """A group made by a task's Python: kept, not run."""

    def __init__(self, config: Any = None, **_: Any) -> None:
        self.config = config


class Task:
    """The base of Python-defined tasks: a subclass says how its documents are read, asked and scored."""

    VERSION: Any = None
    DATASET_PATH: str | None = None
    DATASET_NAME: str | None = None
    OUTPUT_TYPE: str | None = None
    CONFIG: Mapping[str, Any] | None = None

    def __init__(
        self,
        data_dir: str | None = None,
        cache_dir: str | None = None,
        download_mode: Any = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        values = {**(self.CONFIG or {}), **(config or {})}
        defaults = {
            "target_delimiter": " ",
            "fewshot_delimiter": "\n\n",
            "description": "",
            "repeats": 1,
            "output_type": "generate_until",
        }
        self._config = SimpleNamespace(**{**dict.fromkeys(TASK_KEYS), **defaults, **values})
        if self._config.output_type not in OUTPUT_TYPES:
            raise TaskError(f"output_type: {self._config.output_type!r} is none of {', '.join(OUTPUT_TYPES)}")
        if self._config.output_type == "generate_until" and self._config.generation_kwargs is None:
            self._config.generation_kwargs = default_generation(self._config.fewshot_delimiter)
        self.OUTPUT_TYPE = self.OUTPUT_TYPE or self._config.output_type
        self.DATASET_PATH = self._config.dataset_path or self.DATASET_PATH
        self.DATASET_NAME = self._config.dataset_name or self.DATASET_NAME
        self.dataset: Any = None
        self.download(self._config.dataset_kwargs)

    @property
    def config(self) -> Any:
        """The keys of the task."""
        return self._config

    def download(self, dataset_kwargs: Any = None, **_: Any) -> None:
        """Reads the data; evalkit puts its own in the place of this."""
        raise TaskError(f"the data {self.DATASET_PATH!r} is not at hand; give local files with --data")

    def has_training_docs(self) -> bool:
        """Whether there is a training split."""
        return self._config.training_split is not None

    def has_validation_docs(self) -> bool:
        """Whether there is a validation split."""
        return self._config.validation_split is not None

    def has_test_docs(self) -> bool:
        """Whether there is a test split."""
        return self._config.test_split is not None

    def training_docs(self) -> Any:
        """The training documents."""
        return self.dataset[self._config.training_split]

    def validation_docs(self) -> Any:
        """The validation documents."""
        return self.dataset[self._config.validation_split]

    def test_docs(self) -> Any:
        """The test documents."""
        return self.dataset[self._config.test_split]

    def fewshot_docs(self) -> Any:
        """The pool of worked examples: training, else validation, else test."""
        if self.has_training_docs():
            return self.training_docs()
        return self.validation_docs() if self.has_validation_docs() else self.test_docs()

    def doc_to_text(self, doc: Any) -> Any:
        """The question."""
        raise NotImplementedError

    def doc_to_target(self, doc: Any) -> Any:
        """The answer."""
        raise NotImplementedError

    def doc_to_choice(self, doc: Any) -> Any:
        """The choices; none here."""
        return None

    def doc_to_prefix(self, doc: Any) -> Any:
        """The start of the answer; none here."""
        return None

    def construct_requests(self, doc: Any, ctx: Any, **kwargs: Any) -> Any:
        """The requests of a document, by the output type."""
        kwargs.pop("apply_chat_template", None)
        kwargs.pop("chat_template", None)
        kind = self.OUTPUT_TYPE or "generate_until"
        if kind == "multiple_choice":
            raise TaskError("a multiple_choice class without construct_requests of its own is not served")
        if kind == "generate_until":
            arguments: tuple[Any, ...] = (ctx, dict(self._config.generation_kwargs))
        else:
            target = self.doc_to_target(doc)
            arguments = (ctx, target) if kind == "loglikelihood" else (target,)
        return Instance(kind, doc, arguments, 0, **kwargs)

    def process_results(self, doc: Any, results: Any) -> Mapping[str, Any]:
        """The metric values of a document."""
        raise NotImplementedError

    def aggregation(self) -> Mapping[str, Callable[..., Any]]:
        """Metric -> aggregation."""
        return {}

    def higher_is_better(self) -> Mapping[str, bool]:
        """Metric -> whether more is better."""
        return dict.fromkeys(self.aggregation(), True)
