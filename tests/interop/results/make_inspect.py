"""Writes inspect/ with Inspect itself, on a scripted model and own data; run it in Inspect's environment.

python make_inspect.py FOLDER
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from inspect_ai import Epochs, Task, eval, task
from inspect_ai.dataset import Sample
from inspect_ai.log import write_eval_log
from inspect_ai.model import ModelAPI, ModelOutput, ModelUsage, modelapi
from inspect_ai.scorer import choice, includes, match
from inspect_ai.solver import generate, multiple_choice, system_message


@task
def own_sums() -> Task:
    """Sums; the model is wrong on some."""
    samples = [
        Sample(
            id=f"sum-{n}", input=f"What is {n} + {3 * n % 7}?", target=str(n + 3 * n % 7), metadata={"n": n}
        )
        for n in range(8)
    ]
    return Task(
        dataset=samples,
        solver=[system_message("Answer with a number."), generate()],
        scorer=[match(numeric=True), includes()],
        epochs=Epochs(2, "mean"),
    )


@task
def own_choices() -> Task:
    """Choices."""
    samples = [
        Sample(input=f"What comes after {n}?", choices=[str(n + 1), str(n), "nothing"], target="A")
        for n in range(6)
    ]
    return Task(dataset=samples, solver=multiple_choice(), scorer=choice(), version=3)


@modelapi(name="own")
class Scripted(ModelAPI):
    """Answers by rule; the sum is wrong where n is 4, and one call fails."""

    async def generate(self, input: Any, tools: Any, tool_choice: Any, config: Any) -> ModelOutput:
        text = input[-1].text
        if "+" not in text:
            answer = f"ANSWER: {'AAB'[int(re.search(r'after ([0-9])', text)[1]) % 3]}"
        else:
            a, b = map(int, re.findall(r"[0-9]+", text))
            if a == 6 and not config.seed:
                raise RuntimeError("the scripted server is down")
            answer = f"It is {a + b + (1 if a == 4 else 0)}."
        output = ModelOutput.from_content(f"own/{self.model_name}", answer)
        output.usage = ModelUsage(input_tokens=20, output_tokens=5, total_tokens=25)
        return output


def main(folder: Path) -> None:
    """Write the logs in both forms, and what Inspect counts."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    printed: dict[str, Any] = {}
    for made in (own_sums(), own_choices()):
        with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
            log = eval(made, model="own/scripted", log_dir=place, display="none", fail_on_error=False)[0]
            for sample in log.samples:  # transcripts and tracebacks name places of this machine
                sample.events, sample.attachments = [], {}
                if sample.error is not None:
                    sample.error.traceback = sample.error.traceback_ansi = ""
                sample.error_retries = []
            log.eval.revision = None
            log.eval.task_file = None
            for suffix in ("json", "eval"):
                write_eval_log(log, str(folder / f"{made.name}.{suffix}"), format=suffix)
            printed[made.name] = {
                f"{score.name}/{name}": metric.value
                for score in log.results.scores
                for name, metric in score.metrics.items()
            }
    (folder / "printed.json").write_text(json.dumps(printed, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
