"""Prompts per CPU second: 5-shot prompts of MMLU-shaped documents in evalkit's own format.

    python benchmarks/prompts/native.py [--samples 20000]

Counts the CPU time of this process over choosing the worked examples and rendering the messages, then the
same with the request and its digest, for each sampler, letters and ranked texts. Reading is not counted.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path

from evalkit.models.mock import MockModel
from evalkit.models.resolution import Resolved
from evalkit.models.settings import ModelSettings
from evalkit.running.planning import PlannedCell, PlanOptions, make_plan
from evalkit.tasks.discovery import list_tasks
from evalkit.tasks.task import load_task

TASK = """\
name: mmlu_shaped
data: {file: samples.jsonl}
kind: choice
target: answer
choices: choices
prompts:
  letters:
    user: |-
      {{ question }}
      A. {{ choices[0] }}
      B. {{ choices[1] }}
      C. {{ choices[2] }}
      D. {{ choices[3] }}
      Answer:
    few_shot: 5
    scoring: letter
  cloze: {user: "Question: {{ question }}\\nAnswer:", few_shot: 5}
few_shot: {file: few_shot.jsonl, sampler: SAMPLER}
metrics: [accuracy]
"""


def write_rows(file: Path, n: int, seed: int) -> None:
    """Rows as long as those of MMLU: 60 words of question, 8 of each option."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 9))) for _ in range(2000)]
    with file.open("w", encoding="utf-8") as sink:
        for number in range(n):
            row = {
                "id": f"{seed}-{number}",
                "question": " ".join(rng.choices(words, k=60)) + "?",
                "choices": [" ".join(rng.choices(words, k=8)) for _ in range(4)],
                "answer": rng.randrange(4),
            }
            sink.write(json.dumps(row) + "\n")


def make_cells(
    folder: Path, sampler: str, n: int, n_pool: int, capabilities: tuple[str, ...]
) -> list[PlannedCell]:
    """The cells of a model with these capabilities on the task."""
    home = folder / sampler
    home.mkdir()
    (home / "task.yaml").write_text(TASK.replace("SAMPLER", sampler))
    write_rows(home / "samples.jsonl", n, 1)
    write_rows(home / "few_shot.jsonl", n_pool, 2)
    (entry,) = list_tasks([(home, "workspace")]).values()
    model = MockModel(lambda request: "A", "mock/bench", capabilities)
    resolved = Resolved("mock/bench", "mock/bench", "mock/bench", ModelSettings(model="mock/bench"), "")
    return list(make_plan([(resolved, model)], [load_task(entry)], PlanOptions(prompts=("all",))).cells)


def measure(cell: PlannedCell) -> tuple[float, float]:
    """Prompts per CPU second: worked examples and messages alone, and with the request and its digest."""
    task = cell.task.task
    samples, pool = list(task.samples()), task.few_shot_pool()
    start = time.process_time()
    letters = cell.mode == "letter_generate"
    for sample in samples:
        cell.variant.render(sample, cell.variant.choose_shots(pool, sample, 0), letters=letters)
    middle = time.process_time()
    for sample in samples:
        cell.request(sample, cell.variant.choose_shots(pool, sample, 0)).digest  # noqa: B018
    end = time.process_time()
    return len(samples) / (middle - start), len(samples) / (end - middle)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=20_000)
    n = parser.parse_args().samples
    print(f"{'sampler':<10}{'pool':>7}  {'prompt':<9}{'mode':<17}{'prompts/CPU s':>14}{'with request':>14}")
    for sampler, n_pool in (("first", 5), ("random", 100), ("random", 10_000), ("balanced", 1_000)):
        for capabilities in (("generate", "chat", "loglikelihood"), ("generate", "chat")):
            with tempfile.TemporaryDirectory() as folder:
                for cell in make_cells(Path(folder), sampler, n, n_pool, capabilities):
                    plain, whole = measure(cell)
                    name, mode = cell.variant.name, cell.mode
                    print(f"{sampler:<10}{n_pool:>7,}  {name:<9}{mode:<17}{plain:>14,.0f}{whole:>14,.0f}")


if __name__ == "__main__":
    main()
