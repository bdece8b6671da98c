"""The label that a reply decides on."""

from __future__ import annotations

import pytest

from evalkit.core.errors import ExtractorError
from evalkit.metrics.extractors import build_extractor

ENGLISH = {
    "Positive": "positive",
    " positive.\n": "positive",
    "**Sentiment:** Negative": "negative",
    "Answer: NEGATIVE": "negative",
    "The sentiment is positive.": "positive",
    "The overall sentiment of the text is **negative**.": "negative",
    "It is not positive, it is negative": "negative",
    "The answer is positive rather than negative.": "positive",
    "Positive, because the negative parts are few": "positive",
    "Positive because of the ending": "positive",
    "I'd say negative": "negative",
    "This sounds positive at first. But overall negative.": "negative",
    "Positive words, but a negative mood.\n\nNegative": "negative",
    "Is it positive or negative? Negative.": "negative",
    "positive or negative": None,
    "The text is neither positive nor negative": None,
    "There are positive and negative parts": None,
    "The sentiment could be positive or negative.": None,
    "A positive tone with some negative words": None,
    "non-positive": None,
    "isn't positive": None,
    "positively": None,
    "": None,
}
CHINESE = {
    "正面": "正面",
    "情感：负面": "负面",
    "【负面】": "负面",
    "答案：正面": "正面",
    "这条评论是正面的。": "正面",
    "不是正面，而是负面": "负面",
    "虽然有正面内容，但总体是负面的。": "负面",
    "好评": "正面",
    "这是一条积极的评论": "正面",
    "整体情感倾向为：消极": "负面",
    "正面还是负面？": None,
    "既有正面也有负面": None,
}
ALIASES = {"正面": ["积极", "好评"], "负面": ["消极"]}


@pytest.mark.parametrize("text", ENGLISH)
def test_english_labels(text):
    """The label at the beginning, the asserted one, or the only one that is left; else no answer."""
    found = build_extractor(["label"], labels=["negative", "positive"]).extract(text)
    assert (found and found.answer) == ENGLISH[text]


@pytest.mark.parametrize("text", CHINESE)
def test_chinese_labels_and_aliases(text):
    """Chinese labels need no word boundaries, and other names count as the label."""
    extractor = build_extractor([{"label": {"aliases": ALIASES}}], language="zh", labels=["正面", "负面"])
    found = extractor.extract(text)
    assert (found and found.answer) == CHINESE[text]


def test_the_longest_label_wins():
    """A label that contains another is not taken for it."""
    extractor = build_extractor(["label"], labels=["相关", "不相关", "entailment", "not_entailment"])
    for text in ("不相关", "not_entailment", "相关", "entailment"):
        found = extractor.extract(text)
        assert found is not None
        assert found.answer == text


def test_the_answer_is_the_label_as_the_task_writes_it():
    """Case and full width follow the task; the span is what the reply says."""
    found = build_extractor(["label"], labels=["Sci/Tech", "Sports"]).extract("Topic: SCI/TECH!")
    assert found is not None
    assert (found.answer, found.start, found.end) == ("Sci/Tech", 7, 15)


def test_labels_of_several_words():
    """White space inside a label may be any."""
    found = build_extractor(["label"], labels=["very good", "good"]).extract("It is very\n good.")
    assert found is not None
    assert found.answer == "very good"


def test_a_label_step_without_labels_is_an_error():
    """The message says where labels come from."""
    with pytest.raises(ExtractorError, match="labels"):
        build_extractor(["label"])


def test_aliases_of_an_unknown_label_are_an_error():
    """A misspelt label is named, with the nearest one."""
    with pytest.raises(ExtractorError, match="Did you mean 'positive'"):
        build_extractor([{"label": {"aliases": {"postive": ["good"]}}}], labels=["positive"])
