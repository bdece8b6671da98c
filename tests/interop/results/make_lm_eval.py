"""Writes lm_eval/ with lm_eval itself, on a scripted model and own data; run it in lm_eval's environment.

python make_lm_eval.py FOLDER
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

from lm_eval import simple_evaluate
from lm_eval.api.model import LM
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager
from lm_eval.utils import handle_non_serializable, make_table

HERE = Path(__file__).resolve().parent
CONFIG = """
task: {task}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
metadata: {{version: 1.0}}
"""
CHOICE = """
output_type: multiple_choice
doc_to_text: "Question: {{question}}\\nAnswer:"
doc_to_choice: options
doc_to_target: answer
metric_list:
  - metric: acc
  - metric: acc_norm
"""
SUM = """
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
TEXT = """
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{text}}"
metric_list:
  - metric: word_perplexity
  - metric: byte_perplexity
  - metric: bits_per_byte
"""
ROWS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "own_choice": (
        CHOICE,
        [
            {
                "question": f"What comes after {n}?",
                "options": [str(n + 1), f"{n + 3} things"],
                "answer": n % 2,
            }
            for n in range(12)
        ],
    ),
    "own_sums": (SUM, [{"a": n, "b": 3 * n % 7} for n in range(10)]),
    "own_texts": (TEXT, [{"text": f"The {n} ships sailed at dawn. 船出发了。"} for n in (2, 3, 5, 7)]),
}


class Scripted(LM):
    """Answers from a hash of the question: the same each time, sometimes right."""

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        return [
            (-self._share(*request.args) * 4, self._share("g", *request.args) > 0.5) for request in requests
        ]

    def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
        return [-2.5 * len(request.args[0].split()) - self._share(*request.args) for request in requests]

    def generate_until(self, requests: list[Any]) -> list[str]:
        answers = []
        for request in requests:
            a, b = (int(part) for part in request.args[0].removesuffix(" =").split(" + "))
            share = self._share(request.args[0])
            answers.append(
                f"{a + b}" if share < 0.5 else f"It is {a + b}." if share < 0.7 else f"{a * b + 1}"
            )
        return answers

    @staticmethod
    def _share(*texts: str) -> float:
        return int(hashlib.sha256("|".join(texts).encode()).hexdigest()[:8], 16) / 2**32


def main(folder: Path) -> None:
    """Write results and samples, and what lm_eval prints."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as place:
        for name, (rule, rows) in ROWS.items():
            data = Path(place) / f"{name}.jsonl"
            data.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
            (Path(place) / f"{name}.yaml").write_text(CONFIG.format(task=name, data=data) + rule)
        tracker = EvaluationTracker(output_path=str(folder))
        manager = TaskManager(include_path=place, include_defaults=False)
        found = simple_evaluate(
            Scripted(), tasks=list(ROWS), task_manager=manager, log_samples=True, evaluation_tracker=tracker
        )
        samples = found.pop("samples")
        found["config"]["model_args"] = "pretrained=own/scripted"
        tracker.general_config_tracker.model_source = "scripted"
        tracker.general_config_tracker.model_name = "own/scripted"
        tracker.general_config_tracker.model_name_sanitized = "own__scripted"
        tracker.save_results_aggregated(results=found, samples=samples)
        for task, rows in samples.items():
            tracker.save_results_samples(task_name=task, samples=rows)
        for path in folder.rglob("*.json*"):  # what is of this machine goes out
            text = path.read_text().replace(place, "data")
            if path.suffix == ".json":
                content = json.loads(text)
                content["pretty_env_info"] = ""
                content["git_hash"] = content["upper_git_hash"] = None
                text = json.dumps(content, indent=2, ensure_ascii=False, default=handle_non_serializable)
            path.write_text(text)
        (folder / "printed.txt").write_text(make_table(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
