"""Battles: decisions between two answers to one prompt, read from the files of several tools.

    evalkit        battles.jsonl, as `evalkit arena` writes it
    AlpacaEval     annotations.json: preference 1 is for output_1, 2 for output_2, between them a weighted
                   vote, 0 or 1.5 a draw, null no verdict (https://github.com/tatsu-lab/alpaca_eval)
    MT-Bench       *_pair.jsonl with g1_winner and g2_winner, one for each order; and lines with model_a,
                   model_b and winner, as of people or Chatbot Arena (https://github.com/lm-sys/FastChat)

All are told apart by their keys.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from evalkit.core.errors import DataError
from evalkit.core.records import digest
from evalkit.store.folders import write_private

BATTLES_FILE = "battles.jsonl"


@dataclass(frozen=True, slots=True)
class Battle:
    """One decision between the answers of two models to one prompt."""

    prompt: str
    """Names the prompt; battles on one prompt are dependent."""
    a: str
    """The first model's name."""
    b: str
    """The second model's name."""
    outcome: float | None
    """1: a wins, 0: b wins, 1/2: a tie, between: a weighted vote; None when there is no verdict."""
    judge: str = ""
    """Who decided; empty when the file does not say."""
    verdict: str | None = None
    """The judge's word: A, B, tie, or inconsistent when it changed with the order of the answers."""
    reasoning: str | None = None
    """Why, in the judge's words; None when it does not say."""
    length_a: int | None = None
    """Characters of a's answer; None when unknown."""
    length_b: int | None = None
    """Characters of b's answer; None when unknown."""
    why: str | None = None
    """Why there is no verdict; None when there is one."""


def read_battles(path: Path) -> list[Battle]:
    """The battles of a file, in its order. Raises DataError with file and row for what is none."""
    rows = _rows(path)
    battles = []
    for number, row in enumerate(rows, start=1):
        where = f"{path}, row {number}"
        if not isinstance(row, Mapping):
            raise DataError(f"{where}: a battle is a JSON object, not {type(row).__name__}")
        reader = next((reader for keys, reader in _READERS if keys <= row.keys()), None)
        if reader is None:
            raise DataError(
                f"{where}: no battle that is known. Known are rows with the keys: "
                + "; ".join(", ".join(sorted(keys)) for keys, _ in _READERS)
            )
        try:
            battle = reader(row)
        except (TypeError, ValueError) as error:
            raise DataError(f"{where}: {error}") from error
        if battle.a == battle.b:
            raise DataError(f"{where}: {battle.a!r} stands against itself")
        battles.append(battle)
    if not battles:
        raise DataError(f"{path} holds no battles")
    return battles


def write_battles(path: Path, battles: Iterable[Battle]) -> Path:
    """The path, written as JSON lines."""
    lines = (orjson.dumps(battle, option=orjson.OPT_APPEND_NEWLINE) for battle in battles)
    write_private(path, b"".join(lines))
    return path


def _rows(path: Path) -> Iterator[Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error
    if content.lstrip()[:1] == b"[":
        try:
            yield from orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise DataError(f"{path} is not JSON: {error}") from error
        return
    for number, line in enumerate(content.splitlines(), start=1):
        if line.strip():
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise DataError(f"{path}, line {number}: not JSON ({error})") from error


def _own(row: Mapping[str, Any]) -> Battle:
    outcome = row["outcome"]
    if outcome is not None and not (_is_number(outcome) and 0 <= outcome <= 1):
        raise ValueError(f"outcome is a number from 0 to 1, or null, not {outcome!r}")
    known = {name: row.get(name) for name in Battle.__slots__ if name in row}
    return Battle(**{**known, "outcome": None if outcome is None else float(outcome)})  # type: ignore[arg-type]


def _alpaca(row: Mapping[str, Any]) -> Battle:
    preference = row["preference"]
    outcome: float | None
    if preference is None or (_is_number(preference) and math.isnan(preference)):
        outcome = None
    elif not _is_number(preference) or not (preference == 0 or 1 <= preference <= 2):
        raise ValueError(f"preference is 0, null or a number from 1 to 2, not {preference!r}")
    else:
        outcome = 0.5 if preference == 0 else float(preference) - 1.0
    dataset = row.get("dataset")
    return Battle(
        prompt=digest([dataset, row["instruction"]])[:16],
        a=str(row["generator_2"]),  # the model that is judged; output_1 is the baseline
        b=str(row["generator_1"]),
        outcome=outcome,
        judge=str(row.get("annotator") or ""),
        length_a=_length(row.get("output_2")),
        length_b=_length(row.get("output_1")),
        why="no preference" if outcome is None else None,
    )


_MT_BENCH = {"model_1": 1.0, "model_2": 0.0, "tie": 0.5}


def _both_orders(row: Mapping[str, Any]) -> Battle:
    """MT-Bench: each order has its winner, named by the models' own places; if they differ it is a tie."""
    one, two = (_MT_BENCH.get(str(row[key])) for key in ("g1_winner", "g2_winner"))
    known = one is not None and two is not None
    outcome = None if not known else one if one == two else 0.5
    verdict = (
        None if not known else {1.0: "A", 0.0: "B", 0.5: "tie"}[one or 0.0] if one == two else "inconsistent"
    )
    judge = row.get("judge", "")
    return Battle(
        prompt=f"{row['question_id']}:{row.get('turn', 1)}",
        a=str(row["model_1"]),
        b=str(row["model_2"]),
        outcome=outcome,
        judge=str(judge[0] if isinstance(judge, list) and judge else judge),
        verdict=verdict,
        reasoning=row.get("g1_judgment"),
        why=None if known else "the judge gave no verdict",
    )


def _one_vote(row: Mapping[str, Any]) -> Battle:
    winner = str(row["winner"])
    outcomes = {"model_a": 1.0, "model_b": 0.0}
    outcome = 0.5 if winner.startswith("tie") else outcomes.get(winner)
    prompt = row.get("question_id", row.get("prompt"))
    if prompt is None and isinstance(row.get("conversation_a"), list):
        prompt = digest(row["conversation_a"][:1])[:16]
    judge = row.get("judge", "")
    return Battle(
        prompt=str(prompt if prompt is not None else digest(dict(row))[:16])
        + (f":{row['turn']}" if "turn" in row else ""),
        a=str(row["model_a"]),
        b=str(row["model_b"]),
        outcome=outcome,
        judge=str(judge[0] if isinstance(judge, list) and judge else judge),
        why=None if outcome is not None else f"winner {winner!r}",
    )


_READERS: tuple[tuple[frozenset[str], Callable[[Mapping[str, Any]], Battle]], ...] = (
    (frozenset({"prompt", "a", "b", "outcome"}), _own),
    (frozenset({"instruction", "generator_1", "generator_2", "preference"}), _alpaca),
    (frozenset({"question_id", "model_1", "model_2", "g1_winner", "g2_winner"}), _both_orders),
    (frozenset({"model_a", "model_b", "winner"}), _one_vote),
)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _length(text: object) -> int | None:
    return len(text) if isinstance(text, str) else None


def models_of(battles: Iterable[Battle]) -> list[str]:
    """The models in the order of their first battle."""
    return list(dict.fromkeys(itertools.chain.from_iterable((battle.a, battle.b) for battle in battles)))
