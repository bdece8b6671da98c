"""evalkit evaluates language models: the same prompts to every model, honest scores, verdicts.

import evalkit
run = evalkit.run(models=["baseline/ngram"], tasks=["sentiment_en"])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_PLACES = {
    "EvalkitError": "evalkit.core.errors",
    "__version__": "evalkit.core.version",
    "MockModel": "evalkit.models.mock",
    "ProgressBar": "evalkit.pages.terminal.progress",
    "check_gate": "evalkit.gate",
    "compare": "evalkit.comparing.comparison",
    "extractor": "evalkit.tasks.hooks",
    "find_run": "evalkit.store.folders",
    "load_run": "evalkit.store.folders",
    "metric": "evalkit.tasks.hooks",
    "run": "evalkit.api",
    "run_async": "evalkit.api",
    "tool": "evalkit.tasks.hooks",
}

if TYPE_CHECKING:  # the names for type checkers; at run time they load when first used
    from evalkit.api import run, run_async
    from evalkit.comparing.comparison import compare
    from evalkit.core.errors import EvalkitError
    from evalkit.core.version import __version__
    from evalkit.gate import check_gate
    from evalkit.models.mock import MockModel
    from evalkit.pages.terminal.progress import ProgressBar
    from evalkit.store.folders import find_run, load_run
    from evalkit.tasks.hooks import extractor, metric, tool

__all__ = [
    "EvalkitError",
    "MockModel",
    "ProgressBar",
    "__version__",
    "check_gate",
    "compare",
    "extractor",
    "find_run",
    "load_run",
    "metric",
    "run",
    "run_async",
    "tool",
]


def __getattr__(name: str) -> Any:
    """The public name, its module loaded when it is first asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module 'evalkit' has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return list(__all__)
