"""How often each reference of math_equal calls forms of the same, and of another, answer equal.

    python benchmarks/mathematics.py ANSWERS.jsonl [--step 3]

ANSWERS.jsonl has a column `answer`, such as MATH-500 has it. Each answer is crossed with what models write in
its place; every third pair is judged. Prints a Markdown table, kinds of change against references.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from evalkit.core.records import Response
from evalkit.metrics.base import Case, Context
from evalkit.metrics.mathematics import REFERENCES, MathEqual


def crossed(answers: list[str]) -> Iterator[tuple[str, str, str]]:
    """(kind of change, answer, changed answer)."""
    for number, gold in enumerate(answers):
        yield "a full stop", gold, gold + "."
        yield "without spaces", gold, gold.replace(" ", "")
        yield "in dollars", gold, f"${gold}$"
        yield r"\dfrac", gold, gold.replace(r"\frac", r"\dfrac")
        yield "x =", gold, f"x={gold}"
        if "," in gold:
            yield "other brackets", gold, gold.replace("(", "[").replace(")", "]")
            yield "in reverse", gold, ",".join(reversed(gold.strip("()[]").split(",")))
        yield "the next answer", gold, answers[(number + 1) % len(answers)]
        yield "the other sign", gold, gold[1:] if gold.startswith("-") else f"-{gold}"
        yield "percent", gold, rf"{gold}\%"
        yield "cm", gold, rf"{gold}\text{{ cm}}"
        yield "degrees", gold, rf"{gold}^\circ"
        yield from _numbers(gold)


def _numbers(gold: str) -> Iterator[tuple[str, str, str]]:
    """Changes of whole numbers and fractions."""
    if re.fullmatch(r"-?\d+", gold):
        whole = int(gold)
        yield "one more", gold, str(whole + 1)
        yield ".0", gold, f"{gold}.0"
        yield "as a fraction", gold, rf"\frac{{{2 * whole}}}{{2}}"
        yield "a hundredth", gold, str(whole / 100)
        yield "1.00001 times", gold, f"{whole * 1.00001:.6f}"
    fraction = re.fullmatch(r"(-?)\\frac\{(\d+)\}\{(\d+)\}", gold)
    if fraction:
        sign, above, below = fraction.groups()
        yield "a/b", gold, f"{sign}{above}/{below}"
        yield "in decimals", gold, f"{sign}{int(above) / int(below)}"
        yield "sign inside", gold, rf"\frac{{{sign}{above}}}{{{below}}}"
        yield "not reduced", gold, rf"{sign}\frac{{{2 * int(above)}}}{{{2 * int(below)}}}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("answers", type=Path)
    parser.add_argument("--step", type=int, default=3)
    given = parser.parse_args()
    answers = [json.loads(line)["answer"] for line in given.answers.read_text("utf-8").splitlines()]
    metrics = [MathEqual(Context(), reference=name) for name in REFERENCES]
    metrics.append(MathEqual(Context(), strict=True))
    equal: dict[str, list[int]] = defaultdict(lambda: [0] * (1 + len(metrics)))
    pairs = [pair for pair in crossed(answers) if pair[1] != pair[2]]
    for kind, gold, answer in pairs[:: given.step]:
        case = Case(answer, Response(text=answer), (gold,))
        for place, found in enumerate([1.0, *(metric.score(case) for metric in metrics)]):
            equal[kind][place] += int(found)
    print(f"| change | pairs | {' | '.join([*REFERENCES, 'strict'])} |")
    print("| --- |" + " ---: |" * (1 + len(metrics)))
    for kind, counts in equal.items():
        print(f"| {kind} | {' | '.join(map(str, counts))} |")


if __name__ == "__main__":
    main()
