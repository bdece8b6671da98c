"""A gate as JUnit XML: one test case for each check, as CI servers show them."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from evalkit.gate.records import Check, Gate
from evalkit.pages.gate.wording import HEADS, TITLES, cures, explanation, footnotes, headline, row

# XML 1.0 allows no other characters, not even escaped: https://www.w3.org/TR/xml/#charsets
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SHOWN = 50


def to_junit(gate: Gate, *, strict: bool = False) -> str:
    """The document: fail is a failure; inconclusive is skipped, or a failure when strict; not comparable is
    an error. Valid XML whatever the texts hold."""
    cases = [_case(check, strict) for check in gate.checks]
    blocking = [obstacle for obstacle in gate.obstacles if not obstacle.allowed]
    for obstacle in blocking:
        name = f"comparable: {obstacle.kind}: {obstacle.cell}"
        body = f"<error type={_attribute(obstacle.kind)} message={_attribute(obstacle.text)}>"
        cases.append(
            ("error", _open(name, "evalkit.gate") + body + f"{_text(cures(gate))}</error></testcase>")
        )
    counts = {kind: sum(1 for found, _ in cases if found == kind) for kind in ("failure", "error", "skipped")}
    totals = (
        f'tests="{len(cases)}" failures="{counts["failure"]}" errors="{counts["error"]}" '
        f'skipped="{counts["skipped"]}" time="0"'
    )
    summary = f"{TITLES[gate.verdict]}: {headline(gate)}\n" + "\n".join(footnotes(gate))
    properties = "".join(
        f"<property name={_attribute(name)} value={_attribute(value)}/>"
        for name, value in (
            ("verdict", gate.verdict),
            ("baseline", gate.baseline),
            ("candidate", gate.candidate),
            ("alpha", f"{gate.alpha:g}"),
            ("target", gate.target),
        )
    )
    body = "\n    ".join(case for _, case in cases)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites name="evalkit gate" {totals.split(" skipped")[0]} time="0">\n'
        f'  <testsuite name="evalkit gate" {totals}>\n'
        f"    <properties>{properties}</properties>\n"
        f"    {body}\n"
        f"    <system-out>{_text(summary)}</system-out>\n"
        "  </testsuite>\n"
        "</testsuites>\n"
    )


def _case(check: Check, strict: bool) -> tuple[str, str]:
    """What became of a check, and its element."""
    where = f"{check.candidate.task}.{check.candidate.variant}"
    name = f"{check.metric} ({check.rule}) {check.candidate.model}"
    opening = _open(name, where)
    numbers = "; ".join(f"{head}: {value}" for head, value in zip(HEADS, row(check, True), strict=True))
    details = "\n".join([numbers, explanation(check), *_changes(check)])
    if check.verdict == "pass":
        return "pass", f"{opening}<system-out>{_text(numbers)}</system-out></testcase>"
    if check.verdict == "inconclusive" and not strict:
        return "skipped", f"{opening}<skipped message={_attribute('inconclusive: ' + details)}/></testcase>"
    message = f"{check.verdict}: {numbers}"
    failure = (
        f"<failure type={_attribute(check.verdict)} message={_attribute(message)}>{_text(details)}</failure>"
    )
    return "failure", f"{opening}{failure}</testcase>"


def _changes(check: Check) -> list[str]:
    lines = [
        f"newly failed: {each.sample_id}: {each.base_answer!r} -> {each.other_answer!r} "
        f"(target {each.target!r})"
        for each in check.newly_failed[:_SHOWN]
    ]
    if check.n_newly_failed > len(lines):
        lines.append(f"... and {check.n_newly_failed - len(lines)} more")
    return lines


def _open(name: str, classname: str) -> str:
    return f'<testcase name={_attribute(name)} classname={_attribute(classname)} time="0">'


def _text(text: str) -> str:
    return escape(_FORBIDDEN.sub(_shown, text))


def _attribute(text: str) -> str:
    # A line feed in an attribute is read back as a space unless it is written as a number.
    return quoteattr(_FORBIDDEN.sub(_shown, text), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _shown(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
