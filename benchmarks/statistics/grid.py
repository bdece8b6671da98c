"""How often do verdicts and intervals err? One grid over all statistics, corners included, before and after.

    python benchmarks/statistics/grid.py            # every cell that is not yet in grid.jsonl, then grid.md
    python benchmarks/statistics/grid.py gate       # only the families whose name begins so
    python benchmarks/statistics/grid.py --table    # only grid.md

Each cell draws data whose truth lies exactly where an error is most likely (a drop of the tolerance, equal
models, the true value of an interval) and counts errors: of PASS, of FAIL, of "better", of either end of a
95 % interval. "before" is the method of 0.1.0 on the same draws: jackknife and Student's t, Satterthwaite's
t, missing samples left out. A cell is seeded by its name. What is done is kept in grid.jsonl, so that the
command goes on where it was ended.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from gates import (
    gates_of_amounts,
    gates_of_classes,
    gates_of_means,
    gates_of_sums,
    gates_over_tasks,
)
from places import power_cells, rank_cells
from shown import shown_corpus, shown_means, shown_overall
from worlds import MANY, NAN, Cell

HERE = Path(__file__).parent
KEPT, TABLE = HERE / "grid.jsonl", HERE / "grid.md"


def cells() -> Iterator[Cell]:
    """All cells of the grid."""
    yield from shown_means()
    yield from shown_corpus()
    yield from shown_overall()
    yield from gates_of_means()
    yield from gates_of_classes()
    yield from gates_of_sums()
    yield from gates_over_tasks()
    yield from gates_of_amounts()
    yield from rank_cells()
    yield from power_cells()


def run_cell(cell: Cell, draws: int) -> dict[str, Any]:
    """The rates of a cell, with the time that it took."""
    seed = int.from_bytes(hashlib.sha256(cell.key.encode()).digest()[:8], "big")
    rng = np.random.default_rng(seed)
    start = time.perf_counter()
    sums: dict[str, float] = {}
    for _ in range(draws):
        for name, value in cell.draw(rng).items():
            sums[name] = sums.get(name, 0.0) + float(value)
    rates = {name: total / draws for name, total in sums.items()}
    return {"key": cell.key, "draws": draws, "rates": rates, "seconds": time.perf_counter() - start}


def errors(result: dict[str, Any]) -> float:
    """The largest rate of an error of the method as it is."""
    names = ("missed", "false PASS", "false FAIL", "false better")
    return max((result["rates"][name] for name in names if name in result["rates"]), default=0.0)


def broken(cell: Cell, result: dict[str, Any]) -> bool:
    """Whether an error exceeds its limit by more than two standard errors of the simulation."""
    spread = (cell.limit * max(1.0 - cell.limit, 0.0) / result["draws"]) ** 0.5
    return bool(errors(result) > cell.limit + 2.0 * spread)


def read() -> dict[str, dict[str, Any]]:
    """What is already done."""
    if not KEPT.is_file():
        return {}
    lines = map(json.loads, KEPT.read_text(encoding="utf-8").splitlines())
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        if line["draws"] >= found.get(line["key"], line)["draws"]:
            found[line["key"]] = line
    return found


def keep(result: dict[str, Any]) -> None:
    """The result at the end of the file."""
    with KEPT.open("a", encoding="utf-8") as file:
        file.write(json.dumps(result) + "\n")


def table(wanted: list[Cell], done: dict[str, dict[str, Any]]) -> str:
    """The grid as Markdown."""
    seconds = sum(done[cell.key]["seconds"] for cell in wanted if cell.key in done)
    n_broken = sum(broken(cell, done[cell.key]) for cell in wanted if cell.key in done)
    missing = sum(cell.key not in done for cell in wanted)
    lines = [
        "# Grid",
        "",
        f"Made by `grid.py`: {len(wanted) - missing} of {len(wanted)} cells, {seconds / 60:.0f} minutes on "
        f"one core; {n_broken} beyond their limit by more than two standard errors.",
    ]
    family = ""
    for cell in wanted:
        result = done.get(cell.key)
        if result is None:
            continue
        if cell.family != family:
            family = cell.family
            names = list(result["rates"])
            limit = (
                "none is valid: the product says approximate, or cannot tell"
                if np.isnan(cell.limit)
                else f"{cell.limit}"
            )
            lines += ["", f"## {family}", "", f"Limit of errors: {limit}.", ""]
            lines += [
                f"| cell | {' | '.join(names)} | draws | |",
                "| --- |" + " ---: |" * (len(names) + 1) + " --- |",
            ]
        numbers = " | ".join(f"{result['rates'].get(name, NAN):.3f}".replace("nan", "") for name in names)
        mark = "**over**" if broken(cell, result) else ""
        lines.append(f"| {cell.name} | {numbers} | {result['draws']:,} | {mark} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Runs what is not yet done, then the twenty worst with more draws; 1 where a guarantee breaks."""
    chosen = [word for word in sys.argv[1:] if not word.startswith("-")]
    everything = list(cells())
    wanted = [
        cell for cell in everything if not chosen or any(cell.family.startswith(word) for word in chosen)
    ]
    done = read()
    if "--table" not in sys.argv:
        for cell in wanted:
            if cell.key not in done:
                done[cell.key] = run_cell(cell, cell.draws)
                keep(done[cell.key])
                print(
                    f"{cell.key}: {done[cell.key]['rates']} ({done[cell.key]['seconds']:.0f} s)", flush=True
                )
        bounded = [cell for cell in everything if cell.key in done and cell.limit < 0.5]
        worst = sorted(bounded, key=lambda cell: errors(done[cell.key]) - cell.limit, reverse=True)[:20]
        for cell in worst:
            if done[cell.key]["draws"] < MANY and not chosen:
                done[cell.key] = run_cell(cell, MANY)
                keep(done[cell.key])
                print(
                    f"{cell.key}: {done[cell.key]['rates']} ({done[cell.key]['seconds']:.0f} s)", flush=True
                )
    TABLE.write_text(table(everything, done), encoding="utf-8")
    return int(any(broken(cell, done[cell.key]) for cell in everything if cell.key in done))


if __name__ == "__main__":
    sys.exit(main())
