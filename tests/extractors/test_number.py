r"""The number that a reply arrives at, in its plain form."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.metrics.extractors import build_extractor

RULES = {
    "We add.\n#### 18": ("18", "hash"),
    "#### $1,234.50": ("1234.5", "hash"),
    "#### Step 3: add\nSo x = 5": ("5", "last"),
    "#### 2. Add them\nThe answer is 7.": ("7", "anchor"),
    r"It is 3, so \boxed{42}.": ("42", "boxed"),
    r"\boxed{\frac{3}{4}}": ("3/4", "boxed"),
    r"\boxed{x = 18 \text{ dollars}}": ("18", "boxed"),
    "The answer is $1,234.50.": ("1234.5", "anchor"),
    "The answer is 18 dollars for 3 days.": ("18", "anchor"),
    "The final answer is 16 - 3 = **13** eggs, not 12.": ("13", "anchor"),
    "Answer\n\n**42**": ("42", "anchor"),
    "The answer is 5. Wait, 3 more: the answer is 8.": ("8", "anchor"),
    "The answer is not 5. It is 6.": ("6", "last"),
    "答案是三十五个，共2天": ("35", "anchor"),
    "答案：３５": ("35", "anchor"),
    "答：一共有18个苹果。": ("18", "anchor"),
    "答案不是5，是7": ("7", "anchor"),
    "So 16 - 3 - 4 = 9 eggs.": ("9", "last"),
    "一共三十五个": ("35", "chinese"),
}
FORMS = {
    "18.00": "18",
    "007": "7",
    "12.50": "12.5",
    "50%": "50",
    "５０％": "50",
    "1,234,567": "1234567",
    "1{,}234": "1234",
    "-5": "-5",
    "−5": "-5",
    "temp -$5": "-5",
    "负5": "-5",
    "5-3": None,
    "16 - 3": None,
    "2024-05-03": None,
    "3/4": "3/4",
    "1 3/4 cups": "1 3/4",
    "12/25/2024": None,
    "3.5万元": "35000",
    "1.2 × 10^5": "120000",
    "2e3": "2000",
    ".5": "0.5",
    "价格是100，200": None,
    "٣٥": "35",
    "H2O": None,
    "no number": None,
    "-0": "0",
}
NUMERALS = {
    "三十五": "35",
    "十": "10",
    "十二": "12",
    "两百": "200",
    "一百零五": "105",
    "三千五": "3500",
    "三千零五": "3005",
    "一万二千": "12000",
    "两万五": "25000",
    "两亿三千万": "230000000",
    "二〇二四": "2024",
    "三点五": "3.5",
    "负三": "-3",
    "百分之二十": "20",
    "四分之三": "3/4",
    "第三": None,
    "一起去吧": None,
    "统一": None,
}


def number(text: str, step: str = "number", language: str = "en") -> str | None:
    found = build_extractor([step], language=language).extract(text)
    return found.answer if found else None


@pytest.mark.parametrize("text", RULES)
def test_rules_in_their_order(text):
    """Each kind of final answer is found by its rule, before the last number."""
    found = build_extractor(["number"]).extract(text)
    assert found is not None
    assert (found.answer, found.rule) == (RULES[text][0], f"number:{RULES[text][1]}")


@pytest.mark.parametrize("text", FORMS)
def test_plain_form(text):
    """Signs, separators, currency and zeros are written in one way; fractions stay fractions."""
    assert number(text) == FORMS[text]


@pytest.mark.parametrize("text", NUMERALS)
def test_chinese_numerals(text):
    """Chinese numerals count when there are no digits; parts of words and ordinals do not."""
    assert number(text) == NUMERALS[text]


def test_digits_come_before_chinese_numerals():
    """A numeral in passing does not replace a number in digits."""
    assert number("12个苹果，一人两个") == "12"


@pytest.mark.parametrize(
    ("text", "value"), [("1.234,56", "1234.56"), ("3,5", "3.5"), ("1 234", "1234"), ("12.5", "12.5")]
)
def test_languages_with_a_decimal_comma(text, value):
    """German and the like write the comma before the decimals."""
    assert number(text, language="de") == value


def test_last_number_ignores_anchors():
    """last_number takes the last one, whatever is said before."""
    assert number("The answer is 5, in 3 days", "last_number") == "3"


@pytest.mark.parametrize(
    ("text", "value"), [("#### $1,080", "1080"), ("5 #### 18.0 dollars", "18"), ("18", None), ("####", None)]
)
def test_gsm8k_needs_its_mark(text, value):
    """The rule of GSM8K takes the last number after ####, and nothing without it."""
    assert number(text, "gsm8k") == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_a_number_is_found_with_its_value(value):
    """Whatever number is written is found, and equal in value."""
    found = number(f"The answer is {value:,f}.")
    assert found is not None
    assert float(found) == float(value)


@pytest.mark.realdata
@pytest.mark.parametrize("step", ["gsm8k", "number"])
@pytest.mark.parametrize(("name", "right"), [("abel-7b-001", 788), ("abel-70b-001", 1103)])
def test_recorded_gsm8k_flags(name, right, step):
    """Every recorded verdict on Abel's GSM8K outputs is reproduced (MANIFEST.md: 59.7422 %, 83.6240 %)."""
    folder = Path(os.environ.get("EVALKIT_REALDATA", Path(__file__).parents[3] / "shared" / "data"))
    path = folder / "gsm8k" / f"outputs_{name}.jsonl"
    if not path.exists():
        pytest.skip(f"no {path}")
    extractor = build_extractor(["strip_reasoning", step])
    flags = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        found = extractor.extract(row["response"])
        try:
            flag = found is not None and float(found.answer) == float(row["gold"])
        except ValueError:
            flag = False
        assert flag == bool(row["result"]), row["id"]
        flags.append(flag)
    assert (len(flags), sum(flags)) == (1319, right)


SEVERAL = (
    "So the length is 8 m and the width is 3 m.",
    "所以长是8米，宽是3米。",
    "The length is 8 m. The width is 3 m.",
    "- Length: 8 m\n- Width: 3 m",
    "Answer: 8 and 3",
    "答案：长8米，宽3米",
    "答案是x=3，y=4",
    "\\boxed{3}, \\boxed{4}",
    "#### 3, 4",
    "It took 3 hours and 20 minutes.",
    "每人分得三个，还剩下两个。",
    "I think the answer could be 14, or maybe 16.",
    "I got 14. It might also be 16.",
    "The first clock shows 3:15; the second is 20 minutes fast.",
    "这块地的面积为 24×15=360 平方米，共收小麦 1800 千克。",
)


@pytest.mark.parametrize("text", SEVERAL)
def test_several_quantities_side_by_side_are_no_answer(text):
    """Where nothing says which of them was asked for, none is guessed."""
    assert number(text) is None


ARRIVED = {
    "Half of 50 is 25.": "25",
    "The LCM of 4 and 6 is 12.": "12",
    "She had $60 and spent $35, so she has $25 left.": "25",
    "红球有4个，白球有6个，一共10个球。": "10",
    "Maria needs **5** more stamps to complete the set of 40.": "5",
    "3 trucks are needed to carry 80 stones.": "3",
    "240 + 70 = 310\nThus, Mason needs 310 ounces to make 8 batches and 1 spare.": "310",
    "40 / 5 = 8\nIf each box costs $3, he pays 8 * 3 = $24.": "24",
    "Your change is $3.75, assuming you paid with a $20 bill.": "3.75",
    "After paying $120 rent and $80 for food, Lena keeps $300 of her $500.": "300",
    "The maximum is 9, attained at x = 2.": "9",
    "When x = 2, y = 7.": "7",
    "If each pack has 6 cans, 7 packs have 42 cans.": "42",
    "x = 7. Plugging back in: 3(7) − 1 = 20, which matches.": "7",
}


@pytest.mark.parametrize("text", ARRIVED)
def test_one_of_several_numbers_is_the_one_arrived_at(text):
    """Numbers of a subject, a circumstance, a purpose or a check are not the answer; a total or result is."""
    assert number(text) == ARRIVED[text]
