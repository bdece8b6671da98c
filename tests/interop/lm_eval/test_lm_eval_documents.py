"""Splits, process_docs, sampling of worked examples, and the facade of `datasets`."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.core.errors import DataError, PromptError, TaskError
from evalkit.interop.lm_eval import LmEvalTask, load_task, local_rows
from evalkit.interop.lm_eval.dataset import Dataset, DatasetDict, concatenate_datasets
from evalkit.interop.lm_eval.documents import first_documents
from evalkit.interop.lm_eval.sampling import FirstSampler, RandomSampler

POOL = [{"n": number} for number in range(8)]
MINIMAL = "task: own\ntest_split: test\ndoc_to_text: q\ndoc_to_target: a\n"


@given(st.integers(0, 7), st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_sampling_is_that_of_random_sample(count: int, seed: int) -> None:
    """Positions equal random.sample over the documents, k of them, or k + 1 without the document itself."""
    drawn = RandomSampler(POOL, seed, "t").draw(count, None)
    assert [POOL[i] for i in drawn] == random.Random(seed).sample(POOL, count)
    doc = POOL[3]
    drawn = RandomSampler(POOL, seed, "t").draw(count, doc)
    assert [POOL[i] for i in drawn] == [x for x in random.Random(seed).sample(POOL, count + 1) if x != doc][
        :count
    ]


def test_doubles_of_the_document_are_drawn_anew() -> None:
    """Where too many of the draw equal the document, lm_eval 0.4.13 draws again from the others."""
    pool = [{"n": 0}] * 6 + [{"n": 1}, {"n": 2}]
    chosen = RandomSampler(pool, 0, "t").draw(2, {"n": 0})
    assert sorted(pool[i]["n"] for i in chosen) == [1, 2]


def test_first_n_leaves_the_document_out() -> None:
    """first_n takes from the front and skips the document itself."""
    assert list(FirstSampler(POOL, 0, "t").draw(3, {"n": 1})) == [0, 2, 3]
    assert list(FirstSampler(POOL, 0, "t").draw(3, None)) == [0, 1, 2]


@pytest.mark.parametrize("sampler", [RandomSampler, FirstSampler])
def test_pool_that_is_too_small(sampler: Any) -> None:
    """More examples than the data has is an error with both numbers."""
    with pytest.raises(PromptError, match="the few-shot data has 8"):
        sampler(POOL, 0, "t").draw(9, None)


def test_pinned_zero_shots_win(load: Callable[..., LmEvalTask]) -> None:
    """num_fewshot: 0 in the file is not overridden; otherwise the number asked for wins."""
    assert load("generate_several").num_fewshot(5) == 0
    assert load("choice_letters", overrides={"num_fewshot": 2}).num_fewshot(None) == 2
    assert load("choice_letters", overrides={"num_fewshot": 2}).num_fewshot(4) == 4


@pytest.mark.parametrize(("limit", "count"), [(None, 10), (0.25, 3), (1.0, 1), (4, 4), (99, 10)])
def test_limit(limit: float | None, count: int) -> None:
    """Below 1 it is a share, rounded up; from 1 on a number."""
    assert first_documents(POOL + POOL[:2], limit) == count


def test_process_docs_runs_once_under_a_seed_of_its_own(write_task: Callable[..., Path]) -> None:
    """A shuffle in process_docs is the same each time, runs once, and leaves the global generator alone."""
    file = write_task(
        MINIMAL + "process_docs: !function code.mix\n",
        code__py=(
            "import random\nruns = []\n"
            "def mix(data):\n    runs.append(1)\n    rows = list(data)\n"
            "    random.shuffle(rows)\n    return rows\n"
            "def score(doc, results):\n    return {}\n"
        ),
    )
    data = [{"q": str(number), "a": "x"} for number in range(20)]

    def texts() -> tuple[LmEvalTask, list[Any]]:
        task = load_task(file, rows=lambda split: data, trust=True)
        return task, [asked.items[0].context for asked in task.requests(3)]

    random.seed(5)
    expected = random.Random(5).random()
    task, first = texts()
    assert random.random() == expected
    assert [asked.items[0].context for asked in task.requests(3)] == first
    runs = task.config.process_docs.__globals__["runs"]  # type: ignore[union-attr]
    assert len(runs) == 1
    assert texts()[1] == first
    assert [doc["q"] for doc in task.docs()] != [row["q"] for row in data]


def test_split_that_is_not_there(tmp_path: Path, write_task: Callable[..., Path]) -> None:
    """A missing file for a split is named with those there are."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "tests.jsonl").write_text('{"q": "x", "a": "y"}\n')
    task = load_task(write_task(MINIMAL), rows=local_rows(tmp_path / "data"))
    with pytest.raises(DataError, match="split 'test'; there are: tests"):
        task.n_docs()


def test_local_rows_of_folder_and_file(tmp_path: Path, write_task: Callable[..., Path]) -> None:
    """A folder has a file for each split, in any format; one file serves every split."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "test.csv").write_text("q,a\nwhy,so\n")
    task = load_task(write_task(MINIMAL), rows=local_rows(tmp_path / "data"))
    assert list(task.docs()) == [{"q": "why", "a": "so"}]
    assert local_rows(tmp_path / "data" / "test.csv")("any") == [{"q": "why", "a": "so"}]


def test_data_files_of_the_task_itself(tmp_path: Path, write_task: Callable[..., Path]) -> None:
    """`dataset_path: json` with local data_files needs no package."""
    (tmp_path / "x.jsonl").write_text('{"q": "x", "a": "y"}\n')
    text = f"dataset_path: json\ndataset_kwargs: {{data_files: {{test: {tmp_path / 'x.jsonl'}}}}}\n"
    assert load_task(write_task(MINIMAL + text)).n_docs() == 1


def test_custom_dataset_is_called_with_metadata(write_task: Callable[..., Path]) -> None:
    """custom_dataset gets the metadata, ours added, and the dataset_kwargs."""
    file = write_task(
        MINIMAL + "custom_dataset: !function code.make\nmetadata: {version: 1}\ndataset_kwargs: {n: 2}\n",
        code__py=(
            "def make(version, n, model):\n"
            "    return {'test': [{'q': model, 'a': str(version)} for _ in range(n)]}\n"
        ),
    )
    task = load_task(file, trust=True, metadata={"model": "m"})
    assert list(task.docs()) == [{"q": "m", "a": "1"}] * 2


def test_no_split_to_evaluate(write_task: Callable[..., Path]) -> None:
    """Neither test nor validation split is an error that names both keys."""
    file = write_task("task: t\ndoc_to_text: q\ndoc_to_target: a\n")
    with pytest.raises(TaskError, match="neither test_split nor validation_split"):
        load_task(file, rows=lambda split: POOL).n_docs()


def test_class_task_runs_through_its_own_methods(write_task: Callable[..., Path]) -> None:
    """A Python-defined task is asked and scored by its methods, worked examples included."""
    file = write_task(
        "task: own_class\nclass: !function code.Own\n",
        code__py=(
            "from lm_eval.api.instance import Instance\n"
            "from lm_eval.api.task import ConfigurableTask\n"
            "class Own(ConfigurableTask):\n"
            "    VERSION = 1\n    DATASET_PATH = 'own/data'\n"
            "    def __init__(self, config=None):\n"
            "        super().__init__(config={'metadata': {'version': self.VERSION}})\n"
            "    def has_training_docs(self):\n        return True\n"
            "    def has_validation_docs(self):\n        return True\n"
            "    def has_test_docs(self):\n        return False\n"
            "    def training_docs(self):\n        return self.dataset['train']\n"
            "    def validation_docs(self):\n        return self.dataset['validation']\n"
            "    def doc_to_text(self, doc):\n        return 'Q ' + doc['q'] + '\\nA:'\n"
            "    def doc_to_target(self, doc):\n        return ' ' + doc['a']\n"
            "    def construct_requests(self, doc, ctx, **kwargs):\n"
            "        kwargs.pop('chat_template'), kwargs.pop('apply_chat_template')\n"
            "        return [Instance('generate_until', doc, (ctx, {'until': ['\\n']}), 0, **kwargs),\n"
            "                Instance('loglikelihood', doc, (ctx, ' none'), 0, **kwargs)]\n"
            "    def process_results(self, doc, results):\n"
            "        return {'said': float(results[0] == doc['a']), 'none': results[1][0]}\n"
            "    def aggregation(self):\n        return {'said': max, 'none': min}\n"
            "    def higher_is_better(self):\n        return {'said': True, 'none': False}\n"
        ),
    )
    data = {
        "train": [{"q": f"t{i}", "a": f"{i}"} for i in range(4)],
        "validation": [{"q": "v0", "a": "yes"}, {"q": "v1", "a": "no"}],
    }
    task = load_task(file, rows=data.__getitem__, trust=True)
    first = next(iter(task.requests(1)))
    shot = data["train"][random.Random(1234).sample(range(4), 2)[0]]
    assert first.items[0].context == f"Q {shot['q']}\nA:  {shot['a']}\n\nQ v0\nA:"
    assert [item.kind for item in first.items] == ["generate", "loglikelihood"]
    scored = [
        task.score(asked, [answer, (-1.0 - i, False)])
        for i, (asked, answer) in enumerate(zip(task.requests(0), ("yes", "yes"), strict=True))
    ]
    assert task.aggregate(scored) == {"said,none": (1.0, None), "none,none": (-2.0, None)}
    assert task.headline == "said,none"
    assert task.higher_is_better("none,none") is False


@pytest.mark.filterwarnings("ignore:Specifying null_placement:FutureWarning")
def test_facade_equals_the_real_package() -> None:
    """The methods of the facade give the rows that `datasets` gives."""
    datasets = pytest.importorskip("datasets")
    rows = [{"a": number, "b": f"t{number % 3}"} for number in range(7)]

    def work(data: Any, join: Any) -> list[list[dict[str, Any]]]:
        small = data.select(range(3))
        return [
            list(data.map(lambda row: {"c": row["a"] + 1})),
            list(data.map(lambda row, i: {"a": i * 2}, with_indices=True, remove_columns=["b"])),
            list(data.map(lambda batch: {"a": [x + 1 for x in batch["a"]]}, batched=True, batch_size=2)),
            list(data.filter(lambda row: row["a"] % 2)),
            list(data.shuffle(seed=3)),
            list(data.sort("b", reverse=False).select_columns(["a", "b"])),
            list(small.add_column("d", [1, 2, 3]).rename_column("a", "z").remove_columns("b")),
            list(small.rename_columns({"a": "x"})),
            list(join([small, data.take(1), data.skip(6)])),
            [data[1], data[2:4], {"unique": data.unique("b")}, {"names": data.column_names, "n": len(data)}],
        ]

    datasets.disable_progress_bars()
    theirs = work(datasets.Dataset.from_list(rows), datasets.concatenate_datasets)
    datasets.enable_progress_bars()
    assert work(Dataset.from_list(rows), concatenate_datasets) == theirs


def test_facade_of_several_splits() -> None:
    """map and filter of a DatasetDict go to each split; ragged columns are refused."""
    data = DatasetDict(a=Dataset.from_list([{"x": 1}, {"x": 2}]))
    assert list(data.map(lambda row: {"y": 0}).filter(lambda row: row["x"] > 1)["a"]) == [{"x": 2, "y": 0}]
    with pytest.raises(DataError, match="different lengths"):
        Dataset.from_dict({"a": [1], "b": []})
