"""Prints what tests/contract found as a table in Markdown: LiteLLM's version x lane x provider.

    python ci/contract_table.py FILE.json...

A file is a list of {"litellm", "openai", "lane", "route", "outcome"}, one for each test.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path


def main() -> None:
    """Print the table; a cell is ok, or how many of its tests failed."""
    rows = [row for file in sys.argv[1:] for row in json.loads(Path(file).read_text(encoding="utf-8"))]
    print("\n".join(table(rows)))


def table(rows: list[dict[str, str]]) -> list[str]:
    """The lines of the table, versions in order, lanes and providers as the tests have them."""
    cells: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in rows:
        cells[version(row), row["lane"], row["route"].partition("/")[0]].append(row["outcome"])
    versions = sorted(
        {key[0] for key in cells}, key=lambda text: [int(n) for n in text.split()[0].split(".")]
    )
    lanes, providers = (list(dict.fromkeys(key[at] for key in cells)) for at in (1, 2))
    lines = [
        f"| LiteLLM | lane | {' | '.join(providers)} |",
        f"| --- | --- |{' --- |' * len(providers)}",
    ]
    for one in versions:
        for lane in lanes:
            found = [cell(cells.get((one, lane, provider), [])) for provider in providers]
            lines.append(f"| {one} | {lane} | {' | '.join(found)} |")
    return lines


def version(row: dict[str, str]) -> str:
    """A row's versions of LiteLLM and, by its major, openai."""
    return f"{row['litellm']} (openai {row['openai'].partition('.')[0]})"


def cell(outcomes: list[str]) -> str:
    """ok, how many of the tests failed, or a dot where there was none."""
    failed = sum(outcome != "passed" for outcome in outcomes)
    return f"**{failed} of {len(outcomes)} failed**" if failed else "ok" if outcomes else "·"


if __name__ == "__main__":
    main()
