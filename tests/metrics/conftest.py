"""Fixtures of the metric tests: cases made in one line, and the folder of real benchmark data."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from evalkit.core.records import Loglikelihood, Response
from evalkit.metrics import Case, Metric, build_metrics

# Machines that test are busy; how long an example takes is no property of ours.

REPOSITORY = Path(__file__).resolve().parents[2]


def make_case(answer: str | None, *target: str, **more: Any) -> Case:
    """A case with this answer and these targets."""
    return Case(answer=answer, response=Response(text=answer), target=target, **more)


def make_choice(gold: int, logprobs: Sequence[float], choices: Sequence[str]) -> Case:
    """A choice case whose option of the largest loglikelihood was chosen."""
    return Case(
        answer=None,
        response=Response(loglikelihoods=tuple(Loglikelihood(x) for x in logprobs)),
        choices=tuple(choices),
        gold=(gold,),
        chosen=max(range(len(logprobs)), key=logprobs.__getitem__),
    )


def make_metric(spec: Any, language: str = "en", **more: Any) -> Metric:
    """The one metric that the spec names."""
    (metric,) = build_metrics([spec], language=language, **more)
    return metric


@pytest.fixture
def case() -> Callable[..., Case]:
    return make_case


@pytest.fixture
def choice() -> Callable[..., Case]:
    return make_choice


@pytest.fixture
def metric() -> Callable[..., Metric]:
    return make_metric


@pytest.fixture
def value(metric: Callable[..., Metric], case: Callable[..., Case]) -> Callable[..., float]:
    """The score of one answer against its targets: value("f1", "zh", "北京市", "北京")."""

    def score(spec: Any, language: str, answer: str | None, *target: str) -> float:
        result = metric(spec, language).score(case(answer, *target))
        if result is None:
            raise ValueError(f"{spec} gave no score")
        return result

    return score


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real benchmark data; skips the test where it is absent."""
    folder = Path(os.environ.get("EVALKIT_REALDATA") or REPOSITORY.parent / "shared" / "data")
    if not (folder / "MANIFEST.md").is_file():
        pytest.skip("no folder of real benchmark data; set EVALKIT_REALDATA")
    return folder
