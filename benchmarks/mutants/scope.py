"""The files that are mutated, and for each the tests that concern it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

GATE = ("tests/gate", "tests/test_gate.py", "tests/test_gate_forms.py", "tests/test_gate_macro.py")
VERDICTS = ("tests/verdicts", "tests/findings", "tests/test_comparison.py")
JUDGING = ("rules", "obstacles", "early", "judge", "checks", "macro", "planning")
SCORING = ("tests/test_scoring.py", "tests/test_records.py", "tests/test_runner.py")

SCOPE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("evalkit/stats/*.py", ("tests/stats", *VERDICTS[:1], *GATE[:2], *VERDICTS[1:], "tests/arena")),
    (
        "evalkit/comparing/findings/*.py",
        (*VERDICTS, *GATE, "tests/test_leaderboard.py", "tests/test_badcases.py"),
    ),
    (
        "evalkit/comparing/comparison/[bd]*.py",
        ("tests/test_comparison.py", *VERDICTS[:2], "tests/comparison", "tests/cli/test_compare.py"),
    ),
    *((f"evalkit/gate/{name}.py", (*GATE, *VERDICTS)) for name in JUDGING),
    ("evalkit/running/scoring.py", SCORING),
    ("evalkit/tasks/reading.py", (*SCORING, "tests/test_choices.py")),
    ("evalkit/running/columns.py", SCORING),
    (
        "evalkit/core/records/requests.py",
        ("tests/test_records.py", "tests/test_cache.py", "tests/test_prompts.py"),
    ),
    ("evalkit/store/cache/entry.py", ("tests/test_cache.py", "tests/test_cache_tools.py")),
    ("evalkit/store/cache/explanation.py", ("tests/test_cache_tools.py", "tests/test_cache.py")),
    ("evalkit/models/usage.py", ("tests/models/test_usage.py", "tests/models/test_replies.py")),
    (
        "evalkit/running/executors/budget.py",
        ("tests/executors/test_budget.py", "tests/executors/test_local.py"),
    ),
    (
        "evalkit/running/executors/limiter.py",
        ("tests/executors/test_limiter.py", "tests/executors/test_rates.py", "tests/executors/test_local.py"),
    ),
    (
        "evalkit/running/executors/pace.py",
        ("tests/executors/test_limiter.py", "tests/executors/test_rates.py", "tests/executors/test_local.py"),
    ),
    (
        "evalkit/running/executors/b[ra]*.py",
        (
            "tests/executors/test_breaker.py",
            "tests/executors/test_limiter.py",
            "tests/executors/test_local.py",
        ),
    ),
    (
        "evalkit/metrics/extractors/*.py",
        ("tests/extractors", "tests/test_scoring.py", "tests/test_bundled_tasks.py"),
    ),
    ("evalkit/metrics/*.py", ("tests/metrics", "tests/test_hooks.py", "tests/test_scoring.py")),
    ("evalkit/metrics/ifeval/*.py", ("tests/metrics/ifeval",)),
)
"""(files, tests), the first that fits a file. Tests of the same name as the file go first."""

SLOW = ("tests/stats/test_grid.py", "tests/metrics/test_published.py")
"""Tests that go last, and are no answer to a mutant that another test finds."""


def files(root: Path) -> list[str]:
    """Every file that is mutated, relative to the repository or a copy of it."""
    found = {path.relative_to(root).as_posix() for pattern, _ in SCOPE for path in root.glob(pattern)}
    return sorted(path for path in found if not path.endswith("/__init__.py"))


def tests_of(root: Path, path: str) -> list[list[str]]:
    """The test files that concern a file, in groups: its namesakes, those beside them, the others."""
    wanted = next(tests for pattern, tests in SCOPE if Path(path).match(pattern))
    found = [file for test in wanted for file in _files(root, root / test)]
    name = Path(path).stem
    first = [file for file in found if name in Path(file).stem and file not in SLOW]
    near = [file for file in found if file.startswith(wanted[0]) and file not in (*first, *SLOW)]
    last = [file for file in found if file not in (*first, *near)]
    return [list(dict.fromkeys(group)) for group in (first, near, last) if group]


def _files(root: Path, path: Path) -> Iterator[str]:
    for file in [path] if path.is_file() else sorted(path.rglob("test_*.py")):
        yield file.relative_to(root).as_posix()
