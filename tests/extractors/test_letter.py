"""The letter of a multiple-choice reply, in English and Chinese."""

from __future__ import annotations

import pytest

from evalkit.metrics.extractors import build_extractor

# The golden cases of reference/chinese-metrics.md, section "Task pack and golden tests".
GOLDEN = {
    "答案：B": "B",
    "答案：Ｂ": "B",
    "**答案：B**": "B",
    "不选A，选B": "B",
    "答案是A吗？不，应该是B": "B",
    "答案：根据DNA的结构应选C": "C",
    "这道题考查DNA复制，答案是C": "C",
    "选项A、B、C都不对。因此答案为D。": "D",
    "答案: B\n更正：答案: C": "C",
    "我不知道": None,
}
WHOLE = {
    "B": "B",
    "(B)": "B",
    "B.": "B",
    "**B**": "B",
    "b": "B",
    "【B】": "B",
    "选B": "B",
    "Answer: B": "B",
    "Option C": "C",
}
ANCHORED = {
    "The answer is (B).": "B",
    "The correct answer is **C**.": "C",
    "The answer is A. B is incorrect because it is too large.": "A",
    "So the answer is option D: the moon": "D",
    "Answer:\n\nB": "B",
    "### Final Answer\nB": "B",
    "Option C is correct.": "C",
    "I think it's B": "B",
    "I would choose A": "A",
    "It's either A or C. I'd say C.": "C",
    "The answer is Paris (B).": "B",
    "The answer: D. All of A, B, and C": "D",
    "选 A 还是 B？我选 B。": "B",
    "该题选错误的一项，A、B、C都正确，D错误，所以选D": "D",
    '{"answer": "B"}': "B",
    "Therefore, C": "C",
    "因此，B。": "B",
    "故选：C。": "C",
    "本题选D": "D",
    "应为B": "B",
    "B选项正确": "B",
    "正确选项是A": "A",
    "选项：B": "B",
    "答案是：\nB. 北京": "B",
    "我选择B，因为A不对": "B",
    "不难看出选B": "B",
    "the answer is a": "A",
    "answer: b, because it rains": "B",
    "Among A, B, C, D, the best choice is C.": "C",
}
NEGATED = {
    "The answer is not A, it is B": "B",
    "It isn't A. I'd go with B": "B",
    "A, B and C are wrong, so D.": "D",
    "A, B and C are incorrect.": None,
    "A is wrong. B is wrong. C is correct. D is wrong.": "C",
    "A错误，B错误，C正确，D错误": "C",
    "A项错误，B项错误，D项正确": "D",
    "Rule out A and B. The answer must be D": "D",
    "Neither A nor B is right; C is the answer.": "C",
    "正确答案是B，C错误，因为它太大": "B",
    "如果选A，则矛盾，所以选C": "C",
    "选A不对，选B才对": "B",
    "答案不是B": None,
    "Is it B?": None,
}
UNANCHORED = {
    "B. Paris": "B",
    "B) Paris is the capital": "B",
    "B\n\nExplanation: A is an ion of hydrogen.": "B",
    "Not sure, maybe B": "B",
    "\\boxed{B}": "B",
    "B。解析：A选项说法正确，但不符合题意；C、D错误。": "B",
    "A first look is easy. $\\boxed{\\text{D}}$": "D",
}
NO_ANSWER = [
    "",
    "I do not know.",
    "A cat sat on the mat.",
    "I think so.",
    "the answer is a cat",
    "A. one\nB. two\nC. three\nD. four",
    "答案是A或B",
    "A和B都对",
    "维生素C很重要",
    "C-14 dating",
    "The answer depends on the DNA.",
    "Both A and B could be",
]


def letter(text: str, letters: str = "ABCDE") -> str | None:
    found = build_extractor([{"letter": letters}]).extract(text)
    if found is not None:
        assert found.answer == found.answer.upper()
        assert found.end == found.start + 1
        assert found.rule.startswith("letter:")
    return found.answer if found else None


@pytest.mark.parametrize("text", GOLDEN)
def test_golden_cases(text):
    """Each golden case of the reference gives its letter, with four options and with ten."""
    assert letter(text, "ABCD") == GOLDEN[text]
    assert letter(text, "ABCDEFGHIJ") == GOLDEN[text]


@pytest.mark.parametrize("text", WHOLE)
def test_a_reply_that_is_a_letter(text):
    """A bare letter, however marked, is the answer."""
    assert letter(text) == WHOLE[text]


@pytest.mark.parametrize("text", ANCHORED)
def test_the_last_asserted_letter_wins(text):
    """A letter that is said to be the answer is the answer."""
    assert letter(text) == ANCHORED[text]


@pytest.mark.parametrize("text", NEGATED)
def test_a_negated_letter_never_counts(text):
    """What is ruled out, denied or asked about is no answer."""
    assert letter(text) == NEGATED[text]


@pytest.mark.parametrize("text", UNANCHORED)
def test_a_clear_letter_needs_no_anchor(text):
    """A leading letter, a boxed one, or the only one is the answer."""
    assert letter(text) == UNANCHORED[text]


@pytest.mark.parametrize("text", NO_ANSWER)
def test_no_answer_is_never_guessed(text):
    """Where no letter, or more than one, is left, there is no answer."""
    assert letter(text) is None


def test_the_span_is_in_the_original_text():
    """A full-width letter is reported in ASCII, and its place is where it stands."""
    found = build_extractor(["letter"]).extract("答案：Ｂ")
    assert found is not None
    assert (found.answer, "答案：Ｂ"[found.start : found.end]) == ("B", "Ｂ")


@pytest.mark.parametrize(
    ("labels", "letters"),
    [((), "ABCDEFGHIJ"), (("A", "B", "C"), "ABC"), (("yes", "no"), "AB"), (("p", "q"), "PQ")],
)
def test_letters_follow_the_options(labels, letters):
    """The labels are the letters when they are letters, else their number decides."""
    assert build_extractor(["letter"], labels=labels).signature == f'letter(letters="{letters}", v=2)'


def test_letters_beyond_the_options_are_no_answer():
    """With three options, E is not one of them."""
    assert letter("The answer is E", "ABC") is None
