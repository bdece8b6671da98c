"""The definitions on real data: right counts, published scores, rankings counted independently."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from pathlib import Path

import pytest
from factories import settings

import evalkit
from evalkit.core.records import Request, Sample
from evalkit.models.mock import MockModel
from evalkit.models.resolution import Resolved
from evalkit.running.planning import PlanOptions, make_plan
from evalkit.running.runner import RunOptions, execute
from evalkit.running.selection import find_tasks
from evalkit.running.workspace import open_workspace
from evalkit.store.folders import StoredRun
from evalkit.tasks.task import Task

REPOSITORY = Path(__file__).parent.parent.parent
DATA = Path(os.environ.get("EVALKIT_REALDATA") or REPOSITORY.parent / "shared" / "data")

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not DATA.is_dir(), reason="no folder of real benchmark data (EVALKIT_REALDATA)"),
]


def load(name: str, place: str) -> Task:
    """A bundled definition with local data instead of the hub's."""
    (task,) = find_tasks(open_workspace(), [name], data={name: DATA / place})
    return task


def replay(task: str, place: str, outputs: str, prompt: str) -> StoredRun:
    """The run of recorded outputs on a bundled definition."""
    return evalkit.run(
        models=[f"replay/{DATA / outputs}"], tasks=[task], prompts=[prompt], data={task: DATA / place}
    )


def value(stored: StoredRun, metric: str) -> float:
    """The metric's value in its own scale."""
    found = stored.run.cells[0].metrics[metric].value
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "place", "n", "shown"),
    [
        ("ag_news", "ag_news/test.csv", 7600, ("Fears for T N pension after talks Unions", "Business")),
        ("arc_challenge", "mcq/arc_challenge.jsonl", 1172, ("An astronomer observes", "Planetary days")),
        ("cmmlu_chinese_history", "cmmlu", 323, None),
        ("cmmlu_college_mathematics", "cmmlu", 105, None),
        ("cmmlu_jurisprudence", "cmmlu/test/jurisprudence.csv", 411, None),
        ("cmrc2018", "cmrc2018/trial_squad_style.json", 1002, None),
        ("gsm8k", "gsm8k/test.jsonl", 1319, ("Janet’s ducks", "18")),
        (
            "hellaswag",
            "hellaswag/val_first2000.jsonl",
            2000,
            ("Roof shingle removal: A man", "starts pulling"),
        ),
        ("ifeval", "ifeval/input_data.jsonl", 540, None),
        ("mgsm_zh", "mgsm/mgsm_zh.tsv", 250, ("珍妮特的鸭子", "18")),
        ("piqa", "mcq/piqa.jsonl", 1838, ("How do I ready a guinea pig cage", "Provide the guinea pig")),
        ("squad_v1", "squad_v1.1/dev.json", 10570, ("Super Bowl 50 was an American", "Denver Broncos")),
        ("wikitext_2", "text/wikitext2_test_tokens.txt", 62, None),
        ("wmt_22_de-en", "wmt22_de-en/src.de", 1984, None),
    ],
)
def test_local_files_are_read_whole(name: str, place: str, n: int, shown: tuple[str, str] | None) -> None:
    """As many samples as the data set has, and the first of them as it should be."""
    samples = list(load(name, place).samples())
    assert len(samples) == n
    assert len({sample.id for sample in samples}) == n
    if shown is not None:
        question, target = shown
        assert question in str(samples[0].fields)
        assert samples[0].target[0].startswith(target)


def test_examples_of_cmmlu_come_from_its_dev_files() -> None:
    """A folder with test/ and dev/ holds both the questions and the five worked examples of the subject."""
    task = load("cmmlu_chinese_history", "cmmlu")
    pool = task.few_shot_pool()
    assert len(pool) == 5
    sample = next(task.samples())
    variant = task.variant("few_shot")
    text = variant.render(sample, variant.choose_shots(pool, sample, 0))[-1].text
    assert text.count("答案：") == 6
    assert "答案：A\n" in text


def test_letters_of_cmmlu_are_those_of_the_file() -> None:
    """Gold is the column Answer."""
    with (DATA / "cmmlu/test/jurisprudence.csv").open(encoding="utf-8") as file:
        answers = [row["Answer"] for row in csv.DictReader(file)]
    samples = load("cmmlu_jurisprudence", "cmmlu/test/jurisprudence.csv").samples()
    assert ["ABCD"[sample.gold[0]] for sample in samples] == answers


@pytest.mark.parametrize(("file", "n_right"), [("7b", 788), ("70b", 1103)])
def test_gsm8k_of_abel(file: str, n_right: int) -> None:
    """59.7422 % and 83.6240 % (README of GAIR-NLP/abel), with our definition and its strict reading."""
    stored = replay("gsm8k", "gsm8k/test.jsonl", f"gsm8k/outputs_abel-{file}-001.jsonl", "strict")
    assert value(stored, "exact_match") == pytest.approx(n_right / 1319, abs=1e-9)
    assert stored.run.cells[0].metrics["exact_match"].n == 1319


def test_gsm8k_read_generously_never_loses_a_right_answer() -> None:
    """The default reading finds at least what the strict one finds, and little more."""
    stored = replay("gsm8k", "gsm8k/test.jsonl", "gsm8k/outputs_abel-7b-001.jsonl", "cot")
    assert 788 / 1319 <= value(stored, "exact_match") <= 788 / 1319 + 0.02


def test_squad_of_bert() -> None:
    """EM 86.2062 and F1 92.1956 of the BERT ensemble, through our definition and the official layout."""
    stored = replay(
        "squad_v1", "squad_v1.1/dev.json", "squad_v1.1/predictions_bert_ensemble.json", "zero_shot"
    )
    assert 100 * value(stored, "exact_match") == pytest.approx(86.2062, abs=1e-4)
    assert 100 * value(stored, "f1") == pytest.approx(92.1956, abs=1e-4)
    assert stored.run.cells[0].metrics["f1"].n == 10570


def test_wmt22_of_lan_bridge(workspace: Path) -> None:
    """BLEU and chrF of a system of WMT22 against both references, to the printed digits."""
    with (DATA / "wmt22_de-en/published_scores.tsv").open(encoding="utf-8") as file:
        scores = {
            row["metric"]: float(row["score"])
            for row in csv.DictReader(file, delimiter="\t")
            if row["system"] == "Lan-Bridge"
        }
    text = (DATA / "wmt22_de-en/hyp.Lan-Bridge.en").read_text(encoding="utf-8")
    outputs = workspace / "lan-bridge.jsonl"
    lines = text.removesuffix("\n").split("\n")
    outputs.write_text("".join(json.dumps({"id": n, "output": x}) + "\n" for n, x in enumerate(lines, 1)))
    name = "wmt_22_de-en"
    stored = evalkit.run(
        models=[f"replay/{outputs}"], tasks=[name], prompts=["chat"], data={name: DATA / "wmt22_de-en/src.de"}
    )
    assert value(stored, "bleu") == pytest.approx(scores["bleu-all"], abs=1e-9)
    assert value(stored, "chrf") == pytest.approx(scores["chrf-all"], abs=1e-9)


def test_ifeval_of_gpt4() -> None:
    """The recorded answers of GPT-4 score within 1 % of the official checker's verdicts."""
    stored = replay("ifeval", "ifeval/input_data.jsonl", "ifeval/responses_gpt4_20231107.jsonl", "zero_shot")
    official = {
        "prompt_level_strict": 417 / 540,
        "instruction_level_strict": 697 / 832,
        "prompt_level_loose": 430 / 540,
        "instruction_level_loose": 712 / 832,
    }
    for metric, score in official.items():
        assert value(stored, metric) == pytest.approx(score, abs=0.01)


def likelihood(sample_id: str, position: int, text: str) -> float:
    """A made-up loglikelihood that hangs on sample, option and the length of its text."""
    seed = int(hashlib.sha256(f"{sample_id}:{position}".encode()).hexdigest()[:8], 16) / 2**32
    return -(1 + 4 * seed) * (3 + len(text) / 4)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("arc_challenge", "mcq/arc_challenge.jsonl"),
        ("piqa", "mcq/piqa.jsonl"),
        ("hellaswag", "hellaswag/val_first2000.jsonl"),
    ],
)
def test_rankings_equal_an_independent_count(name: str, place: str, workspace: Path) -> None:
    """accuracy and accuracy_norm of the same likelihoods, counted from the raw file without evalkit."""
    task = load(name, place)
    samples: dict[str, Sample] = {sample.id: sample for sample in task.samples()}

    def answer(request: Request) -> list[float]:
        return [
            likelihood(request.sample_id, n, text)
            for n, text in enumerate(samples[request.sample_id].choices)
        ]

    model = MockModel(answer, capabilities=("loglikelihood",))
    plan = make_plan(
        [(Resolved("mock/fn", "mock/fn", "mock/fn", settings(), ""), model)],
        [task],
        PlanOptions(prompts=("zero_shot",)),
    )
    metrics = execute(plan, RunOptions(out=workspace / "out")).run.cells[0].metrics

    raw = [json.loads(line) for line in (DATA / place).read_text(encoding="utf-8").splitlines()]
    right = right_norm = 0
    for identity, row in zip(samples, raw, strict=True):
        texts = row.get("choices") or row["endings"]
        gold = row["gold"] if "gold" in row else row["label"]
        scores = [likelihood(identity, n, text) for n, text in enumerate(texts)]
        norm = [score / len(text) for score, text in zip(scores, texts, strict=True)]
        right += scores.index(max(scores)) == gold
        right_norm += norm.index(max(norm)) == gold
    assert metrics["accuracy"].value == pytest.approx(right / len(raw), abs=1e-12)
    assert metrics["accuracy_norm"].value == pytest.approx(right_norm / len(raw), abs=1e-12)
    assert 0 < right != right_norm


def test_perplexity_of_wikitext_is_per_word_of_the_text_that_is_scored(workspace: Path) -> None:
    """With 8 bits a byte, word_perplexity is 256 to the power of bytes per word of all articles."""
    task = load("wikitext_2", "text/wikitext2_test_tokens.txt")
    texts = [sample.text or "" for sample in task.samples(5)]
    assert not any(" @-@ " in text or " ." in text.replace(" ...", "") for text in texts[:3])
    stored = evalkit.run(
        models=["baseline/random"],
        tasks=["wikitext_2"],
        limit=5,
        data={"wikitext_2": DATA / "text/wikitext2_test_tokens.txt"},
    )
    n_bytes = sum(len(text.encode()) for text in texts)
    n_words = sum(len(text.split()) for text in texts)
    assert value(stored, "bits_per_byte") == pytest.approx(8.0)
    assert value(stored, "word_perplexity") == pytest.approx(256 ** (n_bytes / n_words), rel=1e-6)
