"""Writes openai_evals/own_sums.jsonl with OpenAI's evals itself, on own data and a scripted model;
run it in the environment of evals (OPENAI_API_KEY may be anything: nothing is asked of it).

python make_openai_evals.py FOLDER
"""

from __future__ import annotations

import atexit
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

EVAL = """
own-sums:
  id: own-sums.dev.v0
  metrics: [accuracy]
own-sums.dev.v0:
  class: evals.elsuite.basic.match:Match
  args:
    samples_jsonl: own/samples.jsonl
"""


class Completion:
    """What evals takes for a result."""

    def __init__(self, text: str) -> None:
        self.text = text

    def get_completions(self) -> list[str]:
        """The only one."""
        return [self.text]


class Scripted:
    """Adds right, but where three divides the first number."""

    def __init__(self, **_: Any) -> None: ...

    def __call__(self, prompt: Any, **_: Any) -> Completion:
        from evals.record import record_sampling

        a, b = map(int, re.findall(r"(\d+) \+ (\d+)", str(prompt))[-1])
        text = str(a + b if a % 3 else a + b + 1)
        record_sampling(prompt=prompt, sampled=text)
        return Completion(text)


def sample(number: int) -> dict[str, Any]:
    """A sum."""
    turns = [("system", "Answer with the number."), ("user", f"{number} + {number + 1} =")]
    return {"input": [{"role": role, "content": said} for role, said in turns], "ideal": str(2 * number + 1)}


if __name__ == "__main__":
    from evals.cli.oaieval import main

    target = Path(sys.argv[1]).resolve() / "own_sums.jsonl"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    sys.path.insert(0, str(Path(__file__).parent))
    os.chdir(tempfile.mkdtemp())
    # evals writes its events when the program ends: what is registered before that is done after it.
    atexit.register(lambda: target.write_text(Path("own_sums.jsonl").read_text()))
    for name in ("evals", "data/own", "completion_fns"):
        Path("registry", name).mkdir(parents=True)
    Path("registry/evals/own.yaml").write_text(EVAL)
    Path("registry/completion_fns/own.yaml").write_text(
        "own/scripted:\n  class: make_openai_evals:Scripted\n"
    )
    lines = "".join(json.dumps(sample(number)) + "\n" for number in range(8))
    Path("registry/data/own/samples.jsonl").write_text(lines)
    sys.argv = ["oaieval", "own/scripted", "own-sums", "--registry_path", "registry", "--local-run"]
    sys.argv += ["--record_path", "own_sums.jsonl"]
    main()
