"""The pages of the metrics: made of the metrics themselves, current, and none is left out."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest
from documents import ROOT

from evalkit.metrics.explained import explanations
from evalkit.metrics.registry import METRICS

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def make_metrics() -> ModuleType:
    """docs/make_metrics.py as a module."""
    spec = importlib.util.spec_from_file_location("make_metrics", DOCS / "make_metrics.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_are_what_the_metrics_compute(make_metrics: ModuleType) -> None:
    """Numbers of examples, defaults and signatures are the program's; every option is explained."""
    for name, text in make_metrics.pages().items():
        kept = (DOCS / "metrics" / name).read_text(encoding="utf-8")
        assert kept == text, f"docs/metrics/{name} is not current; run: python docs/make_metrics.py"


def test_every_metric_has_one_page() -> None:
    """Each name that a task may write is explained once, and linked from the overview."""
    described = [name for text in explanations() for name in text.metrics]
    assert sorted(name for name in described if "@" not in name) == sorted(METRICS)
    assert len(set(described)) == len(described)
    overview = (DOCS / "scores.md").read_text(encoding="utf-8")
    for file in (DOCS / "metrics").glob("*.md"):
        assert f"(metrics/{file.name})" in overview


def test_texts_that_explain_an_example_hold_its_numbers(make_metrics: ModuleType) -> None:
    """The figures that a person worked out beside an example are those that the program finds."""
    pages = make_metrics.pages()
    for name, row in (
        ("f1.md", "| the tower in Paris | Eiffel Tower | 40.0 |"),
        ("calibration.md", "| **over all** |  |  | **40.0** | **0.820** |"),
        ("repeats.md", "| **over all** |  |  | **83.3** | **50.0** | **50.0** |"),
        ("retrieval.md", "| d4, d1, d7 | d1, d2 | 50.0 | 33.3 | 100.0 | 50.0 | 38.7 |"),
        ("error_rates.md", "| **over all** |  | **0.250** |"),
        ("perplexity.md", "| **over all** |  |  | **54.6** |"),
    ):
        assert row in pages[name], name
