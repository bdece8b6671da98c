"""NeMo Evaluator's gate and evalkit's on the same draws: how often does each pass too large a drop?

    python3.12 -m venv /tmp/nemo && /tmp/nemo/bin/pip install nemo-evaluator
    python benchmarks/statistics/against_nemo.py /tmp/nemo/bin/python

Paired 0/1 scores, seeded. NeMo's verdict is that of its own `gate_runs` on run folders written for it,
in an environment of its own (it wants Python 3.12); a verdict hangs on the numbers of gains and falls
alone, so that each is asked once. The table goes to nemo.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

DRAWS = 2_000
SIZES = (10, 20, 50, 100, 300, 1000)
WORLDS = ((0.03, 0.0, 0.02), (0.02, 0.0, 0.02), (0.05, 0.02, 0.02), (0.1, 0.07, 0.02), (0.0, 0.0, 0.02))
"""Share of samples that fall, share that rise, tolerance: first a drop of 3 points with 2 allowed."""
WORDS = {"GO": "pass", "NO-GO": "fail", "INCONCLUSIVE": "inconclusive"}
Question = tuple[int, int, int, float]
"""(samples, gains, falls, tolerance)"""


def write_run(folder: Path, rewards: list[float]) -> Path:
    """A run folder as NeMo Evaluator leaves it: a bundle, and a line for each sample."""
    folder.mkdir(parents=True)
    bundle = {"benchmark": {"name": "b", "samples": len(rewards), "scores": {"mean_reward": {"value": 0.0}}}}
    (folder / "eval-b.json").write_text(json.dumps(bundle))
    lines = [json.dumps({"problem_idx": i, "repeat": 0, "reward": r}) for i, r in enumerate(rewards)]
    (folder / "results.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def ask_nemo() -> None:
    """In NeMo's environment: reads questions from standard input, writes a verdict for each."""
    import logging

    from nemo_evaluator.config.gate_policy import GatePolicy
    from nemo_evaluator.engine.gate import gate_runs

    logging.disable(logging.CRITICAL)
    questions: list[Question] = json.load(sys.stdin)
    found = []
    for n, up, down, tolerance in questions:
        with tempfile.TemporaryDirectory() as root:
            base = [0.0] * up + [1.0] * (n - up)
            other = [1.0] * up + [0.0] * down + [1.0] * (n - up - down)
            folders = [write_run(Path(root, name), x) for name, x in (("a", base), ("b", other))]
            rule = {"tier": "critical", "max_drop": tolerance, "metric": "mean_reward"}
            report = gate_runs(*folders, GatePolicy(benchmarks={"b": rule}))
            found.append(WORDS[report.verdict])
    json.dump(found, sys.stdout)


def draw_cells() -> dict[tuple[int, tuple[float, float, float]], Any]:
    """The gains and falls of every cell."""
    import numpy as np

    cells = {}
    for n in SIZES:
        for world in WORLDS:
            down, up, _ = world
            rng = np.random.default_rng([n, *(round(1000 * part) for part in world)])
            cells[n, world] = rng.multinomial(n, [down, up, 1.0 - down - up], size=DRAWS)[:, :2]
    return cells


def main() -> int:
    """Asks both gates about every cell; 1 where ours passes more often than it may."""
    from evalkit.stats import gate_verdict

    cells = draw_cells()
    questions = sorted(
        {(n, int(up), int(down), world[2]) for (n, world), counts in cells.items() for down, up in counts}
    )
    command = [sys.argv[1], __file__, "--worker"]
    done = subprocess.run(command, input=json.dumps(questions), capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"NeMo's environment failed: {done.stderr[-2000:]}")
        return 2
    nemo = dict(zip(questions, json.loads(done.stdout), strict=True))
    ours = {}
    for n, up, down, tolerance in questions:
        base = [0.0] * up + [1.0] * (n - up)
        other = [1.0] * up + [0.0] * down + [1.0] * (n - up - down)
        ours[n, up, down, tolerance] = gate_verdict(base, other, tolerance)
    lines = [
        "# NeMo Evaluator's gate beside ours",
        "",
        f"Made by `against_nemo.py`, {DRAWS:,} draws a cell, paired 0/1 scores, alpha .05. Where the drop is",
        "the tolerance or more, PASS is an error; where it is the tolerance or less, FAIL is.",
        "",
        "| n | fall | rise | drop allowed | NeMo GO | ours PASS | NeMo NO-GO | ours FAIL |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    broken = False
    for (n, world), counts in cells.items():
        down, up, tolerance = world
        asked = [(n, int(u), int(d), tolerance) for d, u in counts]
        rates = [
            sum(verdicts[question] == word for question in asked) / DRAWS
            for word in ("pass", "fail")
            for verdicts in (nemo, ours)
        ]
        wrong = max(
            rates[1] if down - up >= tolerance - 1e-9 else 0.0,
            rates[3] if down - up <= tolerance + 1e-9 else 0.0,
        )
        broken = broken or wrong > 0.05 + 2 * (0.05 * 0.95 / DRAWS) ** 0.5
        shown = [f"{rate:.3f}" for rate in rates]
        if down - up >= tolerance - 1e-9 and rates[0] > 0.06:
            shown[0] = f"**{shown[0]}**"
        lines.append(f"| {n:,} | {down} | {up} | {tolerance} | {' | '.join(shown)} |")
    (Path(__file__).parent / "nemo.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    return int(broken)


if __name__ == "__main__":
    if sys.argv[1:] == ["--worker"]:
        ask_nemo()
    else:
        sys.exit(main())
