"""A gate as Markdown: the comment under a pull request, read in ten seconds."""

from __future__ import annotations

import re

from evalkit.comparing.comparison.records import Change
from evalkit.gate.records import Check, Gate
from evalkit.pages.formats import visible
from evalkit.pages.gate.wording import HEADS, TITLES, cures, explanation, footnotes, headline, row

MARK = {"pass": "✅", "fail": "❌", "inconclusive": "⚠️", "not comparable": "⛔"}
MAX_LENGTH = 60_000
"""GitHub takes comments of up to 65,536 characters."""
_SHOWN = 20
_ANSWER = 160
# What means something to Markdown or HTML, and what would make a bare address a link.
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>|~!&$]|(?<=:)/|(?<=[wW]{3})\.")
# GitHub looks for mentions and issues in the finished text, so that writing them as numbers does not help.
_NUMBER = re.compile(r"(&#\d+;)|([@#])")


def to_markdown(gate: Gate) -> str:
    """The verdict line, the table, and the newly failed samples folded away; all foreign text is text."""
    parts = [
        f"### {MARK[gate.verdict]} evalkit gate: {TITLES[gate.verdict]}",
        escape(headline(gate)),
    ]
    blocking = [obstacle for obstacle in gate.obstacles if not obstacle.allowed]
    if blocking:
        parts.append(
            "\n".join(f"- **{escape(o.kind)}** {escape(o.cell)}: {escape(o.text)}" for o in blocking[:_SHOWN])
        )
        parts.append(escape(cures(gate)))
    if gate.checks:
        parts.append(_table(gate))
    reasons = [text for text in map(explanation, gate.checks) if text]
    if gate.verdict == "inconclusive":
        parts += [f"- {escape(text)}" for text in reasons[:_SHOWN]]
    parts += [_samples(check) for check in gate.checks if check.newly_failed]
    notes = footnotes(gate)
    tail = "\n".join(f"- {escape(note)}" for note in notes)
    ids = f"baseline {code(gate.baseline)}, candidate {code(gate.candidate or 'not run')}"
    foot = f"<details><summary>How to read this</summary>\n\n{tail}\n- {ids}\n\n</details>"
    text = "\n\n".join(part for part in parts if part)
    room = MAX_LENGTH - len(foot)
    if len(text) > room:
        cut = text.rfind("\n\n<details>", 0, room)
        text = text[: cut if cut > 0 else room] + "\n\nThe rest is left out: the comment would be too long."
    return f"{text}\n\n{foot}\n"


def escape(text: str) -> str:
    """The text as Markdown that shows it as it is, on one line, and refers to nobody."""
    flat = " ".join(visible(text).split())
    numbered = _SPECIAL.sub(lambda match: f"&#{ord(match[0])};", flat)
    return _NUMBER.sub(lambda match: match[0] if match[1] else f"&#{ord(match[2])};&#8203;", numbered)


def code(text: str) -> str:
    """The text in code style, whatever it holds."""
    return f"<code>{escape(text)}</code>"


def _table(gate: Gate) -> str:
    many = len({check.candidate.model for check in gate.checks}) > 1
    ordered = sorted(gate.checks, key=lambda c: ("fail", "inconclusive", "pass").index(c.verdict))
    lines = [f"| {' | '.join(HEADS)} |", "|" + " --- |" * 2 + " ---: |" * 7 + " --- |"]
    for check in ordered:
        cells = [escape(text) for text in row(check, many)]
        cells[-1] = f"{MARK[check.verdict]} {cells[-1]}"
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _samples(check: Check) -> str:
    """The newly failed samples of a check in a folded table."""
    title = f"{check.n_newly_failed} newly failed, {check.n_newly_fixed} newly fixed: "
    title += f"{check.candidate.task} · {check.candidate.variant} · {check.metric}"
    lines = ["| sample | target | baseline | candidate |", "| --- | --- | --- | --- |"]
    lines += [_line(each) for each in check.newly_failed[:_SHOWN]]
    more = check.n_newly_failed - min(len(check.newly_failed), _SHOWN)
    rest = f"\n\n{more} more; all of them with --json" if more > 0 else ""
    body = "\n".join(lines)
    return f"<details><summary>{escape(title)}</summary>\n\n{body}{rest}\n\n</details>"


def _line(each: Change) -> str:
    target = " / ".join(each.target[:3])
    cells = [code(each.sample_id), *map(_answer, (target, each.base_answer, each.other_answer))]
    return f"| {' | '.join(cells)} |"


def _answer(text: str | None) -> str:
    if text is None:
        return "no answer"
    return code(text if len(text) <= _ANSWER else text[:_ANSWER] + "…")
