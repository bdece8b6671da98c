"""The same answers scored through lm_eval's own task files and through evalkit's definitions.

    python benchmarks/lm_eval_parity/same_scores.py --tree .../site-packages/lm_eval/tasks --data DIR

A mock model gives each choice a likelihood that depends on its text alone, and each question an answer that
is right for about half of them. Both routes must come to the same accuracy. DIR holds the benchmarks' data;
its rows are brought into the columns of the hub first.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def _lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as file:
        yield from (json.loads(line) for line in file)


def arc(data: Path) -> Iterator[Row]:
    """ARC-Challenge with the hub's columns."""
    for number, row in enumerate(_lines(data / "mcq" / "arc_challenge.jsonl")):
        labels = list("ABCDE")[: len(row["choices"])]
        yield {
            "id": str(number),
            "question": row["query"].removeprefix("Question: "),
            "choices": {"text": row["choices"], "label": labels},
            "answerKey": labels[row["gold"]],
        }


def piqa(data: Path) -> Iterator[Row]:
    """PIQA with the hub's columns."""
    for row in _lines(data / "mcq" / "piqa.jsonl"):
        goal = row["query"].removeprefix("Question: ").rstrip("\n")
        yield {"goal": goal, "sol1": row["choices"][0], "sol2": row["choices"][1], "label": row["gold"]}


def hellaswag(data: Path) -> Iterator[Row]:
    """HellaSwag with the hub's columns, the scene cut into label and context."""
    for row in _lines(data / "hellaswag" / "val_first2000.jsonl"):
        label, _, scene = row["ctx"].partition(": ")
        yield {
            "ind": row["ind"],
            "activity_label": label,
            "ctx_a": scene,
            "ctx_b": "",
            "endings": row["endings"],
            "label": str(row["label"]),
        }


def gsm8k(data: Path) -> Iterator[Row]:
    """GSM8K as it is."""
    return _lines(data / "gsm8k" / "test.jsonl")


def mgsm(data: Path) -> Iterator[Row]:
    """MGSM in Chinese with the hub's columns."""
    for line in (data / "mgsm" / "mgsm_zh.tsv").read_text(encoding="utf-8").splitlines():
        question, answer = line.split("\t")
        number = int(answer.replace(",", ""))
        yield {"question": question, "answer": None, "answer_number": number, "equation_solution": None}


def cmmlu(data: Path) -> Iterator[Row]:
    """CMMLU's Chinese history as it is."""
    with (data / "cmmlu" / "test" / "chinese_history.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


BENCHMARKS: Mapping[str, tuple[Callable[[Path], Iterator[Row]], str, str, str, str, str]] = {
    # name: (rows, split, lm_eval's file, its score, our task, our score)
    "ARC-C": (arc, "test", "arc/arc_challenge.yaml", "acc,none", "arc_challenge", "accuracy"),
    "ARC-C norm": (arc, "test", "arc/arc_challenge.yaml", "acc_norm,none", "arc_challenge", "accuracy_norm"),
    "PIQA": (piqa, "validation", "piqa/piqa.yaml", "acc,none", "piqa", "accuracy"),
    "PIQA norm": (piqa, "validation", "piqa/piqa.yaml", "acc_norm,none", "piqa", "accuracy_norm"),
    "HellaSwag": (hellaswag, "validation", "hellaswag/hellaswag.yaml", "acc,none", "hellaswag", "accuracy"),
    "HellaSwag norm": (
        hellaswag, "validation", "hellaswag/hellaswag.yaml", "acc_norm,none", "hellaswag", "accuracy_norm",
    ),
    "GSM8K": (gsm8k, "test", "gsm8k/gsm8k.yaml", "exact_match,flexible-extract", "gsm8k", "exact_match"),
    "MGSM-zh": (
        mgsm, "test", "mgsm/direct/mgsm_direct_zh.yaml", "exact_match,flexible-extract",
        "mgsm_zh", "exact_match",
    ),
    "CMMLU": (
        cmmlu, "test", "cmmlu/cmmlu_chinese_history.yaml", "acc,none", "cmmlu_chinese_history", "accuracy",
    ),
}  # fmt: skip


def _fraction(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.strip().encode()).digest()[:6], "big") / 2**48


def main() -> None:
    """Print both accuracies of each benchmark; end with 1 where two differ."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tree", type=Path, required=True, help="lm_eval's folder of tasks")
    parser.add_argument("--data", type=Path, required=True, help="the folder of benchmark data")
    arguments = parser.parse_args()
    tree, data = arguments.tree.resolve(), arguments.data.resolve()
    different = 0
    print(f"{'benchmark':<16}{'n':>7}{'lm_eval file':>14}{'evalkit task':>14}  difference")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, (rows, split, file, their_score, task, our_score) in BENCHMARKS.items():
            content = list(rows(data))
            local = Path(folder) / "data" / name.replace(" ", "_")
            local.mkdir(parents=True)
            lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in content)
            (local / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
            theirs = _run(tree / file, local, content, their_score, num_fewshot=0)
            ours = _run(task, local / f"{split}.jsonl", content, our_score, num_fewshot=0)
            different += theirs != ours
            print(
                f"{name:<16}{len(content):>7}{theirs:>14.6f}{ours:>14.6f}  {ours - theirs:+.6f}", flush=True
            )
    raise SystemExit(1 if different else 0)


def _run(task: Path | str, local: Path, rows: list[Row], score: str, num_fewshot: int) -> float:
    import evalkit
    from evalkit import MockModel
    from evalkit.core.records import Request

    answers = {_question(row): _answer(row) for row in rows if "question" in row and "choices" not in row}

    def reply(request: Request) -> str | list[float]:
        if request.continuations:
            return [-30 * _fraction(text) for text in request.continuations]
        text = request.messages[-1].text
        right = next(answer for question, answer in answers.items() if question in text)
        return f"#### {right}"

    model = MockModel(reply, capabilities=("generate", "loglikelihood"))
    name = str(task)
    key = Path(name).stem if isinstance(task, Path) else name
    stored = evalkit.run(
        models=[model], tasks=[name], data={key: local}, num_fewshot=num_fewshot, trust=True, out="runs"
    )
    value = stored.run.cells[0].metrics[score].value
    if value is None:
        raise SystemExit(f"{name}: nothing was scored")
    return value


def _question(row: Row) -> str:
    return str(row["question"]).strip().removeprefix("问题：").strip()


def _answer(row: Row) -> str:
    """The right number for about half of the questions, by their text; a wrong one for the others."""
    right = str(row["answer_number"] if row.get("answer") is None else row["answer"].rpartition("#### ")[2])
    return right if _fraction(_question(row)) < 0.5 else "987654321"


if __name__ == "__main__":
    main()
