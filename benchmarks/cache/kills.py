"""Kill -9 at random moments, run again until complete: is anything paid for twice, are the scores the same?

    python benchmarks/cache/kills.py --kills 50                  one process, SQLite
    python benchmarks/cache/kills.py --kills 50 --processes 2    two processes that share the cache
    python benchmarks/cache/kills.py --kills 50 --postgres       a PostgreSQL started for the purpose
    python benchmarks/cache/kills.py --rounds 5 --kills 0 --processes 2    nobody dies: the work is shared

Every round kills one to three times and then runs to the end. Three promises are held against each round:
a kill catches at most as many calls in flight (sent, answer not yet on the disk) as there are connections; no
other call is ever repeated; the final scores are those of an undisturbed run, byte for byte. Exit code 1 when
one is broken. tests/kills.py says how it is counted.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from kills import CONNECTIONS, Outcome, stage  # noqa: E402
from postgres import postgres  # noqa: E402


def main() -> None:
    """Nothing; prints one line for each round that broke a promise, and the sums."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=50, help="stop when so many processes were killed")
    parser.add_argument("--rounds", type=int, default=1000, help="... or after so many rounds")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1500, help="... or after so long")
    given = parser.parse_args()
    rng = random.Random(f"{given.seed} {given.processes} {given.postgres}")
    outcomes: list[Outcome] = []
    broken = 0
    with contextlib.ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        scene = stack.enter_context(stage(work, given.samples))
        wanted = scene.undisturbed()
        began = time.monotonic()
        while sum(outcome.kills for outcome in outcomes) < max(given.kills, 1):
            if time.monotonic() - began > given.seconds or len(outcomes) == given.rounds:
                break
            with postgres() if given.postgres else contextlib.nullcontext(None) as url:
                cache = url or str(work / f"cache{len(outcomes)}.db")
                outcome = scene.round(
                    cache,
                    rng,
                    processes=given.processes,
                    kills=rng.randint(1, 3) if given.kills else 0,
                )
            outcomes.append(outcome)
            again = sum(outcome.unexplained.values())
            same = outcome.scores == wanted
            if again or not same or max(outcome.in_flight, default=0) > CONNECTIONS:
                broken += 1
                print(
                    f"round {len(outcomes)}: in flight at the kills {outcome.in_flight}, "
                    f"{outcome.repeated} repeated, {again} of them not in flight, same scores: {same}"
                )
            for out in work.glob("out*"):
                shutil.rmtree(out)
    in_flight = [number for outcome in outcomes for number in outcome.in_flight]
    repeated = sum(outcome.repeated for outcome in outcomes)
    unexplained = sum(sum(outcome.unexplained.values()) for outcome in outcomes)
    print(
        f"{len(outcomes)} rounds, {len(in_flight)} kills, {len(outcomes) * given.samples} answers needed; "
        f"in flight at a kill: mean {statistics.fmean(in_flight or [0]):.1f}, most "
        f"{max(in_flight, default=0)} of {CONNECTIONS} connections; "
        f"{repeated} repeated ({repeated / max(len(in_flight), 1):.1f} a kill), "
        f"{unexplained} of them not in flight; {broken} rounds with a broken promise"
    )
    raise SystemExit(broken > 0)


if __name__ == "__main__":
    main()
