"""The time of likelihoods, side by side with lm_eval: the model's phase, and the whole command.

    python benchmarks/hf/speed.py --python /tmp/lmeval/bin/python --data DIR [--rounds 3] [--limit 200]

Both sides take turns on the same model and task files; lm_eval with batches of 8. Shown are medians, wall
and CPU seconds (CPU time of all threads, which a busy machine disturbs less), and their ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from parity import ask_own, ask_peer
from setting import make_setting

SETTINGS = {
    "arc_sampled, 5 shots for each document": (("arc_sampled",), 5, 1.0),
    "arc_fixed, one 5-shot beginning": (("arc_fixed",), 5, 1.0),
    "hellaswag_sampled, 10 shots for each document": (("hellaswag_sampled",), 10, 0.5),
    "wikitext, windows": (("wikitext_local",), 0, 0.1),
}
"""Name -> tasks, shots, share of --limit."""


def measured(call: Callable[[], dict[str, Any]]) -> dict[str, float]:
    """Seconds of the phase and of the whole command, wall and CPU."""
    started, before = time.perf_counter(), os.times()
    found = call()
    after = os.times()
    return {
        "phase wall": found["phase_s"],
        "phase CPU": found["phase_cpu_s"],
        "whole wall": time.perf_counter() - started,
        "whole CPU": after.children_user
        + after.children_system
        - before.children_user
        - before.children_system,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", required=True, help="the interpreter of an environment with lm_eval")
    parser.add_argument("--data", type=Path, required=True, help="the folder of benchmark data")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "evalkit-hf-setting")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--only", default="", help="part of a setting's name")
    options = parser.parse_args()
    folder = make_setting(options.folder, options.data)
    out = Path(tempfile.mkdtemp())
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    print(f"threads: {threads}; documents: {options.limit}; rounds: {options.rounds}; load {os.getloadavg()}")
    print("| setting | what | lm_eval, s | evalkit, s | ratio |")
    print("| --- | --- | --- | --- | --- |", flush=True)
    for name, (tasks, shots, share) in SETTINGS.items():
        if options.only not in name:
            continue
        limit = max(1, int(options.limit * share))
        theirs, ours = [], []
        for _ in range(options.rounds):
            theirs.append(
                measured(
                    lambda t=tasks, s=shots, n=limit: ask_peer(
                        options.python, folder, out / "p.json", t, s, n
                    )
                )
            )
            ours.append(
                measured(lambda t=tasks, s=shots, n=limit: ask_own(folder, out / "o.json", t, s, n)[0])
            )
        for what in theirs[0]:
            peer, own = (statistics.median(row[what] for row in rows) for rows in (theirs, ours))
            print(
                f"| {name}, {limit} documents | {what} | {peer:.1f} | {own:.1f} | {peer / own:.1f} |",
                flush=True,
            )
    print(json.dumps({"load": os.getloadavg()}))


if __name__ == "__main__":
    main()
