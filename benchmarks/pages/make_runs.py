"""Makes run folders of many models and tasks, as big leaderboards have them: one run for each model.

    python benchmarks/pages/make_runs.py FOLDER [--models 1000] [--tasks 50] [--samples 0]

Without samples, the runs hold the numbers of their cells alone, as imported results do.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np
import orjson

from evalkit.core.records import (
    CellResult,
    Counts,
    Latency,
    Message,
    MetricValue,
    ModelFacts,
    ModelInfo,
    Response,
    Run,
    SampleResult,
    TaskInfo,
    Usage,
    digest,
)
from evalkit.stats import mean_interval
from evalkit.store.folders import RunWriter

TAGS = ("reasoning", "knowledge", "reading", "math", "classification", "translation")
ORGANISATIONS = ("Aurora", "Borealis", "Cumulus", "Dunes", "Estuary", "Fjord")


def make_runs(folder: Path, n_models: int, n_tasks: int, n_samples: int, n_scored: int = 200) -> list[Path]:
    """The run folders, one for each model; scores hang on model and task alone."""
    tasks = [_task(index, n_samples or n_scored) for index in range(n_tasks)]
    folders = []
    for index in range(n_models):
        folders.append(folder / f"run-{index:04d}")
        _write(folders[-1], index, tasks, n_samples, n_scored)
    return folders


def _task(index: int, n: int) -> TaskInfo:
    return TaskInfo(
        name=f"task_{index:02d}_{TAGS[index % len(TAGS)]}",
        description=f"The made-up task number {index}.",
        language="zh" if index % 3 == 2 else "en",
        kind="generate",
        tags=(TAGS[index % len(TAGS)],),
        version="1",
        license="CC0-1.0",
        source="Made for the benchmark.",
        digest=digest(index),
        data_revision=digest(["data", index]),
        n_samples=n,
        n_total=n,
        chance=0.25 if index % 2 else 0.0,
        headline="accuracy",
        labels=(),
        prompts={"direct": "{{ question }}"},
    )


def _write(folder: Path, index: int, tasks: list[TaskInfo], n_samples: int, n_scored: int) -> None:
    rng = random.Random(f"model:{index}")
    name = f"{ORGANISATIONS[index % len(ORGANISATIONS)].lower()}/model-{index:04d}"
    skill = 0.3 + 0.6 * rng.random()
    writer = RunWriter(folder)
    cells = []
    for number, task in enumerate(tasks):
        draws = np.random.default_rng([index, number]).random(n_samples or n_scored)
        right = (draws < min(0.98, skill * (0.7 + 0.6 * (number % 7) / 7))).astype(float)
        slug = f"{number:03d}"
        if n_samples:
            sink = writer.cell(slug)
            for place, score in enumerate(right):
                sink.append(place, _result(task, place, float(score), index))
            sink.close()
        cells.append(_cell(name, task, slug, right, rng))
    open_weights = rng.random() < 0.6
    info = ModelInfo(
        name=name,
        asked=name,
        route=name,
        provider=name.partition("/")[0],
        capabilities=("chat", "generate"),
        facts=ModelFacts(
            organisation=ORGANISATIONS[index % len(ORGANISATIONS)],
            weights="open" if open_weights else "proprietary",
            license="Apache-2.0" if open_weights else "proprietary",
            size=rng.choice((1.5, 7.0, 13.0, 32.0, 72.0)) if open_weights else None,
            released=f"202{3 + index % 3}-0{1 + index % 9}-15",
        ),
    )
    writer.write(
        Run(
            id=folder.name,
            name="",
            created=f"2026-01-{1 + index % 28:02d}T00:00:00Z",
            version="0.1.0",
            git=None,
            command=f"evalkit run --models {name}",
            status="complete",
            seed=0,
            limit=None,
            duration_s=60.0,
            tasks={task.name: task for task in tasks},
            models={name: info},
            cells=tuple(cells),
        )
    )


def _result(task: TaskInfo, place: int, score: float, index: int) -> SampleResult:
    return SampleResult(
        sample_id=f"{task.name}-{place:04d}",
        repeat=0,
        request_digest=digest([task.name, place, index]),
        messages=(Message("user", f"Question {place} of {task.name}: which of these is right?"),),
        target=("A",),
        choices=(),
        response=Response(text="The answer is A." if score else "The answer is B.", usage=Usage(40, 6)),
        answer="A" if score else "B",
        rule="letter",
        span=(14, 15),
        scores={"accuracy": score},
        stats={},
    )


def _cell(model: str, task: TaskInfo, slug: str, right: np.ndarray, rng: random.Random) -> CellResult:
    found = mean_interval(right)
    n = len(right)
    bounds = None if found.lo is None or found.hi is None else (found.lo, found.hi)
    latency = 0.2 + rng.random()
    return CellResult(
        model=model,
        task=task.name,
        variant="direct",
        slug=slug,
        mode="generate",
        num_fewshot=0,
        repeats=1,
        params={"temperature": 0},
        prompt_digest=digest([task.name, "direct"]),
        data_digest=digest([task.name, n]),
        counts=Counts(samples=n, scored=n, no_answer=rng.randrange(5), truncated=rng.randrange(3)),
        metrics={
            "accuracy": MetricValue(
                found.value, found.stderr, bounds, "gaffke", n, "accuracy|v:1", True, "fraction"
            )
        },
        usage=Usage(40 * n, 6 * n),
        cost_usd=n * 0.0001 * rng.random(),
        cost_cached_usd=None,
        latency=Latency(mean=latency, p50=latency * 0.8, p95=latency * 2.5),
    )


def main() -> None:
    """Make the folders and say where they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--tasks", type=int, default=50)
    parser.add_argument("--samples", type=int, default=0, help="results in each cell; 0 for numbers alone")
    options = parser.parse_args()
    folders = make_runs(options.folder, options.models, options.tasks, options.samples)
    print(orjson.dumps({"folder": str(options.folder), "runs": len(folders)}).decode())


if __name__ == "__main__":
    main()
