"""The replies that people read are well formed; nothing here runs an extractor."""

import json
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "replies"
SETS = ("by_readers", "after_code", "after_mending")
KINDS = {
    "letter": "letters",
    "number": "numbers",
    "label": "labels",
    "json": "json",
    "reasoning": "reasoning",
    "code": "code",
}
FILES = sorted(path for name in SETS for path in (FOLDER / name).glob("*.jsonl"))
REASONS = {
    "none",
    "several",
    "hedged",
    "refused",
    "negated",
    "cut off",
    "range",
    "clock",
    "ordinal",
    "ratio",
    "no number",
}
ALWAYS = {"id", "kind", "language", "template", "style", "reply", "answer"}
SOMETIMES = {
    "letter": {"choices"},
    "number": set(),
    "label": {"labels"},
    "json": {"keys"},
    "reasoning": {"asked"},
    "code": set(),
}


def lines(path: Path) -> list[dict]:
    """The replies of one file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


ALL = [reply for path in FILES for reply in lines(path)]


def well_answered(asked: str, reply: dict) -> bool:
    """Whether the answer has the form of what was asked for."""
    answer = reply["answer"]
    if asked == "letter":
        return answer in list("ABCDEFGHIJ")[: len(reply["choices"])]
    if asked == "number":
        return (
            bool(re.fullmatch(r"-?\d+(\.\d+)?%?|-?\d+/[1-9]\d*", answer))
            and Fraction(answer.rstrip("%")) is not None
        )
    if asked == "label":
        return answer in reply["labels"]
    if asked == "json":
        return list(answer) == reply["keys"]
    return isinstance(answer, str) and answer == answer.strip() != ""


def test_every_kind_is_there_in_both_languages() -> None:
    """Each kind has a file in English and one in Chinese."""
    assert sorted(path.stem for path in FILES) == sorted(
        f"{name}_{language}" for name in KINDS.values() for language in ("en", "zh") for _ in SETS
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_line_holds_what_its_kind_needs(path: Path) -> None:
    """Fields, kind and language of each line are those of its file."""
    name, language = path.stem.rsplit("_", 1)
    for reply in lines(path):
        needed = ALWAYS | SOMETIMES[reply["kind"]] | ({"why"} if reply["answer"] is None else set())
        if reply["kind"] == "reasoning":
            needed |= {"letter": {"choices"}, "label": {"labels"}}.get(reply["asked"], set())
        assert set(reply) == needed, reply["id"]
        assert (KINDS[reply["kind"]], reply["language"]) == (name, language), reply["id"]
        assert all(isinstance(reply[field], str) for field in ALWAYS - {"answer"}), reply["id"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_an_answer_is_of_the_kind_asked_for(path: Path) -> None:
    """A letter or label is among those offered, a number is one, and null says why."""
    for reply in lines(path):
        if reply["answer"] is None:
            assert reply["why"] in REASONS, reply["id"]
        else:
            assert well_answered(reply.get("asked", reply["kind"]), reply), reply["id"]


def test_ids_are_unique() -> None:
    """No two replies share an id."""
    assert [name for name, times in Counter(reply["id"] for reply in ALL).items() if times > 1] == []


def test_no_reply_is_there_twice() -> None:
    """No two lines ask the same of the same reply."""
    seen = Counter(
        (
            reply["kind"],
            reply["reply"],
            json.dumps([reply.get(k) for k in ("choices", "labels", "keys", "asked")]),
        )
        for reply in ALL
    )
    assert [what for what, times in seen.items() if times > 1] == []


def test_at_most_ten_replies_share_a_template() -> None:
    """A frame of words counts for ten replies at most, and belongs to one file."""
    assert max(Counter(reply["template"] for reply in ALL).values()) <= 10
    assert (
        max(
            Counter(
                template for template, _, _ in {(r["template"], r["kind"], r["language"]) for r in ALL}
            ).values()
        )
        == 1
    )


def test_the_set_is_large_and_half_of_it_chinese() -> None:
    """At least 1,600 replies, several hundred templates, eight families, the languages in balance."""
    languages = Counter(reply["language"] for reply in ALL)
    assert len(ALL) >= 1600
    assert len({reply["template"] for reply in ALL}) >= 400
    assert len({reply["style"] for reply in ALL}) >= 8
    assert 0.45 <= languages["zh"] / len(ALL) <= 0.55
