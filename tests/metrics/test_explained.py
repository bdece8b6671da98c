"""Every metric is explained: as pages of the documentation and in the terminal."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from evalkit.cli import cli
from evalkit.core.errors import MetricError
from evalkit.metrics.explained import explain, explanations, options
from evalkit.metrics.registry import METRICS

RUNNER = CliRunner()


@pytest.mark.parametrize("name", [*METRICS, "pass@5", "maj@k", "recall@10", "ndcg@k", "rouge3"])
def test_every_metric_is_explained_in_the_terminal(name: str) -> None:
    """`evalkit metrics NAME` prints formula, source, pitfalls and each option with a meaning."""
    shown = RUNNER.invoke(cli, ["metrics", name], catch_exceptions=False).output
    page, metric = explain(name)
    assert metric is not None
    assert shown.startswith(f"{name} · {page.title}")
    assert metric.signature in shown
    assert page.formula.strip().splitlines()[-1].strip() in shown
    assert all(f"  {option} " in shown for option in options(metric))
    assert "](" not in shown
    assert "**" not in shown


@pytest.mark.parametrize("name", ["judge", "evaluate/meteor", "contrast", "weight"])
def test_kinds_of_metrics_are_explained_without_one(name: str) -> None:
    """A judge and a metric of a hub have no signature before they are configured."""
    page, metric = explain(name)
    assert metric is None
    assert page.title in RUNNER.invoke(cli, ["metrics", name], catch_exceptions=False).output


def test_list_names_every_metric() -> None:
    """Without a name all metrics are listed, with @k for any number."""
    shown = RUNNER.invoke(cli, ["metrics"], catch_exceptions=False).output
    assert all(name in shown for name in (*METRICS, "pass@k", "ndcg@k", "judge", "contrast", "evaluate/NAME"))


def test_unknown_metric_names_the_nearest() -> None:
    """A slip is an error that says what was meant."""
    with pytest.raises(MetricError, match=r"no metric 'macrof1'\. Did you mean 'macro_f1'"):
        explain("macrof1")


def test_each_metric_stands_on_one_page() -> None:
    """No metric is explained twice, and none that is not there."""
    names = [name for page in explanations() for name in page.metrics]
    assert len(names) == len(set(names))
    assert {name for name in names if "@" not in name} == set(METRICS)
