"""Metrics from outside, what an answer took, folding of scripts, and the guard."""

from __future__ import annotations

import shutil
import sys
import types
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from factories import entry, write_task

from evalkit.core.errors import MetricError
from evalkit.core.records import Response, Usage
from evalkit.metrics import Case, Metric, build_metrics, language_warning, summarise
from evalkit.metrics.folding import converter
from evalkit.metrics.hub import HubAdapter
from evalkit.workshop.checking import CheckOptions, check_tasks

SCRIPT = """
import datasets
import evaluate


class Shouting(evaluate.Metric):
    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("string"), "references": %s})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

    def best(self, p, ts):
        return max(len(set(p) & set(t)) / max(len(set(p)), 1) for t in ts)

    def _compute(self, predictions, references, exponent=1):
        wanted = [r if isinstance(r, list) else [r] for r in references]
        shares = [self.best(p, ts) for p, ts in zip(predictions, wanted)]
        return {"note": "text", "shouting": sum(shares) / len(shares) ** exponent, "other": [0.25]}
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Writes a metric of evaluate and gives its path; nothing is loaded from the network."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))

    def write(references: str) -> str:
        folder = tmp_path / "shouting"
        folder.mkdir(exist_ok=True)
        (folder / "shouting.py").write_text(SCRIPT % references)
        return str(folder)

    return write


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("references", "expected"),
    [('datasets.Value("string")', 0.5), ('datasets.Sequence(datasets.Value("string"))', 1.0)],
)
def test_a_metric_of_evaluate(references: str, expected: float, script: Callable[[str], str]) -> None:
    """A local metric of evaluate is run on each sample, with one or all references as it declares."""
    (metric,) = build_metrics(
        [{"name": f"evaluate/{script(references)}", "as": "shouting", "scale": "fraction"}], language="en"
    )
    assert metric.runs_code
    assert metric.score(Case("ab", Response(), target=("a", "ab"))) == expected
    assert metric.score(Case(None, Response(), target=("a",))) == 0.0
    (other,) = build_metrics([{"name": f"evaluate/{script(references)}", "key": "other"}], language="en")
    assert other.score(Case("ab", Response(), target=("a",))) == 0.25
    assert "key:other|per:sample" in other.signature
    (wrong,) = build_metrics([{"name": f"evaluate/{script(references)}", "key": "note"}], language="en")
    with pytest.raises(MetricError, match="set `key` to one of: shouting, other"):
        wrong.score(Case("ab", Response(), target=("a",)))


@pytest.mark.filterwarnings("ignore")
def test_a_metric_that_cannot_be_loaded(tmp_path: Path) -> None:
    """What is not there says how to have it without network."""
    with pytest.raises(MetricError, match="without network, copy the metric's folder and name its path"):
        build_metrics([f"evaluate/{tmp_path}/nothing"], language="en")


def test_our_metrics_for_code_that_expects_evaluates(metric: Callable[..., Metric]) -> None:
    """compute, add and add_batch work as evaluate's do, for mean and corpus metrics."""
    adapter = HubAdapter(metric("exact_match"))
    assert adapter.compute(predictions=["a cat", "b"], references=[["cat", "x"], "c"]) == {"exact_match": 0.5}
    adapter.add(prediction="x", reference="x")
    adapter.add_batch(predictions=["y"], references=["y"])
    assert adapter.compute() == {"exact_match": 1.0}
    assert HubAdapter(metric("bleu")).compute(
        predictions=["the cat sat on the mat"], references=["the cat sat on the mat"]
    )["bleu"] == pytest.approx(100.0)


def test_a_metric_of_an_installed_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package brings a metric by its entry point: a function of a case, or a factory."""
    module = types.ModuleType("their_metrics")
    module.polite = lambda case: float("please" in (case.answer or ""))  # type: ignore[attr-defined]
    module.number = 3  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "their_metrics", module)
    group = "evalkit.metrics"
    table = {
        name: EntryPoint(name, f"their_metrics:{name}", group) for name in ("polite", "number", "missing")
    }
    monkeypatch.setattr(
        "importlib.metadata.entry_points", lambda group, name: [table[name]] if name in table else []
    )
    (metric,) = build_metrics([{"name": "polite", "higher_is_better": False}], language="en")
    assert metric.score(Case("please", Response())) == 1.0
    assert not metric.higher_is_better
    with pytest.raises(MetricError, match="neither a metric nor a function"):
        build_metrics(["number"], language="en")
    with pytest.raises(MetricError, match="cannot be loaded"):
        build_metrics(["missing"], language="en")


def test_a_function_of_the_task() -> None:
    """A function of a case in `extra` is a metric."""

    def brevity(case: Case) -> float:
        return 1.0 / len(case.answer or "x")

    (metric,) = build_metrics(["brevity"], language="en", extra={"brevity": brevity})
    assert metric.score(Case("abcd", Response())) == 0.25
    with pytest.raises(MetricError, match="made a str, not a Metric"):
        build_metrics(["odd"], language="en", extra={"odd": lambda context, name: "odd"})


def test_consumption() -> None:
    """Seconds, tokens and dollars are averaged; what nobody counted is unknown, the cache is not timed."""
    metrics = build_metrics(["latency", "input_tokens", "output_tokens", "cost"], language="en")
    full = Case("x", Response(latency_s=2.0, cost_usd=0.01, usage=Usage(input=10, output=3)))
    assert [m.score(full) for m in metrics] == [2.0, 10.0, 3.0, 0.01]
    assert [m.score(Case("x", Response())) for m in metrics] == [None] * 4
    cached = Case("x", Response(latency_s=2.0, cost_usd=0.01, from_cache=True))
    assert [m.score(cached) for m in metrics] == [None, None, None, 0.01]
    found = summarise(metrics[0], [2.0, None, 4.0], [()] * 3, sample_ids=["a", "b", "c"])
    assert (found.value, found.n, found.interval_method, found.higher_is_better) == (3.0, 2, "t", False)


@pytest.fixture
def opencc(monkeypatch: pytest.MonkeyPatch) -> None:
    """A converter that knows three characters."""

    class OpenCC:
        def __init__(self, script: str) -> None:
            self.table = (
                str.maketrans("紅樓夢", "红楼梦") if script == "t2s" else str.maketrans("红楼梦", "紅樓夢")
            )

        def convert(self, text: str) -> str:
            return text.translate(self.table)

    module: Any = types.ModuleType("opencc")
    module.OpenCC = OpenCC
    module.__spec__ = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "opencc", module)
    converter.cache_clear()


@pytest.mark.usefixtures("opencc")
def test_traditional_and_simplified_on_request() -> None:
    """With script: t2s the last row of 5.3 is right, the signature says so, and nothing else changes."""
    for spec in ("exact_match", "f1", "bleu", "chrf", "rougeL"):
        plain, folded = (
            build_metrics([s], language="zh")[0] for s in (spec, {"name": spec, "script": "t2s"})
        )
        case = Case("「紅樓夢」紅樓夢", Response(), target=("红楼梦红楼梦",))
        assert (plain.score(case) or 0.0) < (folded.score(case) or 0.0)
        assert folded.signature == f"{plain.signature}|script:t2s-opencc"
        assert (folded.name, folded.aggregation, folded.bounds) == (
            plain.name,
            plain.aggregation,
            plain.bounds,
        )
    found = summarise(folded, [1.0], [()], sample_ids=["a"])
    assert found.signature.endswith("|script:t2s-opencc")
    converter.cache_clear()


def test_folding_needs_a_converter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a converter the error names what to install; a wrong direction is refused."""
    converter.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MetricError, match="pip install opencc-python-reimplemented"):
        build_metrics([{"name": "f1", "script": "t2s"}], language="zh")
    with pytest.raises(MetricError, match="script must be one of t2s, s2t"):
        build_metrics([{"name": "f1", "script": "simplified"}], language="zh")
    converter.cache_clear()


@pytest.mark.parametrize(
    "name", ["rouge1", "bleu", "chrf++", "f1", "exact_match", "sentence_bleu", "ter", "wer"]
)
def test_the_guard(name: str, metric: Callable[..., Metric]) -> None:
    """A metric for spaced languages that meets more than 20 % of other script says so, and only then."""
    english = metric(name, "en")
    assert language_warning(english, ["The capital is Beijing", "北京"]) is None
    assert language_warning(english, []) is None
    warning = language_warning(english, ["北京是首都", "abc"])
    assert warning is not None
    assert "looks Chinese" in warning
    assert "`language: zh`" in warning
    assert "language: th" in (language_warning(english, ["ภาษาไทย"]) or "")
    if name not in ("chrf++", "wer"):
        assert language_warning(metric(name, "zh"), ["北京是首都"]) is None


def test_character_metrics_need_no_guard(metric: Callable[..., Metric]) -> None:
    """chrF, CER and the perplexities know no words."""
    for name in ("chrf", "cer", "accuracy"):
        assert language_warning(metric(name, "en"), ["北京是首都"]) is None


@pytest.mark.filterwarnings("ignore")
def test_a_script_from_outside_the_workspace_needs_trust(
    script: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A metric's script is Python: a foreign task loads none, the user's own those of the workspace."""
    path = script('datasets.Value("string")')
    home = tmp_path / "home"
    (home / "tasks" / "mine").mkdir(parents=True)
    (home / "evalkit.yaml").write_text("")
    monkeypatch.chdir(home)
    own, foreign = home / "tasks" / "mine", tmp_path / "downloads" / "theirs"
    marker = tmp_path / "ran"
    (Path(path) / "shouting.py").write_text(
        f"open({str(marker)!r}, 'w').close()\n" + SCRIPT % 'datasets.Value("string")'
    )
    spec = [{"name": f"evaluate/{path}", "as": "shouting"}]
    for folder, cause in ((own, "from outside the workspace"), (foreign, "not one of the workspace's")):
        with pytest.raises(MetricError, match=rf"{cause}.*--trust"):
            build_metrics(spec, language="en", folder=folder)
    assert not marker.exists()
    assert build_metrics(spec, language="en", folder=foreign, trust=True)[0].name == "shouting"
    shutil.copytree(path, home / "metrics" / "shouting")
    inside = [{"name": "evaluate/./metrics/shouting", "as": "shouting"}]
    assert build_metrics(inside, language="en", folder=own)[0].name == "shouting"
    with pytest.raises(MetricError, match="--trust"):
        build_metrics(inside, language="en", folder=foreign)
    with pytest.raises(MetricError, match="--trust"):
        build_metrics(["evaluate/accuracy"], language="en", folder=foreign)


def test_checking_a_foreign_task_runs_no_script(tmp_path: Path) -> None:
    """`evalkit tasks check` builds every metric, and still runs nothing of a task that is not trusted."""
    marker = tmp_path / "ran"
    script = tmp_path / "theirs" / "m" / "m.py"
    script.parent.mkdir(parents=True)
    script.write_text(f"open({str(marker)!r}, 'w').close()\n")
    file = write_task(tmp_path / "theirs", metrics=[f"evaluate/{script.parent}"])
    (report,) = check_tasks([entry(file, "included")], CheckOptions())
    assert not marker.exists()
    assert any("--trust" in finding.message for finding in report.findings)
