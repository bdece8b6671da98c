"""Starting is cheap: nothing heavy is loaded before it is needed, and the public face is what it says."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

import evalkit

HEAVY = {
    "aiohttp",
    "datasets",
    "evaluate",
    "jinja2",
    "litellm",
    "numpy",
    "openai",
    "pandas",
    "pydantic",
    "ray",
    "rich",
    "rouge_score",
    "sacrebleu",
    "scipy",
    "sklearn",
    "sqlalchemy",
    "torch",
    "transformers",
    "yaml",
}


def loaded_by(code: str) -> set[str]:
    """The top-level modules that are loaded after the code, in a process of its own."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    return set(json.loads(output.splitlines()[-1]))


def test_import_loads_nothing_heavy() -> None:
    """`import evalkit` is a matter of milliseconds: every heavy library waits until it is used."""
    assert loaded_by("import evalkit") & HEAVY == set()


@pytest.mark.parametrize(
    "module",
    [
        "core.errors",
        "core.records",
        "core.language",
        "tasks.data",
        "tasks.discovery",
        "tasks.prompts",
        "store.folders",
        "store.cache",
        "running.executors.local",
    ],
)
def test_rooms_load_nothing_heavy_before_they_work(module: str) -> None:
    """The rooms import their heavy libraries inside the functions that need them."""
    assert loaded_by(f"import evalkit.{module}") & HEAVY == set()


def test_metrics_and_statistics_wait_for_their_libraries() -> None:
    """Knowing the metrics loads none of the libraries that count."""
    assert loaded_by("import evalkit.metrics, evalkit.metrics.extractors") & HEAVY == set()


def test_import_is_fast() -> None:
    """`import evalkit` takes less than a tenth of a second beyond the start of Python."""

    def seconds(code: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - started

    rounds = [(seconds("pass"), seconds("import evalkit")) for _ in range(5)]
    empty = statistics.median(first for first, _ in rounds)
    whole = statistics.median(second for _, second in rounds)
    # A busy machine is slow at both: what Python itself needs to start (about 15 ms) is the measure.
    assert whole - empty < max(0.1, 4 * empty)


def test_face_is_what_it_says() -> None:
    """`__all__` is sorted, complete, and each name can be had; an unknown one is an AttributeError."""
    assert evalkit.__all__ == sorted(evalkit.__all__)
    assert dir(evalkit) == sorted(evalkit.__all__)
    for name in evalkit.__all__:
        assert getattr(evalkit, name) is not None
    with pytest.raises(AttributeError, match=r"has no attribute 'runn'"):
        _ = evalkit.runn  # type: ignore[attr-defined]


def test_package_is_typed() -> None:
    """Type checkers of users see the annotations."""
    assert (Path(evalkit.__file__).parent / "py.typed").is_file()


def test_importing_tasks_is_never_needed() -> None:
    """The folder of bundled tasks is no package: a user's own module `tasks` is left alone."""
    assert "tasks" not in loaded_by("import evalkit, evalkit.tasks.task, evalkit.tasks.discovery")
