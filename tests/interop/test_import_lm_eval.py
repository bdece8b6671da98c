"""Results of lm-evaluation-harness as runs: the numbers are those that it printed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

import evalkit
from evalkit.comparing.comparison import compare
from evalkit.core.errors import DataError, UsageError
from evalkit.interop.formats import import_results
from evalkit.models.mock import MockModel
from evalkit.store.folders import StoredRun, load_run

RESULTS = Path(__file__).parent / "results" / "lm_eval"
"""Written by lm_eval 0.4.13 through results/make_lm_eval.py; printed.txt is the table that it printed."""


@pytest.fixture
def run(tmp_path: Path) -> StoredRun:
    """The imported run, read back from its folder."""
    runs, _ = import_results("lm-eval", RESULTS, tmp_path)
    assert len(runs) == 1
    return load_run(runs[0].folder)


def printed() -> list[tuple[str, str, str, str, str]]:
    """(task, filter, metric, value, stderr) of each row of the printed table."""
    rows, task = [], ""
    for line in (RESULTS / "printed.txt").read_text().splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        task = cells[0] or task
        rows.append((task, cells[2], cells[4], cells[6], cells[8]))
    return rows


def test_numbers_are_those_that_lm_eval_printed(run: StoredRun) -> None:
    """Every value and standard error of its table, to the four digits that it shows."""
    cells = {cell.task: cell for cell in run.run.cells}
    rows = printed()
    assert len(rows) == 7
    for task, rule, metric, value, stderr in rows:
        found = cells[task].metrics[f"{metric},{rule}"]
        assert f"{found.value:.4f}" == value
        assert ("N/A" if found.stderr is None else f"{found.stderr:.4f}") == stderr


def test_samples_are_there_with_prompt_answer_and_likelihoods(run: StoredRun) -> None:
    """What was asked, what came back and what it was worth, one result a document, filters together."""
    by_task = {cell.task: list(run.samples(cell.slug)) for cell in run.run.cells}
    sums = by_task["own_sums"]
    assert [len(by_task[task]) for task in ("own_choice", "own_sums", "own_texts")] == [12, 10, 4]
    assert sums[1].messages[0].text == "1 + 3 ="
    assert (sums[1].response.text, sums[1].answer, sums[1].target) == ("4", "4", ("4",))
    assert set(sums[1].scores) == {"exact_match,strict", "exact_match,flexible"}
    choice = by_task["own_choice"][0]
    assert choice.choices == (" 1", " 3 things")
    assert [item.logprob for item in choice.response.loglikelihoods] == [
        -1.122041443362832,
        -3.360769921913743,
    ]
    assert choice.answer == " 1"


def test_unknown_stays_unknown(run: StoredRun) -> None:
    """No file of lm_eval tells tokens, costs or times: none of them is 0."""
    for cell in run.run.cells:
        assert cell.usage.input is None
        assert cell.cost_usd is None
        assert cell.latency.mean is None
    assert "imported from lm-evaluation-harness 0.4.13" in run.run.cells[0].notes


def test_import_is_the_same_each_time(tmp_path: Path) -> None:
    """The same files give the same bytes; the time is that of the results, not of the import."""
    runs = [import_results("lm-eval", RESULTS, tmp_path / name)[0][0] for name in ("a", "b")]
    first, second = ((run.folder / "run.json").read_bytes() for run in runs)
    assert first == second
    assert runs[0].run.created.startswith("2026-11-22T")


def test_numbers_alone_keep_an_exact_interval(tmp_path: Path) -> None:
    """Without samples the scores of an accuracy are still known to be 0 and 1: its interval is the same."""
    file = next(RESULTS.rglob("results_*.json"))
    shutil.copy(file, tmp_path / file.name)
    with_samples = import_results("lm-eval", RESULTS, tmp_path / "a")[0][0].run.cells[0]
    runs, notes = import_results("lm-eval", tmp_path / file.name, tmp_path / "b")
    alone = runs[0].run.cells[0]
    assert alone.metrics["acc,none"].interval == pytest.approx(with_samples.metrics["acc,none"].interval)
    assert any("numbers alone" in note for note in notes)
    assert runs[0].slugs() == frozenset()


def test_results_of_two_models_make_one_run_and_a_repetition_another(tmp_path: Path) -> None:
    """A folder of many results is one run, until the same cell comes again."""
    file = next(RESULTS.rglob("results_*.json"))
    for name, model, date in (("a", "own/one", 1.0), ("b", "own/two", 2.0), ("c", "own/one", 3.0)):
        content = json.loads(file.read_text()) | {"model_name": model, "date": date}
        (tmp_path / name).mkdir()
        (tmp_path / name / file.name).write_text(json.dumps(content))
    runs, _ = import_results("lm-eval", tmp_path, tmp_path / "out")
    assert [sorted(run.run.models) for run in runs] == [["own/one", "own/two"], ["own/one"]]


def test_model_can_be_named_anew(tmp_path: Path) -> None:
    """--model names the only model of the file."""
    runs, _ = import_results("lm-eval", RESULTS, tmp_path, model="mine")
    assert list(runs[0].run.models) == ["mine"]
    assert {cell.model for cell in runs[0].run.cells} == {"mine"}


def test_a_task_cannot_be_named_where_there_are_several(tmp_path: Path) -> None:
    """--task is refused with the names that there are."""
    with pytest.raises(UsageError, match="own_choice, own_sums, own_texts"):
        import_results("lm-eval", RESULTS, tmp_path, task="mine")


def test_unknown_format_is_told_with_a_near_one(tmp_path: Path) -> None:
    """A slip of the hand is met with the right name."""
    with pytest.raises(UsageError, match=re.escape("Did you mean 'lm-eval'?")):
        import_results("lm-evl", RESULTS, tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("[]", "a JSON object is needed"),
        ("{}", "no `results`"),
        ('{"results": {"a": 3}}', "results.a"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    """The error says which file and what is wrong with it."""
    (tmp_path / "results_x.json").write_text(content)
    with pytest.raises(DataError, match=message) as error:
        import_results("lm-eval", tmp_path / "results_x.json", tmp_path)
    assert "results_x.json" in str(error.value)


def test_a_broken_sample_is_named_with_its_line(tmp_path: Path) -> None:
    """The error says which line of which file."""
    shutil.copytree(RESULTS / "own__scripted", tmp_path / "in")
    file = next((tmp_path / "in").glob("samples_own_sums*"))
    file.write_text(file.read_text() + '{"doc": 1}\n')
    with pytest.raises(DataError, match="line 21: a sample has `doc_id` and `resps`"):
        import_results("lm-eval", tmp_path / "in", tmp_path / "out")


SUM = """
task: own_sums
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
metadata: {version: 1.0}
output_type: generate_until
doc_to_text: "{{a}} + {{b}} ="
doc_to_target: "{{a + b}}"
generation_kwargs: {until: ["\\n"], do_sample: false, temperature: 0.0, max_gen_toks: 16}
metric_list:
  - metric: exact_match
    ignore_case: true
filter_list:
  - name: strict
    filter: [{function: regex, regex_pattern: "^(\\\\d+)$"}, {function: take_first}]
  - name: flexible
    filter: [{function: regex, regex_pattern: "(\\\\d+)"}, {function: take_first}]
"""
"""The task of results/make_lm_eval.py."""


def test_an_imported_run_compares_with_evalkits_own_run_of_the_same_task(
    run: StoredRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same task on the same answers: the samples are paired, and every score is equal."""
    monkeypatch.chdir(tmp_path)
    (cell,) = (cell for cell in run.run.cells if cell.task == "own_sums")
    answers = {r.messages[-1].text: r.response.text or "" for r in run.samples(cell.slug)}
    (samples,) = RESULTS.rglob("samples_own_sums*.jsonl")
    docs = {json.loads(line)["doc_id"]: json.loads(line)["doc"] for line in samples.read_text().splitlines()}
    data = tmp_path / "sums.jsonl"
    data.write_text("".join(json.dumps(doc) + "\n" for doc in docs.values()))
    (tmp_path / "own_sums.yaml").write_text(SUM.replace("DATA", str(data)))
    model = MockModel(lambda request: answers[request.messages[-1].text], name=cell.model)
    native = evalkit.run(models=[model], tasks=[str(tmp_path / "own_sums.yaml")])
    found = compare(run, native, by="run")
    (difference,) = found.differences
    headline = cell.metrics["exact_match,strict"].value
    assert (difference.base_value, difference.other_value) == (headline, headline)
    assert (difference.difference, difference.n, difference.n_missing) == (0.0, len(answers), 0)
