"""CPU seconds in which 10,000 replies are read, kind by kind.

    python benchmarks/metrics/reading.py [--data FOLDER] [--against CHECKOUT]

Numbers are read in recorded chains of thought (Abel on GSM8K, where the folder has them), with and without
their mark; the other replies are made. Each time is the least of five; `--against` another checkout
of evalkit reads the same replies in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

WORDS = [
    "the",
    "pressure",
    "of",
    "a",
    "gas",
    "rises",
    "when",
    "its",
    "volume",
    "falls,",
    "since",
    "the",
    "particles",
    "meet",
    "the",
    "walls",
    "more",
    "often",
]


def prose(rng: random.Random, n: int) -> str:
    """Sentences of so many words in all."""
    return " ".join(rng.choice(WORDS) for _ in range(n)) + "."


def chains(data: Path, rng: random.Random) -> list[tuple[str, str]]:
    """(steps, answer) of chains of thought."""
    file = data / "gsm8k/outputs_abel-7b-001.jsonl"
    if file.is_file():
        rows = [json.loads(line)["response"] for line in file.read_text(encoding="utf-8").splitlines()]
        return [(row.partition("####")[0].strip(), row.partition("####")[2].strip()) for row in rows]
    steps = ((rng.randint(2, 99), rng.randint(2, 99)) for _ in range(1000))
    return [
        (f"{prose(rng, 40)} So {a} * {b} = {a * b}.\nThus, it takes {a * b} days.", f"{a * b}")
        for a, b in steps
    ]


def replies(data: Path) -> dict[str, tuple[Any, list[str]]]:
    """Kind -> (extractor, replies)."""
    rng = random.Random(0)
    found = chains(data, rng)
    code = "def add(a, b):\n    total = a + b\n    return total\n" * 3
    letters = [f"{prose(rng, 60)}\n\nThe answer is ({rng.choice('ABCD')})." for _ in range(500)]
    return {
        "number, marked": ("number", [f"{steps}\n#### {answer}" for steps, answer in found]),
        "number, unmarked": ("number", [steps for steps, _ in found]),
        "letter": ({"letter": "ABCD"}, letters),
        "letter, none": ({"letter": "ABCD"}, [prose(rng, 80) for _ in range(500)]),
        "label": (
            "label",
            [f"{prose(rng, 40)} So it is {rng.choice(('positive', 'negative'))}." for _ in range(500)],
        ),
        "json": (
            {"json": "answer"},
            [
                f'```json\n{{"reasoning": "{prose(rng, 30)}", "answer": {rng.randint(0, 99)}}}\n```'
                for _ in range(500)
            ],
        ),
        "json, LaTeX": (
            {"json": "answer"},
            [f'{prose(rng, 20)}\n{{"answer": "\\\\frac{{1}}{{{rng.randint(2, 9)}}}"}}' for _ in range(500)],
        ),
        "code": (
            "code_block",
            [f"{prose(rng, 20)}\n\n```python\n{code}```\n\n{prose(rng, 20)}" for _ in range(500)],
        ),
        "reasoning": ("strip_reasoning", [f"<think>\n{prose(rng, 150)}\n</think>\n\n42" for _ in range(500)]),
        "no reasoning": ("strip_reasoning", [prose(rng, 80) for _ in range(500)]),
    }


def seconds(data: Path) -> dict[str, float]:
    """Kind -> CPU seconds for 10,000 replies."""
    from evalkit.metrics.extractors import build_extractor

    found = {}
    for kind, (spec, texts) in replies(data).items():
        extractor = build_extractor([spec], labels=["positive", "negative", "neutral"])
        times = []
        for _ in range(5):
            start = time.process_time()
            for text in texts:
                extractor.extract(text)
            times.append((time.process_time() - start) * 10_000 / len(texts))
        found[kind] = min(times)
    return found


def main() -> None:
    """Prints a table, or with `--json` what one checkout took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--against", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.json:
        print(json.dumps(seconds(options.data)))
        return
    here = Path(__file__).resolve()
    columns = {"now": here.parents[2]} | ({"before": options.against} if options.against else {})
    took = {}
    for name, checkout in columns.items():
        call = [sys.executable, str(here), "--json", "--data", str(options.data.resolve())]
        done = subprocess.run(
            call,
            env={"PYTHONPATH": str(checkout.resolve()), "PATH": ""},
            capture_output=True,
            check=True,
            text=True,
        )
        took[name] = json.loads(done.stdout)
    for kind, now in took["now"].items():
        before = took.get("before", {}).get(kind)
        print(
            f"{kind:20} {now:6.2f} s"
            + (f"   before {before:6.2f} s   {now / before:4.1f}x" if before else "")
        )


if __name__ == "__main__":
    main()
