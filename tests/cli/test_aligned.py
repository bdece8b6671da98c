"""Tables of comparisons and gates at any width: every line fits, no number is folded or cut."""

from __future__ import annotations

import pytest

from evalkit.pages.terminal import lines as aligned
from evalkit.pages.terminal.lines import Line, print_lines
from evalkit.pages.terminal.text import columns

HEADS = ("base", "diff", "95 %", "won/tied/lost")
LINES = [
    Line(
        "sentiment_zh · 零样本 · accuracy", "a → b", ("50.0", "−4.2", "−21.9…+13.9", "8/14/8"), "worse", "red"
    ),
    Line("sentiment_zh · 零样本 · accuracy", "a → 模型", ("5.0", "+4.2", "−1.9…+3.9", "8/14/8"), "≈", "dim"),
    Line("other", f"a → {'long/' * 30}", ("–", "–", "–", "–"), "n<50", "dim"),
]


@pytest.mark.parametrize("room", [45, 60, 80, 120, 200])
def test_every_line_fits(
    room: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Numbers go below a name that is too long; columns that are named step aside, others are whole."""
    monkeypatch.setattr(aligned, "width", lambda: room)
    print_lines(HEADS, LINES, ("won/tied/lost",))
    shown = capsys.readouterr().out
    assert all(columns(line) <= room for line in shown.splitlines())
    for line in LINES:
        assert all(number in shown for number in line.numbers[:3])
    assert "−21.9…+13.9" in shown
    assert shown.count("sentiment_zh · 零样本") == 1
    assert ("won/tied/lost" in shown) == (room > 45)
    ends = {
        columns(line[: line.index(number) + len(number)])
        for line in shown.splitlines()
        for number in ("50.0", " 5.0")
        if number in line
    }
    assert len(ends) == 1
