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

from benchmarks.mutants.memory import is_inside, try_in_memory
from benchmarks.mutants.planted import FAULTS
from benchmarks.mutants.scope import ROOT, files, tests_of
from benchmarks.mutants.sites import Mutant, draw
from benchmarks.mutants.trial import Outcome, load_heavy, prepare, try_mutant

SEED = 17
COUNT = 160
FOUND = ("killed", "hung", "broken")
LEVELS = 3
LEFT = {"word": "survived"}


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
    parser.add_argument("--disk", action="store_true", help="try all on disk, slowly")
    options = parser.parse_args()
    part, parts = map(int, options.part.split("/"))
    folder = ROOT
    if options.what != "list":
        folder = prepare(ROOT / "build" / f"mutants-{options.what}-{part}")
        load_heavy()
    if options.what == "planted":
        return _planted(folder, options.only or "")
    drawn = draw(
        folder,
        [path for path in files(folder) if path.startswith(options.under)],
        options.count,
        options.seed,
    )
    if options.only:
        drawn = [mutant for mutant in drawn if options.only in str(mutant)]
    if options.what == "list":
        print(*drawn, sep="\n")
        return 0
    return _try_all(drawn[part::parts], folder, options.out.resolve(), not options.disk)


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


def _read(out: Path) -> dict[str, dict[str, str]]:
    """Mutant -> its outcome, of those that were tried."""
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    return {row["mutant"]: row for row in map(json.loads, lines)}


def _try_all(mutants: list[Mutant], folder: Path, out: Path, fast: bool) -> int:
    out.parent.mkdir(parents=True, exist_ok=True)

    def tell(mutant: Mutant, outcome: Outcome) -> None:
        row = {"mutant": str(mutant), "word": outcome.word, "by": outcome.by, "seconds": outcome.seconds}
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        line = f"{outcome.word:9} {outcome.seconds:6} s  {mutant}  {outcome.by}"
        print(line, file=sys.__stderr__, flush=True)

    known = _read(out)
    left = [mutant for mutant in mutants if known.get(str(mutant), LEFT)["word"] == "survived"]
    sources = {path: (folder / path).read_text(encoding="utf-8") for path in {m.path for m in left}}
    inside = [mutant for mutant in left if fast and is_inside(mutant, sources[mutant.path])]
    for level in range(LEVELS):  # the tests that are likeliest to see it first, for all mutants
        groups: dict[tuple[str, ...], list[Mutant]] = {}
        for mutant in inside:
            tests = tests_of(folder, mutant.path)
            if len(tests) > level and _read(out).get(str(mutant), LEFT)["word"] == "survived":
                groups.setdefault(tuple(tests[level]), []).append(mutant)
        for tests_now, group in groups.items():
            try_in_memory(folder, group, tests_now, tell)
    known = _read(out)
    for mutant in left:
        if str(mutant) not in known:
            tell(mutant, try_mutant(folder, mutant.path, mutant.source, tests_of(folder, mutant.path)))
    known = _read(out)
    words = Counter(known[str(mutant)]["word"] for mutant in mutants)
    found = sum(words[word] for word in FOUND)
    print(f"{found} of {len(mutants)} found ({100 * found / max(len(mutants), 1):.1f} %): {dict(words)}")
    for mutant in mutants:
        if known[str(mutant)]["word"] == "survived":
            print(f"survived: {mutant}")
    return int(found < 0.97 * len(mutants))


if __name__ == "__main__":
    sys.exit(main())
