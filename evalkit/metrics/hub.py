"""Metrics of Hugging Face's `evaluate`, by name or local path; and ours, for code that expects such metrics.

`evaluate/<name>` is loaded by evaluate.load, which downloads a script and runs it: the task must be the
user's own or be named with --trust, and the network must be there. A path to a folder or script works
offline; it must lie in the workspace, or needs --trust. Each sample is computed by itself and the samples are
averaged; for metrics of the corpus (BLEU, F1 over classes) use evalkit's own.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.core.errors import MetricError
from evalkit.core.project import find_project
from evalkit.core.records import Response
from evalkit.metrics.aggregation import summarise
from evalkit.metrics.base import RANGES, Case, Context, Metric, check_choice, check_target, sign


class HubMetric(Metric):
    """The mean over samples of one value of a metric of `evaluate`."""

    runs_code = True

    def __init__(
        self,
        context: Context,
        *,
        path: str,
        name: str = "",
        key: str | None = None,
        config: str | None = None,
        revision: str | None = None,
        references: str = "auto",
        higher_is_better: bool = True,
        scale: str = "unbounded",
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name or f"evaluate/{path}"
        self.key = key
        self.arguments = dict(arguments or {})
        self.higher_is_better = higher_is_better
        self.scale = check_choice(self.name, "scale", scale, tuple(RANGES))  # type: ignore[assignment]
        self.bounds = RANGES[scale]
        _check_trust(path, context)
        self.module = _load(path, config, revision)
        self.several = check_choice(self.name, "references", references, ("auto", "first", "all")) == "all"
        if references == "auto":
            self.several = _takes_several(self.module)
        version = _version()
        self.signature = sign(
            f"evaluate/{path}",
            config=config,
            revision=revision,
            key=key,
            per="sample",
            arguments=",".join(f"{k}={v}" for k, v in sorted(self.arguments.items())) or None,
            version=version,
        )

    def score(self, case: Case) -> float | None:
        """The value of this sample; an answer that is missing is an empty text."""
        targets = check_target(self.name, case)
        reference: Any = list(targets) if self.several else targets[0]
        try:
            found = self.module.compute(
                predictions=[case.answer or ""], references=[reference], **self.arguments
            )
        except Exception as error:  # a metric from outside may raise anything
            raise MetricError(f"metric {self.name!r} failed on an answer: {error}") from error
        return self._pick(found)

    def _pick(self, found: Any) -> float | None:
        numbers = {k: v for k, v in dict(found or {}).items() if isinstance(v, int | float) or _is_single(v)}
        key = self.key or next(iter(numbers), None)
        if key is None or key not in numbers:
            raise MetricError(
                f"metric {self.name!r} gives no number {key or ''!r}; set `key` to one of: "
                f"{', '.join(numbers) or 'none of its results is a number'}"
            )
        value = numbers[key]
        number = float(value[0]) if isinstance(value, list | tuple) else float(value)
        return None if math.isnan(number) else number


def _is_single(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 1 and isinstance(value[0], int | float)


def _check_trust(path: str, context: Context) -> None:
    """Nothing, where the script may run: the user says so, asks for it in Python, or wrote it himself.

    A task outside of the workspace's tasks and the bundled ones may load no script at all; the user's own may
    load those of the hub and those of the workspace. Raises MetricError.
    """
    if context.trust or context.folder is None:
        return
    root = find_project()[0]
    package = Path(__file__).parents[1]
    own = [root / "tasks", package / "_tasks", package.parent / "tasks"]
    if not _is_inside(context.folder, own):
        raise MetricError(
            f"metric 'evaluate/{path}' runs a Python script, and the task that asks for it "
            f"({context.folder}) is not one of the workspace's; read both, then allow it with --trust"
        )
    local = Path(path).expanduser()
    if local.exists() and not _is_inside(local, [root, *own]):
        raise MetricError(
            f"metric 'evaluate/{path}' is a Python script from outside the workspace {root}; read it, then "
            "allow it with --trust, or copy it into the workspace"
        )


def _is_inside(path: Path, folders: Sequence[Path]) -> bool:
    return any(path.resolve().is_relative_to(folder.resolve()) for folder in folders)


def _load(path: str, config: str | None, revision: str | None) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import evaluate

            return evaluate.load(path, config, **({"revision": revision} if revision else {}))
    except ImportError as error:
        raise MetricError(
            f"metric 'evaluate/{path}' needs a package that is not installed: {error}; install what it names"
        ) from error
    except Exception as error:  # a script from outside may raise anything
        raise MetricError(
            f"metric 'evaluate/{path}' cannot be loaded: {error}. evaluate downloads a metric's script "
            "from the Hugging Face hub on first use; without network, copy the metric's folder and name its "
            "path: evaluate/./metrics/<name>"
        ) from error


def _version() -> str:
    import evaluate

    return str(evaluate.__version__)


def _takes_several(module: Any) -> bool:
    """Whether the metric declares a list of references per prediction."""
    features = module.features
    features = features if isinstance(features, list) else [features]
    kinds = [type(f.get("references")).__name__ for f in features if isinstance(f, Mapping)]
    return bool(kinds) and all(kind in ("Sequence", "List", "list", "LargeList") for kind in kinds)


class HubAdapter:
    """One of our metrics with the face of a metric of `evaluate`: compute(predictions=, references=)."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.name = metric.name
        self._predictions: list[str | None] = []
        self._references: list[str | Sequence[str]] = []

    def add(self, *, prediction: str | None, reference: str | Sequence[str]) -> None:
        """Keeps one pair for `compute`."""
        self._predictions.append(prediction)
        self._references.append(reference)

    def add_batch(
        self, *, predictions: Sequence[str | None], references: Sequence[str | Sequence[str]]
    ) -> None:
        """Keeps pairs for `compute`."""
        for prediction, reference in zip(predictions, references, strict=True):
            self.add(prediction=prediction, reference=reference)

    def compute(
        self,
        *,
        predictions: Sequence[str | None] | None = None,
        references: Sequence[str | Sequence[str]] | None = None,
    ) -> dict[str, float | None]:
        """{name: value} over the pairs given now and kept before."""
        if predictions is not None and references is not None:
            self.add_batch(predictions=predictions, references=references)
        cases = [
            Case(p, Response(text=p), target=(r,) if isinstance(r, str) else tuple(r))
            for p, r in zip(self._predictions, self._references, strict=True)
        ]
        self._predictions, self._references = [], []
        found = summarise(
            self.metric,
            [self.metric.score(case) for case in cases],
            [self.metric.stats(case) for case in cases],
            sample_ids=[str(i) for i in range(len(cases))],
        )
        return {self.name: found.value}
