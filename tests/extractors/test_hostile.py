"""What reading costs grows with the length of a reply and no faster, whatever the reply holds."""

from __future__ import annotations

import time

import pytest

from evalkit.metrics.extractors import Extractor, build_extractor

STEPS = {
    "number": "number",
    "letter": {"letter": "ABCD"},
    "label": "label",
    "json": {"json": "a"},
    "reasoning": "strip_reasoning",
    "code": "code_block",
}
PIECES = (
    "A, ", "A) x\n", "a) x\n", "- [x] A) ", "✅ A ", "| A | ✅ |\n", "A. Correct\n", "<- ", "~~1~~ ",
    "1 ", "1,", "1'", "(1", "（1）", "½", "·10", "10^", "= ", "x = 1, x = ", "so 1 ", "because ",
    "between 1 and ", "answer is ", "答案是", "等等 ", "一", "十几", "一半", "two hundred and ",
    "positive or ", "not ", "{", "[", '{"a": ', '"a": ', "“a”：“", "\\nu ", "\\boxed{", "\\frac{",
    "<think>", "</think>", "`<think>`", "```\n", "def f(x):\n", "\nQuestion: ", "<|im_end|>", "\n", " ",
)  # fmt: skip


def seconds(extractor: Extractor, piece: str, length: int) -> float:
    """Processor seconds for a reply of so many characters of this piece, the fewest of two."""
    text = (piece * (length // len(piece) + 1))[:length] + "!x"
    found = []
    for _ in range(2):
        start = time.process_time()
        extractor.extract(text, ("one", "two"))
        found.append(time.process_time() - start)
    return min(found)


@pytest.mark.parametrize("name", STEPS)
def test_time_is_linear_in_the_length(name):
    """Ten times the length costs at most about ten times the time: a square would cost a hundred times."""
    extractor = build_extractor([STEPS[name]], labels=["positive", "negative"])
    for piece in PIECES:
        short = seconds(extractor, piece, 2_000)
        assert seconds(extractor, piece, 20_000) < 30 * short + 0.1, piece
