"""Filters, metrics, aggregations and groups: reference values of lm_eval 0.4.13, and the edges."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.core.errors import ExtractorError, MetricError, TaskError
from evalkit.core.records import Loglikelihood
from evalkit.interop.lm_eval import LmEvalTask, TaskIndex, build_index, load_group, load_task, sampling_params
from evalkit.interop.lm_eval.aggregations import AGGREGATIONS, stderr
from evalkit.interop.lm_eval.filters import FILTERS, build_pipelines
from evalkit.interop.lm_eval.groups import AggregateMetric, Group
from evalkit.interop.lm_eval.metrics import exact_match

_spec = importlib.util.spec_from_file_location("lm_eval_test_cases", Path(__file__).parent / "rows.py")
assert _spec is not None
assert _spec.loader is not None
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)


@pytest.mark.parametrize("number", range(len(cases.FILTER_CASES)))
def test_filters_equal_those_of_lm_eval(number: int, golden: dict[str, Any]) -> None:
    """Each built-in filter makes the same of the same texts."""
    name, options, responses = cases.FILTER_CASES[number]
    made = FILTERS[name](**options)
    assert list(made.apply(responses, [cases._DOC] * len(responses))) == golden["filters"][number]


@pytest.mark.parametrize("number", range(len(cases.MATCH_CASES)))
def test_exact_match_equals_that_of_lm_eval(number: int, golden: dict[str, Any]) -> None:
    """The options of exact_match work in the same order on the same characters."""
    prediction, reference, options = cases.MATCH_CASES[number]
    value = exact_match(predictions=[prediction], references=[reference], **options)
    assert value == {"exact_match": golden["matches"][number]}


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (("mean", "median", "nanmean", "perplexity"), cases.LIKELIHOODS),
        (("f1", "matthews_corrcoef"), cases.PAIRS),
        (("bleu", "chrf", "chrf++", "ter"), cases.TRANSLATIONS),
        (("weighted_perplexity", "bits_per_byte"), [(-3.0, 4), (-1.0, 7)]),
    ],
)
def test_aggregations_equal_those_of_lm_eval(
    names: tuple[str, ...], values: Any, golden: dict[str, Any]
) -> None:
    """Values and standard errors, bootstrapped ones draw for draw."""
    for name in names:
        value, error = golden["aggregations"][name]
        assert AGGREGATIONS[name](values) == pytest.approx(value, rel=1e-12), name
        ours = stderr(name, AGGREGATIONS[name], values, 1000)
        assert ours == (None if error is None else pytest.approx(error, rel=1e-9)), name


def test_acc_norm_counts_characters_and_ties_go_to_the_first(load: Callable[..., LmEvalTask]) -> None:
    """acc_norm divides by characters, acc_bytes by UTF-8 bytes; of equal likelihoods the first wins."""
    data = [{"question": "q", "options": ["éé", "abc"], "answer": 0, "right": [0], "topic": "t"}]
    task = load("choice_columns", rows=lambda split: data)
    asked = next(iter(task.requests(0)))
    conditional = [(-4.0, False), (-6.0, True)]
    scores = task.score(asked, [*conditional, (-1.0, False), (-1.0, False)])
    assert scores["acc,none"] == 1.0
    assert scores["acc_norm,none"] == 1.0
    assert scores["acc_bytes,none"] == 1.0
    assert scores["exact_match,none"] == 0
    assert (
        task.score(asked, [(-6.0, True), (-8.9, False), (-1.0, True), (-1.0, True)])["acc_norm,none"] == 0.0
    )
    records = [Loglikelihood(-5.0), Loglikelihood(-5.0), Loglikelihood(-9.0), Loglikelihood(-9.0)]
    with pytest.raises(MetricError, match="most probable"):
        task.score(asked, records)


def test_label_that_is_no_choice_is_wrong(load: Callable[..., LmEvalTask]) -> None:
    """A gold position beyond the choices scores 0, it does not fail."""
    data = [{"question": "q", "options": ["a", "b"], "answer": 7, "right": [7], "topic": "t"}]
    task = load("choice_prefix", rows=lambda split: data)
    asked = next(iter(task.requests(0)))
    assert task.score(asked, [(-1.0, True), (-2.0, False)])["acc,none"] == 0.0


def test_wrong_number_of_responses_is_an_error(load: Callable[..., LmEvalTask]) -> None:
    """A response that is missing is not taken for a wrong answer."""
    task = load("choice_columns")
    asked = next(iter(task.requests(0)))
    with pytest.raises(MetricError, match="8 requests were asked, 1 responses came"):
        task.score(asked, [(-1.0, True)])


def test_too_few_repeats_for_take_first_k(load: Callable[..., LmEvalTask]) -> None:
    """take_first_k says how many repeats it wants."""
    task = load("generate_filters")
    asked = next(iter(task.requests(0)))
    with pytest.raises(ExtractorError, match="2 repeats are wanted, there are 1"):
        task.score(asked, ["The answer is 5"])


def test_unknown_filter_names_its_neighbours() -> None:
    """A misspelt filter is an error that proposes the right one."""
    with pytest.raises(ExtractorError, match="Did you mean 'regex"):
        build_pipelines([{"name": "x", "filter": [{"function": "regexx"}]}], "task.yaml")


def test_headline_and_direction(load: Callable[..., LmEvalTask]) -> None:
    """The first metric of the first pipeline is the headline; keys of a dict metric share its direction."""
    task = load("choice_columns")
    assert task.headline == "acc,none"
    assert task.higher_is_better("brier_score,none") is False
    own = load("python_filtered")
    asked = next(iter(own.requests(0)))
    scored = [own.score(asked, ["some words"])]
    assert own.higher_is_better("shared,own") is True
    assert set(own.aggregate(scored)) == {"overlap,own", "shared,own"}


def test_bootstrap_zero_gives_no_error_at_all(load: Callable[..., LmEvalTask]) -> None:
    """Without replicates there is no standard error, not even of a mean, as in the field."""
    task = load("choice_columns")
    assert task.aggregate([{"acc,none": 1.0}, {"acc,none": 0.0}], bootstrap=0) == {"acc,none": (0.5, None)}
    assert task.aggregate([{"acc,none": 1.0}]) == {"acc,none": (1.0, None)}


def test_hub_metric_is_refused(write_task: Callable[..., Path]) -> None:
    """A metric that would be downloaded as code is refused, with its name."""
    file = write_task(
        "task: t\ntest_split: test\ndoc_to_text: q\ndoc_to_target: a\nmetric_list: [{metric: wer}]\n"
    )
    task = load_task(file, rows=lambda split: [{"q": "x", "a": "y"}])
    with pytest.raises(TaskError, match="metric_list: 'wer' would be downloaded"):
        next(iter(task.requests()))


def test_group_members_overrides_and_tags(index: TaskIndex) -> None:
    """A group lists its tasks with the keys that it replaces; an inline group is named after its parent."""
    group, tasks = load_group("own_group", index)
    assert group.leaves() == ("choice_columns", "choice_letters", "last_word")
    assert isinstance(group.children[2], Group)
    assert group.children[2].name == "own_group::inner"
    assert tasks["choice_letters"][1]["num_fewshot"] == 2
    assert group.aggregates[1] == AggregateMetric("acc_norm", ("none",), False)


def test_task_that_a_group_defines_in_line(tmp_path: Path) -> None:
    """A member without a file of its own is loaded from the group's keys and its own."""
    (tmp_path / "g.yaml").write_text(
        "group: g\ntest_split: test\ntask:\n"
        "- task: inner\n  doc_to_text: q\n  doc_to_target: a\n  repeats: 2\n"
    )
    group, tasks = load_group("g", build_index(tmp_path))
    assert group.leaves() == ("g::inner",)
    source, overrides = tasks["g::inner"]
    task = load_task(source, overrides=overrides, rows=lambda split: [{"q": "x", "a": "y"}])
    assert (task.name, task.repeats, task.n_docs()) == ("g::inner", 2, 1)


def test_group_means() -> None:
    """Weighted by documents with pooled errors, or plain; a missing error leaves the group without one.

    Formulas of lm_eval 0.4.13: pooled_sample_stderr and unweighted_mean_stderr.
    """
    rules = (AggregateMetric("acc"), AggregateMetric("plain", ("none",), False))
    group = Group("g", None, ("a", "b"), rules, {})
    measured = {
        "a": {"acc,none": (0.5, 0.1), "plain,none": (0.5, 0.1), "acc,other": (1.0, None)},
        "b": {"acc,none": (1.0, 0.2), "plain,none": (1.0, 0.2)},
    }
    result = group.aggregate(measured, {"a": 10, "b": 30})
    value, error = result["acc,none"]
    assert value == pytest.approx((0.5 * 10 + 1.0 * 30) / 40)
    pooled = (9 * 0.01 * 10 + 29 * 0.04 * 30) / 38
    assert error == pytest.approx(math.sqrt(pooled / 40))
    assert result["plain,none"] == (0.75, pytest.approx(math.sqrt(0.05) / 2))
    assert result["acc,other"] == (1.0, None)


def test_group_that_contains_itself(tmp_path: Path) -> None:
    """A circle of groups is an error that names the group."""
    (tmp_path / "a.yaml").write_text("group: a\ntask: [b]\n")
    (tmp_path / "b.yaml").write_text("group: b\ntask: [a]\n")
    with pytest.raises(TaskError, match="contains itself"):
        load_group("a", build_index(tmp_path))


def test_sampling_params() -> None:
    """The field's names become LiteLLM's; greedy decoding is temperature 0."""
    given = {"until": ["\n"], "max_gen_toks": 8, "max_tokens": 9, "do_sample": False, "temperature": 0.7}
    assert sampling_params(given) == {"stop": ["\n"], "max_tokens": 8, "temperature": 0.0}
    assert sampling_params({"until": "x", "top_p": 0.5, "do_sample": True}) == {"stop": ["x"], "top_p": 0.5}
