"""Do tests notice when the program is made wrong? `python -m benchmarks.mutants planted`, or `draw`.

`planted` makes each of the faults of planted.py and runs the one test that must find it. `draw` draws mutants
at random (the seed and the number decide which), runs the tests that concern the file, and prints what
survived; results are appended to a file of JSON lines as they come, so that a run may be cut off and resumed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from benchmarks.mutants.planted import FAULTS
from benchmarks.mutants.scope import ROOT, files, tests_of
from benchmarks.mutants.sites import Mutant, draw
from benchmarks.mutants.trial import load_heavy, prepare, try_mutant

SEED = 17
COUNT = 160
FOUND = ("killed", "hung", "broken")


def main() -> int:
    """0 when every planted fault is found, or 97 % of the drawn mutants."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("planted", "draw", "list"))
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--under", default="evalkit/", help="only files whose path begins so")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "mutants.jsonl")
    parser.add_argument("--part", default="0/1", help="this worker's share, as 0/2 and 1/2")
    parser.add_argument("--only", help="only mutants whose text contains this")
    options = parser.parse_args()
    part, parts = map(int, options.part.split("/"))
    if options.what != "list":
        folder = prepare(ROOT / "build" / f"mutants-{options.what}-{part}")
        load_heavy()
    if options.what == "planted":
        return _planted(folder, options.only or "")
    drawn = draw(
        ROOT, [path for path in files() if path.startswith(options.under)], options.count, options.seed
    )
    if options.only:
        drawn = [mutant for mutant in drawn if options.only in str(mutant)]
    if options.what == "list":
        print(*drawn, sep="\n")
        return 0
    return _try_all(drawn[part::parts], folder, options.out)


def _planted(folder: Path, only: str) -> int:
    missed = 0
    for fault in (each for each in FAULTS if only in each.name):
        source = (ROOT / fault.path).read_text(encoding="utf-8")
        if source.count(fault.old) != 1:
            print(f"GONE      {fault.name}: {fault.path} has no longer what is changed")
            missed += 1
            continue
        whole = try_mutant(folder, fault.path, source, [[fault.test]])
        wrong = try_mutant(folder, fault.path, source.replace(fault.old, fault.new), [[fault.test]])
        good = whole.word == "survived" and wrong.word == "killed"
        missed += not good
        print(f"{'found' if good else 'NOT FOUND':9} {fault.name}: {fault.test}", flush=True)
    return int(missed > 0)


def _try_all(mutants: list[Mutant], folder: Path, out: Path) -> int:
    out.parent.mkdir(parents=True, exist_ok=True)
    known = {}
    if out.exists():
        known = {row["mutant"]: row for row in map(json.loads, out.read_text(encoding="utf-8").splitlines())}
    for mutant in mutants:
        if str(mutant) in known:
            continue
        outcome = try_mutant(folder, mutant.path, mutant.source, tests_of(mutant.path))
        row = {"mutant": str(mutant), "word": outcome.word, "by": outcome.by, "seconds": outcome.seconds}
        known[str(mutant)] = row
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        print(f"{outcome.word:9} {outcome.seconds:6} s  {mutant}  {outcome.by}", flush=True)
    words = Counter(known[str(mutant)]["word"] for mutant in mutants)
    found = sum(words[word] for word in FOUND)
    print(f"{found} of {len(mutants)} found ({100 * found / max(len(mutants), 1):.1f} %): {dict(words)}")
    for mutant in mutants:
        if known[str(mutant)]["word"] == "survived":
            print(f"survived: {mutant}")
    return int(found < 0.97 * len(mutants))


if __name__ == "__main__":
    sys.exit(main())
