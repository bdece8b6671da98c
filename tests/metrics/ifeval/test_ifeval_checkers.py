"""Each of IFEval's 25 instruction types on answers that follow it and answers that do not."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.core.errors import MetricError
from evalkit.metrics.ifeval import INSTRUCTIONS, check, check_instruction, relax

LEAST, LESS = {"relation": "at least"}, {"relation": "less than"}
CASES: list[tuple[str, dict[str, Any], str, bool]] = [
    ("keywords:existence", {"keywords": ["sea", "Wind"]}, "Season of winds", True),
    ("keywords:existence", {"keywords": ["sea", "wind"]}, "the sea", False),
    ("keywords:frequency", {**LEAST, "keyword": "go", "frequency": 2}, "Go and goat", True),
    ("keywords:frequency", {**LESS, "keyword": "go", "frequency": 2}, "Go and goat", False),
    ("keywords:frequency", {**LEAST, "keyword": "C++", "frequency": 1}, "I like c++.", True),
    ("keywords:forbidden_words", {"forbidden_words": ["can", "ride"]}, "A canal. Riders.", True),
    ("keywords:forbidden_words", {"forbidden_words": ["can", "ride"]}, "Yes, we CAN.", False),
    (
        "keywords:letter_frequency",
        {"let_relation": "at least", "letter": "N", "let_frequency": 3},
        "Nanna",
        True,
    ),
    (
        "keywords:letter_frequency",
        {"let_relation": "less than", "letter": "#", "let_frequency": 2},
        "#a #b",
        False,
    ),
    ("language:response_language", {"language": "de"}, "Das ist nicht der Weg, den ich kenne.", True),
    ("language:response_language", {"language": "de"}, "This is not the way that I know.", False),
    ("language:response_language", {"language": "uk"}, "Це моя книга, і вона дуже цікава.", True),
    ("language:response_language", {"language": "ru"}, "Це моя книга, і вона дуже цікава.", False),
    ("language:response_language", {"language": "ur"}, "یہ کتاب میں نے کل پڑھی ہے۔", True),
    ("language:response_language", {"language": "fa"}, "این کتاب را دیروز خواندم و خوب بود", True),
    ("language:response_language", {"language": "ar"}, "قرأت هذا الكتاب أمس في البيت", True),
    ("language:response_language", {"language": "ne"}, "म घर जान्छु र किताब पढ्छु।", True),
    ("language:response_language", {"language": "hi"}, "मैं घर जा रहा हूँ और किताब पढ़ता हूँ।", True),
    ("language:response_language", {"language": "mr"}, "मी घरी जात आहे आणि पुस्तक वाचतो.", True),
    ("language:response_language", {"language": "th"}, "สวัสดีครับ Google", True),
    ("language:response_language", {"language": "ja"}, "私は学生です。", True),
    ("language:response_language", {"language": "zh"}, "我是学生。", True),
    ("language:response_language", {"language": "ko"}, "123", True),
    ("length_constraints:number_words", {**LEAST, "num_words": 4}, "one two, don't", True),
    ("length_constraints:number_words", {**LESS, "num_words": 4}, "one two, don't", False),
    ("length_constraints:number_sentences", {**LEAST, "num_sentences": 3}, "Go! Now? Yes.", True),
    (
        "length_constraints:number_sentences",
        {**LESS, "num_sentences": 3},
        "Mr. Fox met Dr. Owl. Both ate.",
        True,
    ),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "One\n***\nTwo\n***", True),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "One\n***\n***\nTwo", False),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "One\n\nTwo", False),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "elm"},
        'Trees\n\n"Elm, oak',
        True,
    ),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 3, "nth_paragraph": 2, "first_word": "elm"},
        "Trees\n\nElm",
        False,
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[name], [address]", True),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[name\n], [address]", False),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye.\np. s. I lied", True),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "Bye.\nP.S. I lied", False),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* a\n - b\n**c**", True),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* a\n* b\n* c", False),
    ("detectable_format:constrained_response", {}, "I think: My answer is maybe.", True),
    ("detectable_format:constrained_response", {}, "My answer is perhaps.", False),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*a* and **b**", True),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*a* and ** **", False),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Section", "num_sections": 2},
        "Section 1\nx\nSection 2\ny",
        True,
    ),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "SECTION", "num_sections": 2},
        "Section 1\nSection 2",
        False,
    ),
    ("detectable_format:json_format", {}, '```json\n{"a": 1}\n```', True),
    ("detectable_format:json_format", {}, "{'a': 1}", False),
    ("detectable_format:json_format", {}, "[" * 100_000, False),
    ("detectable_format:title", {}, "<<Poem of joy>>\nla", True),
    ("detectable_format:title", {}, "<< >>", False),
    ("combination:two_responses", {}, "yes\n******\nno", True),
    ("combination:two_responses", {}, "yes\n******\nyes", False),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say hi."}, "say hi.\nHi", True),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say hi."}, "Hi", False),
    ("startend:end_checker", {"end_phrase": "Any questions?"}, 'So.\n"any questions?"', True),
    ("startend:end_checker", {"end_phrase": "Any questions?"}, "Any questions? No.", False),
    (
        "change_case:capital_word_frequency",
        {"capital_relation": "at least", "capital_frequency": 4},
        "I'M at the U.S. (NASA)",
        True,
    ),
    (
        "change_case:capital_word_frequency",
        {"capital_relation": "less than", "capital_frequency": 2},
        "NO WAY",
        False,
    ),
    ("change_case:english_capital", {}, "THIS IS THE WAY.", True),
    ("change_case:english_capital", {}, "DAS IST NICHT DER WEG.", False),
    ("change_case:english_capital", {}, "THIS IS the WAY.", False),
    ("change_case:english_lowercase", {}, "this is the way.", True),
    ("change_case:english_lowercase", {}, "This is the way.", False),
    ("punctuation:no_comma", {}, "none here; none", True),
    ("punctuation:no_comma", {}, "one, here", False),
    ("startend:quotation", {}, ' "all of it" ', True),
    ("startend:quotation", {}, '"', False),
]


@pytest.mark.parametrize(("name", "kwargs", "response", "followed"), CASES)
def test_instruction_is_judged_as_defined(
    name: str, kwargs: dict[str, Any], response: str, followed: bool
) -> None:
    """The verdict follows from the definition of the instruction."""
    assert check_instruction(name, kwargs, "", response) is followed


def test_every_instruction_has_a_case() -> None:
    """The table above covers all 25 types of the paper."""
    assert {name for name, *_ in CASES} == set(INSTRUCTIONS)
    assert len(INSTRUCTIONS) == 25


def test_blank_response_follows_nothing() -> None:
    """A blank response breaks even a prohibition."""
    assert not check_instruction("punctuation:no_comma", {}, "", " \n")


def test_repeat_prompt_falls_back_to_the_prompt() -> None:
    """Without `prompt_to_repeat` the prompt itself must be repeated."""
    assert check_instruction("combination:repeat_prompt", {}, "Say hi.", "Say hi. Hi!")


def test_loose_forgives_introduction_closing_line_and_asterisks() -> None:
    """One of the relaxations that follows is enough; strict sees the response as it is."""
    response = 'Sure:\n"**done**"\nBye'
    assert check(["startend:quotation"], [{}], "", response) == [False]
    assert check(["startend:quotation"], [{}], "", response, loose=True) == [True]
    assert relax("a\nb*\nc") == ("a\nb*\nc", "b*\nc", "a\nb*", "b*", "a\nb\nc", "b\nc", "a\nb", "b")


@pytest.mark.parametrize(
    ("name", "kwargs", "said"),
    [
        ("keywords:existance", {}, "Did you mean 'keywords:existence'"),
        ("keywords:existence", {"keywords": None}, "needs the argument 'keywords'"),
        ("keywords:existence", {"keywords": "sea"}, "a list of texts"),
        ("length_constraints:number_words", {"relation": "around", "num_words": 3}, "'less than'"),
        ("length_constraints:number_words", {"relation": "at least", "num_words": "3"}, "a whole number"),
        ("language:response_language", {"language": "xx"}, "cannot recognise the language 'xx'"),
    ],
)
def test_malformed_instruction_is_an_error_not_a_failure(
    name: str, kwargs: dict[str, Any], said: str
) -> None:
    """A wrong name or argument is the data's fault and never counts against the model."""
    with pytest.raises(MetricError, match=said):
        check_instruction(name, kwargs, "", "a response")


def test_one_entry_of_kwargs_per_instruction() -> None:
    """A list of another length is refused, not cut."""
    with pytest.raises(MetricError, match="1 instructions and 2 entries"):
        check(["punctuation:no_comma"], [{}, {}], "", "x")
