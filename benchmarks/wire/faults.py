"""Bad weather and a cost limit: 2,000 samples on a server that fails in seven ways, and what --max-cost pays.

    python benchmarks/wire/faults.py [--samples 2000] [--connections 64]

10 % of the calls are refused (429 with Retry-After), 8 % are 500, 4 % reset, 3 % truncated, 3 % no JSON, 2 %
without choices, 1 % hang. The mix alone forces 1 / (1 - 0.31) = 1.45 calls a sample. All is on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import server  # noqa: E402

import evalkit  # noqa: E402

MIX = (
    (0.10, "429"),
    (0.08, "500"),
    (0.04, "reset"),
    (0.03, "truncated"),
    (0.03, "not-json"),
    (0.02, "empty-choices"),
    (0.01, "hang"),
)
TASK = {
    "name": "sums",
    "language": "en",
    "data": {"file": "samples.jsonl"},
    "target": "sum",
    "prompts": {"plain": "What is {{ a }}+{{ b }}?"},
    "generation": {"max_tokens": 16},
    "extract": ["last_number"],
    "metrics": ["exact_match"],
}
PRICE = {"input": 1e-4, "output": 1e-3}


def right(call: Any) -> str:
    """The sum that is asked for, in a sentence."""
    a, b = call.prompt.removeprefix("What is ").removesuffix("?").split("+")
    return f"It is {int(a) + int(b)}"


def draw(call: Any, rng: random.Random) -> str | None:
    """The fault of a call."""
    number = rng.random()
    for share, fault in MIX:
        if number < share:
            return fault
        number -= share
    return None


def project(folder: Path, url: str, samples: int, **settings: Any) -> None:
    """A task of so many sums, made the current folder, and the model on the server."""
    task = folder / "tasks" / "sums"
    task.mkdir(parents=True)
    rows = [{"id": f"s{n}", "a": n, "b": 7 * n, "sum": 8 * n} for n in range(samples)]
    (task / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (task / "task.yaml").write_text(json.dumps(TASK))
    model = {"model": "hosted_vllm/llama3", "api_base": url, **settings}
    (folder / "evalkit.yaml").write_text(json.dumps({"models": {"m": model}}))
    os.chdir(folder)


def weather(samples: int, connections: int) -> None:
    """Nothing; prints what the mix of faults took."""
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as name, server.serve(right, faults=lambda c: draw(c, rng)) as at:
        project(Path(name), at.url, samples)
        began = time.monotonic()
        stored = evalkit.run(models=["m"], tasks=["sums"], timeout=3, max_connections=connections)
        took, calls = time.monotonic() - began, at.n_calls
        os.chdir("/")
    cell = stored.run.cells[0]
    wrong = cell.counts.scored - round((cell.metrics["exact_match"].value or 0.0) * cell.counts.scored)
    print(
        f"faults: {cell.counts.scored} of {samples} scored, {cell.counts.errors} failed, {wrong} wrongly "
        f"marked, {calls} calls = {calls / samples:.2f} a sample, {took:.1f} s"
    )


def budget(connections: int) -> None:
    """Nothing; prints what was paid under a cost limit with so many calls in flight."""
    with tempfile.TemporaryDirectory() as name, server.serve(right, latency=0.05) as at:
        project(Path(name), at.url, 2000, price=PRICE)
        limit = 2.0
        stored = evalkit.run(models=["m"], tasks=["sums"], max_cost=limit, max_connections=connections)
        calls, peak = at.n_calls, at.peak
        os.chdir("/")
    paid = stored.run.cells[0].cost_usd or 0.0
    print(
        f"--max-cost {limit}: {calls} calls, {peak} in flight at most, {paid:.4f} dollars paid = "
        f"{paid / limit:.1%} of the limit, over it by {max(0.0, paid - limit):.4f}"
    )


def main() -> None:
    """Nothing; measures both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--connections", type=int, default=64)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        weather(given.samples, given.connections)
        budget(given.connections)


if __name__ == "__main__":
    main()
